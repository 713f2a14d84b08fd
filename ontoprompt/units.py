"""A number that the question gives with a unit, compared with values that a vocabulary gives in another one.

Vocabularies say their units in a datatype (`dbo:PopulatedPlace/areaTotal` in `…/datatype/squareKilometre`) or in brackets
behind a label ("runtime (s)"). DBpedia's own mark for metres is μ. Temperatures, whose scales begin elsewhere, and money
are not converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .fragment import Fragment
from .literals import QuestionLiteral
from .ontology import Term

# The base of each dimension has factor 1; factors are exact by definition (international yard and pound, 1959).
_METRE, _GRAM = 1.0, 1.0
_LENGTHS = {
    "metre": _METRE, "μ": _METRE, "millimetre": 1e-3, "mm": 1e-3, "centimetre": 1e-2, "cm": 1e-2, "kilometre": 1e3, "km": 1e3,
    "inch": 0.0254, "foot": 0.3048, "ft": 0.3048, "yard": 0.9144, "mile": 1609.344, "nautical mile": 1852.0,
    "light year": 9460730472580800.0, "light-year": 9460730472580800.0,
}  # fmt: skip
_MASSES = {
    "gram": _GRAM, "g": _GRAM, "milligram": 1e-3, "mg": 1e-3, "kilogram": 1e3, "kg": 1e3, "tonne": 1e6, "ton": 1e6, "pound": 453.59237,
    "lb": 453.59237, "ounce": 28.349523125,
}  # fmt: skip
_TIMES = {
    "second": 1.0, "s": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "h": 3600.0, "day": 86400.0, "week": 604800.0,
}  # fmt: skip
_AREAS = {f"square {name}": factor**2 for name, factor in _LENGTHS.items()} | {
    "m2": 1.0, "m²": 1.0, "km2": 1e6, "km²": 1e6, "sqkm": 1e6, "hectare": 1e4, "ha": 1e4, "acre": 4046.8564224,
}  # fmt: skip
_OTHERS = {
    "speed": {
        "kmh": 1.0,
        "km/h": 1.0,
        "kilometre per hour": 1.0,
        "mph": 1.609344,
        "m/s": 3.6,
        "km/s": 3600.0,
    },
    "power": {"watt": 1.0, "w": 1.0, "kilowatt": 1e3, "kw": 1e3, "megawatt": 1e6, "mw": 1e6},
}
_DIMENSIONS = {"length": _LENGTHS, "mass": _MASSES, "time": _TIMES, "area": _AREAS, **_OTHERS}
_KNOWN = {unit: (name, factor) for name, units in _DIMENSIONS.items() for unit, factor in units.items()}
_IRREGULAR = {"feet": "foot", "inches": "inch", "m": "metre"}
_BRACKETS = re.compile(r"\(([^()]{1,12})\)\s*$")
_DATATYPE = re.compile(r"/datatype/(\w+)$")


def measure(unit: str) -> tuple[str, float] | None:
    """The dimension of a unit and how much of its base it is; None for one that is not known, or that could be two."""
    said = re.sub(r"\s+", " ", unit.strip().lower()).replace("meter", "metre")
    said = _IRREGULAR.get(said, said)
    for name in (said, said.removesuffix("s"), re.sub(r"\bfeet$", "foot", said), re.sub(r"es$", "", said)):
        if name in _KNOWN:
            return _KNOWN[name]
    return None


def measure_of(term: Term) -> tuple[str, float] | None:
    """The unit of a property's values, as its vocabulary says it."""
    for iri in term.range:
        if found := _DATATYPE.search(iri):
            return measure(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", found[1]))
    # Of minutes DBpedia writes "(m)" too, but with the datatype; without one it is metres.
    found = _BRACKETS.search(term.label)
    return measure(found[1]) if found else None


def _factor(literal: QuestionLiteral, there: tuple[str, float]) -> float | None:
    """What makes the literal's number one in the unit of a property."""
    here = measure(literal.unit) if literal.unit and literal.kind == "number" else None
    return here[1] / there[1] if here is not None and here[0] == there[0] and here[1] != there[1] else None


def converted(query: str, fragment: Fragment) -> str:
    """A query in plain SPARQL whose comparisons with numbers of the question are in the units of their properties."""
    stated = [x for x in fragment.literals if x.kind == "number" and x.unit and measure(x.unit)]
    if not stated:
        return query
    units = {s.term.iri: found for s in fragment.terms if (found := measure_of(s.term))}
    of: Mapping[str, str] = {
        v: iri for iri, v in re.findall(r"<([^<>\s]+)>\s+\?(\w+)", query) if iri in units
    }
    for variable, iri in of.items():
        for literal in stated:
            if (factor := _factor(literal, units[iri])) is None:
                continue
            number, said = _number(literal, factor), re.escape(literal.value)
            query = re.sub(rf"(\?{variable}\b\s*(?:[<>]=?|!?=)\s*){said}(?![\w.])", rf"\g<1>{number}", query)
            query = re.sub(
                rf"(?<![\w.?]){said}(\s*(?:[<>]=?|!?=)\s*\?{variable}\b)", rf"{number}\g<1>", query
            )
    return query


def settled(query: str, fragment: Fragment) -> bool:
    """Whether each number with a known unit meets a property, among those of the query, that says its own of that kind."""
    stated = [found for x in fragment.literals if x.kind == "number" and (found := measure(x.unit))]
    there = [
        found
        for s in fragment.terms
        if f"<{s.term.iri}>" in query and (found := measure_of(s.term)) is not None
    ]
    return bool(stated) and all(any(one[0] == other[0] for other in there) for one in stated)


def spellings(literal: QuestionLiteral, fragment: Fragment) -> list[str]:
    """A literal's value, and what it is in the units of the fragment's properties."""
    factors = {_factor(literal, unit) for s in fragment.terms if (unit := measure_of(s.term))} - {None}
    return [literal.value, *(_number(literal, factor) for factor in factors if factor is not None)]


def _number(literal: QuestionLiteral, factor: float) -> str:
    value = float(literal.value) * factor
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.10g}"

"""Write `dbpedia.ttl`: the facts of the DBpedia ontology in this project's own serialisation.

    ONTOPROMPT_DATA=/path/to/data python ontology/make_dbpedia.py

Reads `dbpedia/ontology-2019.owl` and `dbpedia/property-usage-2016-10.tsv` below ONTOPROMPT_DATA.
Kept of every class and property: kind, English label, super-terms, domain, range, equivalents,
inverses, and how often the 2016-10 release uses a property. Comments and descriptions are not
copied. Raw infobox properties (`dbp:`) have no ontology; those used at least 100 times are added
with a label made from their local name.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote

import pyoxigraph as ox
from turtle_terms import PREFIXES, label_from_name, literal, name

OWL = PREFIXES["owl"]
RDF = PREFIXES["rdf"]
RDFS = PREFIXES["rdfs"]
DBO = PREFIXES["dbo"]
DBP = PREFIXES["dbp"]
MIN_INFOBOX_USAGE = 100
# Order decides: a property typed both ways in the source gets the more telling kind.
KINDS = (OWL + "Class", OWL + "ObjectProperty", OWL + "DatatypeProperty")
RELATIONS = (
    RDFS + "subClassOf",
    RDFS + "subPropertyOf",
    RDFS + "domain",
    RDFS + "range",
    OWL + "equivalentClass",
    OWL + "equivalentProperty",
    OWL + "inverseOf",
)
USED_PREFIXES = (
    "dbo", "dbp", "dul", "geo", "onto", "owl", "rdf", "rdfs", "schema", "skos", "unit", "wd", "xsd",
)  # fmt: skip

HEADER = """\
# The DBpedia ontology and the raw infobox properties used at least 100 times: facts only, no comments.
# Source: DBpedia (https://www.dbpedia.org/), ontology of 2019, property usage of release 2016-10.
# Licence: Creative Commons Attribution-ShareAlike 3.0, https://creativecommons.org/licenses/by-sa/3.0/
# Made by ontology/make_dbpedia.py; do not edit by hand.
"""


def read_usage(path: Path) -> dict[str, int]:
    """Property IRI -> number of triples that use it, from a two-column TSV."""
    usage: dict[str, int] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            iri, _, count = line.rstrip("\n").partition("\t")
            usage[iri] = usage.get(iri, 0) + int(count)
    return usage


def read_ontology(path: Path) -> dict[str, dict[str, list[str]]]:
    """Term IRI -> predicate IRI -> objects (English label texts, or IRIs), in file order."""
    facts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for quad in ox.parse(path=str(path), format=ox.RdfFormat.RDF_XML):
        subject, predicate, value = quad.subject, quad.predicate.value, quad.object
        if isinstance(value, ox.Literal):
            wanted = predicate == RDFS + "label" and value.language == "en"
        else:
            # One equivalent in the source is a broken IRI that holds another one.
            wanted = (predicate == RDF + "type" or predicate in RELATIONS) and "%3C" not in value.value
        if wanted and value.value not in facts[subject.value][predicate]:
            facts[subject.value][predicate].append(value.value)
    return facts


def ontology_lines(facts: dict[str, dict[str, list[str]]], usage: dict[str, int]) -> list[str]:
    """One Turtle statement per class or property, classes first, each group by IRI."""
    lines = []
    for kind in KINDS:
        for iri in sorted(facts):
            stated = facts[iri]
            if kind not in stated[RDF + "type"]:
                continue
            labels = stated[RDFS + "label"] or [label_from_name(unquote(iri.removeprefix(DBO)))]
            parts = [f"{name(iri)} a {name(kind)}"]
            parts.append("rdfs:label " + ", ".join(literal(label.strip()) for label in labels))
            for relation in RELATIONS:
                if stated[relation]:
                    parts.append(f"{name(relation)} " + ", ".join(name(value) for value in stated[relation]))
            if usage.get(iri):
                parts.append(f"onto:usage {usage[iri]}")
            lines.append("; ".join(parts) + " .")
    return lines


def infobox_lines(usage: dict[str, int]) -> list[str]:
    """One Turtle statement per raw infobox property that is used often enough."""
    lines = []
    for iri in sorted(usage):
        if iri.startswith(DBP) and usage[iri] >= MIN_INFOBOX_USAGE:
            label = label_from_name(unquote(iri.removeprefix(DBP)))
            facts = f"rdfs:label {literal(label)}; onto:usage {usage[iri]}"
            lines.append(f"{name(iri)} a rdf:Property; {facts} .")
    return lines


def main() -> None:
    data = Path(os.environ["ONTOPROMPT_DATA"]) / "dbpedia"
    usage = read_usage(data / "property-usage-2016-10.tsv")
    terms = ontology_lines(read_ontology(data / "ontology-2019.owl"), usage)
    raw = infobox_lines(usage)
    prefixes = [f"@prefix {prefix}: <{PREFIXES[prefix]}> ." for prefix in USED_PREFIXES]
    out = Path(__file__).with_name("dbpedia.ttl")
    out.write_text(HEADER + "\n".join([*prefixes, "", *terms, "", *raw, ""]), encoding="utf-8")
    print(f"{out}: {len(terms)} ontology terms, {len(raw)} infobox properties", file=sys.stderr)


if __name__ == "__main__":
    main()

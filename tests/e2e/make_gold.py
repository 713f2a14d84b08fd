"""Recompute the gold answers of `questions.jsonl` over `ontology/sample.ttl`.

    python tests/e2e/make_gold.py            # write sparql and answers into questions.jsonl
    python tests/e2e/make_gold.py --check    # change nothing, fail where they differ

`answers` is a sorted list of rows, each a list of IRIs or lexical forms; of an ASK {"boolean": ...}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyoxigraph as ox

HERE = Path(__file__).parent
QUESTIONS = HERE / "questions.jsonl"
GRAPH = HERE.parents[1] / "ontology" / "sample.ttl"
PREFIXES = (
    "PREFIX dbo: <http://dbpedia.org/ontology/> PREFIX dbr: <http://dbpedia.org/resource/> "
    "PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> "
)
# Names that a prefixed name cannot hold without escapes.
NAMES = {
    name: f"<http://dbpedia.org/resource/{name}>"
    for name in (
        "Jaws_(film)",
        "Psycho_(1960_film)",
        "Titanic_(1997_film)",
        "Jurassic_Park_(film)",
        "Manchester_United_F.C.",
    )
}

GOLD = {
    "f01": "SELECT ?x { dbr:Australia dbo:capital ?x }",
    "f02": "SELECT ?x { dbr:Japan dbo:currency ?x }",
    "f03": "SELECT ?x { dbr:Brazil dbo:populationTotal ?x }",
    "f04": "SELECT ?x { dbr:Egypt dbo:officialLanguage ?x }",
    "f05": "SELECT ?x { dbr:Mount_Everest dbo:elevation ?x }",
    "f06": "SELECT ?x { dbr:Nile dbo:length ?x }",
    "f07": "SELECT ?x { dbr:Albert_Einstein dbo:birthPlace ?x }",
    "f08": "SELECT ?x { dbr:Marie_Curie dbo:deathDate ?x }",
    "f09": "SELECT ?x { dbr:Barack_Obama dbo:spouse ?x }",
    "f10": "SELECT ?x { dbr:Pulp_Fiction dbo:director ?x }",
    "f11": "SELECT ?x { dbr:The_Godfather dbo:releaseDate ?x }",
    "f12": "SELECT ?x { dbr:Nineteen_Eighty-Four dbo:author ?x }",
    "f13": "SELECT ?x { dbr:ABBA dbo:bandMember ?x }",
    "f14": "SELECT ?x { dbr:The_Dark_Side_of_the_Moon dbo:artist ?x }",
    "f15": "SELECT ?x { dbr:Microsoft dbo:foundedBy ?x }",
    "f16": "SELECT ?x { dbr:Toyota dbo:headquarter ?x }",
    "f17": "SELECT ?x { dbr:Harvard_University dbo:city ?x }",
    "f18": "SELECT ?x { dbr:Danube dbo:riverMouth ?x }",
    "f19": "SELECT ?x { dbr:Alan_Turing dbo:almaMater ?x }",
    "f20": "SELECT ?x { Manchester_United_F.C. dbo:ground ?x }",
    "j01": "SELECT ?x { ?c dbo:capital dbr:Bangkok ; dbo:currency ?x }",
    "j02": "SELECT DISTINCT ?x { Jaws_(film) dbo:director ?d . ?x a dbo:Film ; dbo:director ?d }",
    "j03": "SELECT ?x { Psycho_(1960_film) dbo:director ?d . ?d dbo:birthPlace ?x }",
    "j04": "SELECT ?x { dbr:Pride_and_Prejudice dbo:author ?a . ?a dbo:birthDate ?x }",
    "j05": "SELECT DISTINCT ?x { ?x a dbo:Book ; dbo:author ?a . ?a dbo:birthPlace dbr:Dublin }",
    "j06": "SELECT ?x { dbr:Mount_Kilimanjaro dbo:locatedInArea ?c . ?c a dbo:Country ; dbo:capital ?x }",
    "j07": "SELECT DISTINCT ?x { dbr:Google dbo:foundedBy ?p . ?p dbo:birthPlace ?x }",
    "j08": "SELECT DISTINCT ?x { ?f a dbo:Film ; dbo:director dbr:Stanley_Kubrick ; dbo:starring ?x }",
    "j09": "SELECT ?x { ?x dbo:award dbr:Nobel_Prize_in_Physics ; dbo:birthPlace dbr:Copenhagen }",
    "j10": "SELECT DISTINCT ?x { ?b dbo:bandMember|dbo:formerBandMember dbr:Freddie_Mercury . "
    "?x a dbo:Album ; dbo:artist ?b }",
    "j11": "SELECT ?x { dbr:Loire dbo:country ?c . ?c dbo:officialLanguage ?x }",
    "j12": "SELECT ?x { dbr:BMW dbo:headquarter ?c . ?c dbo:populationTotal ?x }",
    "j13": "SELECT ?x { ?c dbo:capital dbr:Nairobi ; dbo:continent ?x }",
    "j14": "SELECT ?x { Titanic_(1997_film) dbo:starring ?x . dbr:Inception dbo:starring ?x }",
    "j15": "SELECT ?x { dbr:Frankenstein dbo:author ?a . ?a dbo:spouse ?x }",
    "c01": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Country ; dbo:continent dbr:Africa }",
    "c02": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Film ; dbo:director dbr:Christopher_Nolan }",
    "c03": "SELECT (COUNT(DISTINCT ?x) AS ?n) { dbr:The_Beatles dbo:bandMember|dbo:formerBandMember ?x }",
    "c04": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Mountain ; dbo:locatedInArea dbr:Nepal }",
    "c05": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Country ; dbo:currency dbr:Euro }",
    "c06": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Book ; dbo:author dbr:Ernest_Hemingway }",
    "c07": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Person ; dbo:birthPlace dbr:Vienna }",
    "c08": "SELECT (COUNT(DISTINCT ?x) AS ?n) { ?x a dbo:Country ; dbo:officialLanguage dbr:Spanish_language }",
    "y01": "ASK { dbr:Canada dbo:capital dbr:Ottawa }",
    "y02": "ASK { Jurassic_Park_(film) dbo:director dbr:Steven_Spielberg }",
    "y03": "ASK { dbr:Amazon_River dbo:length ?a . dbr:Danube dbo:length ?b FILTER(?a > ?b) }",
    "y04": "ASK { dbr:Wolfgang_Amadeus_Mozart dbo:birthPlace dbr:Vienna }",
    "y05": "ASK { dbr:Pink_Floyd dbo:bandMember|dbo:formerBandMember dbr:Mick_Jagger }",
    "y06": "ASK { dbr:Mont_Blanc dbo:elevation ?a . dbr:K2 dbo:elevation ?b FILTER(?a > ?b) }",
    "y07": "ASK { dbr:Spain dbo:currency ?c . dbr:Portugal dbo:currency ?c }",
    "s01": "SELECT ?x { ?x a dbo:River ; dbo:length ?v } ORDER BY DESC(?v) LIMIT 1",
    "s02": "SELECT ?x { ?x a dbo:Country ; dbo:areaTotal ?v } ORDER BY ?v LIMIT 1",
    "s03": "SELECT ?x { ?x a dbo:City ; dbo:country dbr:Brazil ; dbo:populationTotal ?v } ORDER BY DESC(?v) LIMIT 1",
    "s04": "SELECT ?x { ?x a dbo:University ; dbo:foundingYear ?v } ORDER BY ?v LIMIT 1",
    "s05": "SELECT ?x { dbr:The_Beatles dbo:bandMember|dbo:formerBandMember ?x . ?x dbo:birthDate ?v } "
    "ORDER BY DESC(?v) LIMIT 1",
    "x01": "SELECT ?x { ?x a dbo:Film ; dbo:director dbr:Quentin_Tarantino ; dbo:releaseDate ?v "
    'FILTER(?v > "2000-12-31"^^xsd:date) }',
    "x02": "SELECT ?x { ?x a dbo:Country ; dbo:populationTotal ?v FILTER(?v > 100000000) }",
    "x03": "SELECT ?x { ?x a dbo:Mountain ; dbo:elevation ?v FILTER(?v > 8000) }",
    "x04": "SELECT ?x { ?x a dbo:River ; dbo:length ?v FILTER(?v > 4000000) }",
    "x05": 'SELECT ?x { ?x a dbo:Company ; dbo:foundingYear ?v FILTER(?v < "1900"^^xsd:gYear) }',
}


def sparql(identifier: str) -> str:
    """The whole gold query of a question."""
    text = GOLD[identifier]
    for name, iri in NAMES.items():
        text = text.replace(name, iri)
    return PREFIXES + text


def answer(store: ox.Store, query: str) -> object:
    """The answers of a query, as the file keeps them."""
    found = store.query(query)
    if isinstance(found, ox.QueryBoolean):
        return {"boolean": bool(found)}
    assert isinstance(found, ox.QuerySolutions)
    return sorted([term.value for term in row] for row in found)


def main() -> int:
    """Write the golds, or check them; say which questions have none."""
    store = ox.Store()
    store.load(path=str(GRAPH), format=ox.RdfFormat.TURTLE)
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    lines, empty = [], []
    for question in questions:
        question["sparql"] = sparql(question["id"])
        question["answers"] = answer(store, question["sparql"])
        if question["answers"] in ([], [["0"]]):
            empty.append(question["id"])
        lines.append(json.dumps(question, ensure_ascii=False) + "\n")
    if empty:
        print("no answer:", *empty, file=sys.stderr)
    if "--check" in sys.argv:
        stale = "".join(lines) != QUESTIONS.read_text(encoding="utf-8")
        print("stale" if stale else "as it should be")
        return int(stale or bool(empty))
    QUESTIONS.write_text("".join(lines), encoding="utf-8")
    return int(bool(empty))


if __name__ == "__main__":
    raise SystemExit(main())

"""Turtle written one term a line: what the makers of the bundled vocabularies share.

Escapes follow the Turtle 1.1 grammar (https://www.w3.org/TR/turtle/). A name that is not plain
letters, digits and underscores is written as a full IRI, so no local-name escapes are needed.
"""

from __future__ import annotations

import json
import re

from ontoprompt.ontology import label_from_name

__all__ = ["PREFIXES", "label_from_name", "literal", "name"]

PREFIXES = {
    "dbo": "http://dbpedia.org/ontology/",
    "dbp": "http://dbpedia.org/property/",
    "dul": "http://www.ontologydesignpatterns.org/ont/dul/DUL.owl#",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "onto": "https://ontoprompt.org/ns#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "schema": "http://schema.org/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "unit": "http://dbpedia.org/datatype/",
    "wd": "http://www.wikidata.org/entity/",
    "wdt": "http://www.wikidata.org/prop/direct/",
    "wikibase": "http://wikiba.se/ontology#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_LOCAL = re.compile(r"[A-Za-z0-9_]+\Z")


def name(iri: str) -> str:
    """`prefix:local` where that needs no escape, else `<iri>`."""
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace) and _LOCAL.match(iri[len(namespace) :]):
            return f"{prefix}:{iri[len(namespace) :]}"
    return f"<{iri}>"


def literal(text: str) -> str:
    """An English string literal; JSON's escapes are a subset of Turtle's."""
    return json.dumps(text, ensure_ascii=False) + "@en"

"""Write `wikidata-properties.ttl`: Wikidata's properties with label, aliases and datatype.

    ONTOPROMPT_DATA=/path/to/data python ontology/make_wikidata.py

Reads `wikidata/property-labels.json` (9,471 labels) and `wikidata/property-details.json` (aliases and
datatype of 2,430 of them) below ONTOPROMPT_DATA. A term is written under its `wdt:` IRI, the one that
queries use. Kind and range follow the datatype as in Wikidata's own RDF export
(https://www.mediawiki.org/wiki/Wikibase/Indexing/RDF_Dump_Format); where the datatype is not known
the kind is `rdf:Property`. Descriptions are not copied.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from turtle_terms import PREFIXES, literal, name

OBJECT = "owl:ObjectProperty"
DATATYPE = "owl:DatatypeProperty"
GEO = "<http://www.opengis.net/ont/geosparql#wktLiteral>"
# Datatype -> (its name in the Wikibase ontology, kind of the direct property, range or "").
DATATYPES = {
    "wikibase-item": ("WikibaseItem", OBJECT, ""),
    "wikibase-property": ("WikibaseProperty", OBJECT, ""),
    "wikibase-lexeme": ("WikibaseLexeme", OBJECT, ""),
    "wikibase-sense": ("WikibaseSense", OBJECT, ""),
    "wikibase-form": ("WikibaseForm", OBJECT, ""),
    "commonsMedia": ("CommonsMedia", OBJECT, ""),
    "geo-shape": ("GeoShape", OBJECT, ""),
    "tabular-data": ("TabularData", OBJECT, ""),
    "url": ("Url", OBJECT, ""),
    "quantity": ("Quantity", DATATYPE, "xsd:decimal"),
    "time": ("Time", DATATYPE, "xsd:dateTime"),
    "string": ("String", DATATYPE, "xsd:string"),
    "external-id": ("ExternalId", DATATYPE, "xsd:string"),
    "monolingualtext": ("Monolingualtext", DATATYPE, "rdf:langString"),
    "globe-coordinate": ("GlobeCoordinate", DATATYPE, GEO),
    "math": ("Math", DATATYPE, ""),
    "musical-notation": ("MusicalNotation", DATATYPE, ""),
}
USED_PREFIXES = ("owl", "rdf", "rdfs", "skos", "wdt", "wikibase", "xsd")
HEADER = """\
# Wikidata's properties: label, and aliases and datatype where known.
# Source: Wikidata (https://www.wikidata.org/).
# Licence: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/
# Made by ontology/make_wikidata.py; do not edit by hand.
"""


def property_line(identifier: str, label: str, details: dict[str, Any]) -> str:
    """The Turtle statement of one property."""
    wikibase, kind, value_range = DATATYPES.get(details.get("datatype", ""), ("", "rdf:Property", ""))
    parts = [f"{name(PREFIXES['wdt'] + identifier)} a {kind}", f"rdfs:label {literal(label)}"]
    # The two sources were taken at different times: a label that changed in between stays findable.
    aliases = dict.fromkeys([details.get("label", label), *details.get("aliases", [])])
    aliases.pop(label, None)
    if aliases:
        parts.append("skos:altLabel " + ", ".join(literal(alias) for alias in aliases))
    if value_range:
        parts.append(f"rdfs:range {value_range}")
    if wikibase:
        parts.append(f"wikibase:propertyType wikibase:{wikibase}")
    return "; ".join(parts) + " ."


def main() -> None:
    data = Path(os.environ["ONTOPROMPT_DATA"]) / "wikidata"
    labels: dict[str, str] = json.loads((data / "property-labels.json").read_text(encoding="utf-8"))
    rows = json.loads((data / "property-details.json").read_text(encoding="utf-8"))
    details = {row["id"]: row for row in rows}
    ordered = sorted(labels, key=lambda identifier: int(identifier[1:]))
    lines = [property_line(key, labels[key], details.get(key, {})) for key in ordered]
    prefixes = [f"@prefix {prefix}: <{PREFIXES[prefix]}> ." for prefix in USED_PREFIXES]
    out = Path(__file__).with_name("wikidata-properties.ttl")
    out.write_text(HEADER + "\n".join([*prefixes, "", *lines, ""]), encoding="utf-8")
    print(f"{out}: {len(lines)} properties", file=sys.stderr)


if __name__ == "__main__":
    main()

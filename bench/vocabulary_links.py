"""What a question over a vocabulary of its own is given: the `gold` and `pool` settings of `bench.links`, without a graph.

The index of the vocabulary and that of its names are made once and kept by their content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from bench.arguments import Progress
from bench.datasets import Question
from bench.generation import left_out_row, narrowed, scored_row
from bench.links import POOL_ENTITIES, Linking, open_names
from bench.writing import Writer
from ontoprompt.alignment import WordScorer, aligner
from ontoprompt.entities import LocalLinker
from ontoprompt.errors import QueryError
from ontoprompt.fillings import MADE_UP
from ontoprompt.generation import Generator
from ontoprompt.index import OntologyIndex, build_index
from ontoprompt.made_names import made_name
from ontoprompt.ontology import Ontology, local_name, term_to_json
from ontoprompt.pairs import CORE_IRIS, Labels
from ontoprompt.retrieval import Retriever
from ontoprompt.settings import user_data_dir
from ontoprompt.sparql import parse


class VocabularyLinking(Linking):
    """Links questions over `ontology`, entities by `names`, IRI → label, all of which may confuse."""

    def __init__(
        self, ontology: Ontology, names: Mapping[str, str], *, setting: str = "pool", seed: int = 0
    ) -> None:
        from ontoprompt.assembly import open_reranker

        self.setting, self.graph, self.seed, self.top_k = setting, "", seed, 12
        self.index = open_vocabulary(ontology)
        self.labels = Labels([ontology], names)
        self.align = aligner([WordScorer(self.index)])
        # A schema of tables has hardly an entity of its own, and a pool of others is part of the setting.
        names = names if len(names) > 2 * POOL_ENTITIES else {**names, **_made_up(seed)}
        self.names = sorted(names)
        self.entities = open_names(names)
        self.retriever = Retriever(self.index, LocalLinker(self.entities), None, open_reranker())
        self._known = frozenset()


def _made_up(seed: int, count: int = 40) -> dict[str, str]:
    rng = Random(f"{seed}/names")
    made = [made_name(rng, rng.choice(("person", "place", "thing"))) for _ in range(count)]
    return {MADE_UP + re.sub(r"\W+", "_", name): name for name in made}


def open_vocabulary(ontology: Ontology) -> OntologyIndex:
    """The index of a vocabulary, without an adapter of its own."""
    from ontoprompt.embedding import load_encoder

    encoder = load_encoder()
    text = "".join(term_to_json(term) for term in ontology) + encoder.name
    folder: Path = user_data_dir() / "bench" / f"index-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not (folder / "manifest.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        return build_index(ontology, folder, encoder=encoder)
    return OntologyIndex.load(folder, encoder)


def names_in(queries: Iterable[str], ontology: Ontology) -> dict[str, str]:
    """What queries name beside the vocabulary, labelled by local name: a data set without a table of labels has no
    other. An identifier is its own name, as somebody who asks by it writes it."""
    terms = {term.iri for term in ontology} | CORE_IRIS
    names: dict[str, str] = {}
    for query in queries:
        try:
            found = parse(query).iris()
        except QueryError:
            continue
        for iri in found - terms:
            if "XMLSchema#" not in iri:
                names[iri] = re.sub(r"_\(.*\)$", "", local_name(iri)).replace("_", " ").strip() or iri
    return names


def rows_of(
    generator: Generator,
    linking: VocabularyLinking,
    asked: Sequence[Question],
    *,
    quiet: bool,
    beams: int = 8,
) -> list[dict[str, Any]]:
    """A row for each question, written as `bench.generation` does it; those that cannot be asked are rows too."""
    from ontoprompt.assembly import open_query_reranker

    linked = [linking.link(question) for question in asked]
    ready = [one for one in linked if not one.left_out]
    rows = [left_out_row(one.question, one.left_out) for one in linked if one.left_out]
    progress = Progress(len(ready), quiet)
    reader = open_query_reranker("default")
    narrow = linking.setting != "gold"
    writer = Writer(
        generator,
        beams=beams,
        retriever=linking.retriever,
        reader=None if narrow else reader,
        given=not narrow,
    )
    for written in narrowed(writer, ready, linking, reader) if narrow else writer.write(ready):
        rows.append(scored_row(written, "", linking.seed, linking))
        progress.tick()
    return rows


def share(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """The share of rows of which something is so; what is not said is not so."""
    return round(sum(bool(row.get(key)) for row in rows) / max(1, len(rows)), 4)

"""What a question is given in a benchmark: the settings of linking.

`gold`: the terms and entities of the gold query, shuffled, nothing else. `pool`: these, and 15 terms and 5 entities
that retrieval ranks highest among the others, all in the order and with the scores that retrieval and the linker give
them, so that nothing but these tells the gold from the rest. `closed`: nothing given; our own linking and retrieval, over a closed list
of entities. `full`: the same with a million names added that no query of the data set mentions.

The closed list of a Wikidata set is the table of its items' labels (`wikidata/entity-labels.tsv` under the data
folder); that of a DBpedia set is every `dbr:` IRI in the queries of the LC-QuAD 1.0 and QALD-9 files there, labelled
from local names. No graph is asked in any of these settings.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from bench import made_names as made_names_module
from bench.made_names import made_names, parts_of
from ontoprompt.alignment import WordScorer, aligner
from ontoprompt.entities import EntityLink, LocalLinker
from ontoprompt.entity_build import build_from_names
from ontoprompt.entity_index import FORMAT, EntityIndex
from ontoprompt.errors import QueryError, SourceError
from ontoprompt.fragment import Fragment, Hint, ScoredTerm
from ontoprompt.names import key_of
from ontoprompt.pairs import Labels, Pair, PreparedPair, SkippedPairError, find_mention, prepare
from ontoprompt.retrieval import Retriever, prefer_specific_types
from ontoprompt.settings import load_settings, user_data_dir
from ontoprompt.training import gold_labels

if TYPE_CHECKING:
    from bench.datasets import Question
    from ontoprompt.ontology import Term

SETTINGS = ("gold", "pool", "closed", "full")
POOL_TERMS, POOL_ENTITIES = 15, 5
_SEARCHED = 60
_FULL_NAMES = 1_000_000
_GRAPHS = {"wikidata": "https://query.wikidata.org/sparql", "dbpedia": ""}
_DBR = re.compile(r"<http://dbpedia\.org/resource/([^<>\s]+)>|\bdbr:([^\s{}()<>;,]+)|\bres:([^\s{}()<>;,]+)")


@dataclass(frozen=True, slots=True)
class Linked:
    """A question ready for a prompt: what it is given, and its gold links. `left_out`: why there is no gold, in which
    case `gold` is None."""

    question: Question
    fragment: Fragment
    gold: PreparedPair | None
    left_out: str = ""


class Linking:
    """Links questions of one graph in one setting. What is drawn at random is drawn by seed and question."""

    def __init__(
        self, setting: str, graph: str, *, data: Path | None, index: str = "", seed: int = 0, top_k: int = 12
    ) -> None:
        from ontoprompt.assembly import open_index, open_reranker

        self.setting, self.graph, self.seed, self.top_k = setting, graph, seed, top_k
        self.index: Any = open_index(load_settings(index=index, kg=_GRAPHS.get(graph, "")))
        table = data / "wikidata" / "entity-labels.tsv" if data else None
        self.labels: Labels = gold_labels(entity_labels=table if table and table.is_file() else None)
        self.align: Callable[[Fragment], tuple[Hint, ...]] = aligner([WordScorer(self.index)])
        self.entities: EntityIndex | None = None
        self.names: list[str] = []
        if setting != "gold":
            names = closed_names(graph, data)
            self.names = sorted(names)
            self.entities = open_names(names, _FULL_NAMES if setting == "full" else 0)
        linker = LocalLinker(self.entities) if self.entities is not None else None
        self.retriever = Retriever(self.index, linker, None, open_reranker())
        self._known: frozenset[str] = frozenset()

    def gold_of(self, question: Question) -> Linked:
        """The gold links of a question, and nothing for a prompt."""
        gold, reason = self._gold(question)
        return Linked(question, Fragment(question.question), gold, reason)

    def link(self, question: Question) -> Linked:
        """What the setting gives a question."""
        gold, reason = self._gold(question)
        if self.setting in ("closed", "full"):
            links = self.retriever.link(question.question, rivals=4)
            links = prefer_specific_types(links, self.retriever.terms)
            fragment = self.retriever.retrieve(question.question, top_k=self.top_k, links=links)
            return Linked(question, fragment, gold, reason)
        if gold is None:
            return Linked(question, Fragment(question.question), None, reason)
        rng = Random(f"{self.seed} {question.id}")
        terms, entities = [ScoredTerm(t, 1.0) for t in gold.terms], list(gold.entities)
        if self.setting == "pool":
            terms = self._pool_of_terms(question.question, gold.terms)
            entities = self._pool_of_entities(question.question, gold.entities, rng)
        rng.shuffle(terms)
        rng.shuffle(entities)
        terms.sort(key=lambda scored: -scored.score)
        entities.sort(key=lambda link: -link.score)
        known = self.retriever.terms
        named = [iri for s in terms for iri in (s.term.iri, *s.term.domain, *s.term.range)]
        labels = {iri: known[iri].label for iri in named if iri in known}
        fragment = Fragment(
            question.question, tuple(terms), tuple(entities), gold.literals, {**gold.labels, **labels}
        )
        return Linked(question, replace(fragment, hints=self.align(fragment)), gold)

    def known(self, fragment: Fragment) -> frozenset[str]:
        """The IRIs that a query may name and not be called invented: the index's terms and the fragment's entities."""
        if not self._known:
            self._known = frozenset(t.iri for t in self.index.terms)
        return self._known | {e.iri for e in fragment.entities}

    def _gold(self, question: Question) -> tuple[PreparedPair | None, str]:
        try:
            return prepare(Pair(question.question, question.query), self.labels), ""
        except SkippedPairError as reason:
            return None, str(reason)
        except QueryError as error:
            return None, f"gold: {error.message[:60]}"

    def _pool_of_terms(self, question: str, gold: Sequence[Term]) -> list[ScoredTerm]:
        """The gold terms among others, as search scores them; one that it does not find has the last score found."""
        hits = self.retriever.search.search(question, _SEARCHED)
        wanted = {t.iri for t in gold}
        others = [hit for hit in hits if hit.term.iri not in wanted][:POOL_TERMS]
        found = {hit.term.iri: hit.score for hit in hits}
        last = min(found.values(), default=0.0)
        scored = [ScoredTerm(t, found.get(t.iri, last)) for t in gold]
        return scored + [ScoredTerm(hit.term, hit.score) for hit in others]

    def _pool_of_entities(self, question: str, gold: Sequence[EntityLink], rng: Random) -> list[EntityLink]:
        """The gold entities among the linker's other readings of the question; where there are too few, among names
        that share a word with it, then among any."""
        assert self.entities is not None and self.retriever.linker is not None
        links: dict[str, EntityLink] = {}
        for link in self.retriever.linker.link(question, k=8):
            links.setdefault(link.iri, link)
        words = [w.lower() for w in re.findall(r"[^\W\d_]{4,}", question)]
        rng.shuffle(words)
        others = [*links, *(named.iri for word in words for named in self.entities.holding([word], limit=8))]
        others += rng.sample(self.names, min(len(self.names), POOL_ENTITIES + len(gold)))
        labels = {e.iri: e.label for e in gold}
        wanted = len(labels) + POOL_ENTITIES
        for iri in others:
            if len(labels) < wanted:
                labels.setdefault(iri, self.entities.label(iri) or iri)
        return [links.get(iri) or _unlinked(question, iri, label) for iri, label in labels.items()]


def _unlinked(question: str, iri: str, label: str) -> EntityLink:
    """An entity that the linker does not find, at the words most like its name."""
    start, end = find_mention(question, label)
    return EntityLink(iri, label, question[max(start, 0) : max(end, 0)], start, end, 0.1)


def closed_names(graph: str, data: Path | None) -> Mapping[str, str]:
    """IRI → label of the closed list of a graph. Raises SourceError where the data folder does not hold it."""
    hint = "Name the data folder with --data-folder or ONTOPROMPT_DATA."
    if data is None:
        raise SourceError(
            "The closed list of entities is made from the data folder, and there is none.", hint
        )
    if graph == "wikidata":
        table = data / "wikidata" / "entity-labels.tsv"
        if not table.is_file():
            raise SourceError(f"There is no table of labels {table}.", hint)
        rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if "\t" in line)
        return {f"http://www.wikidata.org/entity/{row[0]}": row[1] for row in rows}
    if graph == "dbpedia":
        files = [f for name in ("lcquad1", "qald9") for f in sorted((data / name).glob("*.json*"))]
        found = {
            next(part for part in match if part)
            for file in files
            for match in _DBR.findall(file.read_text(encoding="utf-8").replace('\\"', '"'))
        }
        if not found:
            raise SourceError(f"There are no LC-QuAD 1.0 or QALD-9 files under {data}.", hint)
        return {f"http://dbpedia.org/resource/{name}": _from_local(name) for name in sorted(found)}
    raise SourceError(
        f"There is no closed list of entities for '{graph or 'an unknown graph'}'.",
        "Use --linking gold, or a data set over Wikidata or DBpedia.",
    )


def _from_local(name: str) -> str:
    return re.sub(r"_\(.*\)$", "", name).replace("_", " ").strip() or name


def open_names(names: Mapping[str, str], more: int = 0) -> EntityIndex:
    """An entity index of IRIs and their labels and of `more` made-up names, built once and kept by its content."""
    made = inspect.getsource(made_names_module) if more else ""
    digest = hashlib.sha256(repr((sorted(names.items()), more, FORMAT, made)).encode()).hexdigest()[:16]
    path = user_data_dir() / "bench" / f"names-{digest}.sqlite"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        build_from_names((*names.items(), *_made_up(list(names.values()), more)), path)
    return EntityIndex.open(path)


def _made_up(labels: Sequence[str], count: int) -> Iterator[tuple[str, str]]:
    """Made-up names, none twice and none of them a name of the list."""
    if not count:
        return
    known = {key_of(label) for label in labels}
    made: set[str] = set()
    for name in made_names(2 * count, parts_of(labels)):
        if name not in made and key_of(name) not in known:
            made.add(name)
            yield f"http://example.org/name/{len(made)}", name
            if len(made) == count:
                return


def by_graph(questions: Iterable[Question]) -> dict[str, list[Question]]:
    """Questions by the graph that they are asked of."""
    out: dict[str, list[Question]] = {}
    for question in questions:
        out.setdefault(question.graph, []).append(question)
    return out

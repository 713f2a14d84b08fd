"""The index of an ontology's terms: built whole or not at all, opened only when sound, searched.

The folder holds `manifest.json` (what made it, counts, and a checksum of every other file), `index.faiss`,
`terms.jsonl`, and where they were made `adapter.safetensors`, `neighbours.safetensors` and `entities.sqlite`. The FAISS rows are the
encoder's vectors of a term's label and aliases, followed by `term_features`. They are kept as the encoder
made them: `(q A) · (t B) = (q A Bᵀ) · t`, so both matrices of the adapter act on the question, which gives
the same scores, and a rebuild can take over every vector whose text did not change, whatever became of the
adapter.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontoprompt import __version__
from ontoprompt.embedding import Adapter, Encoder, Progress, Vectors, load_encoder
from ontoprompt.errors import ArtifactError, UsageError
from ontoprompt.index_folder import FolderWriter, Verified, open_folder
from ontoprompt.index_rows import OldRows, make_rows, read_rows, rows_content
from ontoprompt.neighbours import FILE as NEIGHBOURS
from ontoprompt.neighbours import Neighbours
from ontoprompt.ontology import KINDS, Ontology, Source, Term, term_from_json, term_to_json, terms_from_json

if TYPE_CHECKING:
    from ontoprompt.execution import Store

FORMAT = 1
FEATURES = 4 + len(KINDS)
_SPARE_ROWS = 32  # rows looked at beyond k: a term with aliases has several
_BUILD_HINT = "Build it again with `ontoprompt index`."


@dataclass(frozen=True, slots=True)
class TermHit:
    """A term and how well it fits a text: an inner product, 1 for the same words under no adapter."""

    term: Term
    score: float


@dataclass(frozen=True)
class Manifest:
    """What made an index. `factory`: the FAISS index type; `reused`: vectors taken over from the index that
    stood in the same place; `neighbours`: questions asked before that are kept."""

    encoder: str
    fingerprint: str
    dimension: int
    factory: str
    terms: int
    rows: int
    reused: int
    adapter: bool
    entities: bool
    neighbours: int = 0
    sources: tuple[Source, ...] = ()
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The manifest as it is written, without the checksums."""
        return {
            "format": FORMAT,
            "made_by": f"ontoprompt {__version__}",
            "encoder": {"name": self.encoder, "fingerprint": self.fingerprint},
            "dimension": self.dimension,
            "metric": "inner product",
            "factory": self.factory,
            "counts": {"terms": self.terms, "rows": self.rows, "reused": self.reused},
            "adapter": self.adapter,
            "entities": self.entities,
            "neighbours": self.neighbours,
            "sources": [{"name": source.name, "sha256": source.sha256} for source in self.sources],
            "prefixes": dict(self.prefixes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any], folder: Path) -> Manifest:
        """Raises ArtifactError for another format or a damaged manifest."""
        if record.get("format") != FORMAT:
            raise ArtifactError(
                f"The index {folder} has format {record.get('format')!r}, this version reads {FORMAT}.",
                _BUILD_HINT,
            )
        try:
            return cls(
                encoder=str(record["encoder"]["name"]),
                fingerprint=str(record["encoder"]["fingerprint"]),
                dimension=int(record["dimension"]),
                factory=str(record["factory"]),
                terms=int(record["counts"]["terms"]),
                rows=int(record["counts"]["rows"]),
                reused=int(record["counts"]["reused"]),
                adapter=bool(record["adapter"]),
                entities=bool(record["entities"]),
                neighbours=int(record.get("neighbours", 0)),
                sources=tuple(Source(item["name"], item["sha256"]) for item in record["sources"]),
                prefixes={str(key): str(value) for key, value in record["prefixes"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The manifest of the index {folder} is damaged.", _BUILD_HINT) from error


class OntologyIndex:
    """An opened index. `folder` is where it lies, `ontology` what it was built from."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        terms: Sequence[Term],
        encoder: Encoder,
        adapter: Adapter | None,
        rows: Any,
        neighbours: Neighbours | None = None,
    ) -> None:
        self.folder, self.manifest, self.encoder, self.adapter = folder, manifest, encoder, adapter
        self.neighbours = neighbours
        self.terms: Sequence[Term] = terms
        self.ontology = Ontology(tuple(terms), manifest.sources, manifest.prefixes)
        self._rows = rows
        self._owner = np.repeat(np.arange(len(terms)), [len(term_texts(term)) for term in terms])
        self._place = {term.iri: number for number, term in enumerate(terms)}
        self._first = np.searchsorted(self._owner, np.arange(len(terms) + 1))
        if len(self._owner) != rows.ntotal or manifest.terms != len(terms):
            raise ArtifactError(
                f"The vectors and the terms of the index {folder} do not belong together.", _BUILD_HINT
            )
        self._project = _projection(manifest.dimension, adapter)

    @classmethod
    def load(
        cls, folder: str | Path, encoder: Encoder | None = None, *, use_adapter: bool = True
    ) -> OntologyIndex:
        """The index in `folder`, every file checked against the manifest before it is read.

        `encoder`: the one to use; None: the one that the manifest names. Without `use_adapter`, scores are
        plain cosines. Raises ArtifactError when the index is missing, damaged, of another format, or built by
        another encoder.
        """
        opened = open_folder(Path(folder))
        manifest = Manifest.from_json(opened.manifest, Path(folder))
        encoder = encoder or load_encoder(manifest.encoder)
        if encoder.fingerprint != manifest.fingerprint or encoder.dimension != manifest.dimension:
            raise ArtifactError(
                f"The index {folder} was built by another encoder than {encoder.name}, or another version.",
                f"Build it again with `ontoprompt index --encoder {encoder.name}`.",
            )
        if manifest.entities:
            opened.path("entities.sqlite")
        terms = _read_terms(opened)
        adapter = (
            Adapter.load(opened.path("adapter.safetensors")) if manifest.adapter and use_adapter else None
        )
        if adapter is not None and adapter.question.shape[0] != manifest.dimension:
            raise ArtifactError(f"The adapter of the index {folder} does not fit its encoder.", _BUILD_HINT)
        neighbours = Neighbours.load(opened.path(NEIGHBOURS)) if manifest.neighbours else None
        if neighbours is not None and neighbours.vectors.shape[1] != manifest.dimension:
            raise ArtifactError(f"The neighbours in the index {folder} do not fit its encoder.", _BUILD_HINT)
        rows = _read_rows(opened, manifest)
        return cls(opened.folder, manifest, terms, encoder, adapter, rows, neighbours)

    @property
    def entities_path(self) -> Path | None:
        """The index of entity names that was built along; None when none was."""
        return self.folder / "entities.sqlite" if self.manifest.entities else None

    def search(self, text: str | Sequence[str], k: int) -> list[TermHit]:
        """The `k` terms that fit best, best first; of several texts, the one that fits a term best counts."""
        if k < 1:
            raise UsageError(f"{k} terms cannot be searched for.", "Give a number of at least 1.")
        texts = [text] if isinstance(text, str) else list(text)
        if not texts or not self.terms:
            return []
        return self._hits(self._queries(texts), k)

    def search_each(self, texts: Sequence[str], k: int) -> list[list[TermHit]]:
        """For each text the `k` terms that fit it best, best first; encodes them together, for many texts at once."""
        return self.nearest(self._queries(texts), k) if texts and self.terms else [[] for _ in texts]

    def nearest(self, queries: Vectors, k: int) -> list[list[TermHit]]:
        """For each row of `query_vectors` the `k` terms that fit it best, best first."""
        return [self._hits(row[None, :], k) for row in queries]

    def scores(self, text: str | Sequence[str], iris: Collection[str]) -> dict[str, float]:
        """IRI → score of the given terms only, as `search` would score them; unknown IRIs are left out."""
        tables = self.scores_each([text] if isinstance(text, str) else list(text), iris)
        return {iri: max(table[iri] for table in tables) for iri in tables[0]} if tables else {}

    def scores_each(self, texts: Sequence[str], iris: Collection[str]) -> list[dict[str, float]]:
        """For each text the scores of the given terms, as `scores` gives them."""
        return self.scores_of(self._queries(texts), iris) if texts else []

    def knows(self, iri: str) -> bool:
        """Whether the index holds a term."""
        return iri in self._place

    def query_vectors(self, texts: Sequence[str]) -> Vectors:
        """(n texts, d + FEATURES) of texts that are asked about more than once: see `scores_of`, `highest`."""
        return self._queries(texts)

    def projected(self, vectors: Vectors) -> Vectors:
        """`query_vectors` of texts that are encoded already, (n, d)."""
        return np.concatenate([vectors, np.ones((len(vectors), 1), np.float32)], 1) @ self._project

    def scores_of(self, queries: Vectors, iris: Collection[str]) -> list[dict[str, float]]:
        """For each row of `query_vectors` the scores of the given terms; unknown IRIs are left out."""
        known = [iri for iri in dict.fromkeys(iris) if iri in self._place]
        if not known:
            return [{} for _ in queries]
        spans = [(self._first[self._place[iri]], self._first[self._place[iri] + 1]) for iri in known]
        rows = np.concatenate([np.arange(start, end) for start, end in spans])
        products = queries @ self._rows.reconstruct_batch(rows).T
        starts = np.cumsum([0] + [int(end - start) for start, end in spans[:-1]])
        best = np.maximum.reduceat(products, starts, axis=1)
        return [dict(zip(known, row, strict=True)) for row in best.tolist()]

    def highest(self, queries: Vectors) -> list[float]:
        """For each row of `query_vectors` the best score of any term; 0 in an index without terms."""
        if not self.terms:
            return [0.0] * len(queries)
        depth = min(_SPARE_ROWS, len(self._owner))  # an index that reads rows again needs some to choose from
        products, _ = self._rows.search(np.ascontiguousarray(queries), depth)
        return [float(p) for p in products[:, 0]]

    def _queries(self, texts: Sequence[str]) -> Vectors:
        """(n texts, d + FEATURES): what the inner product with a row is the score of."""
        return self.projected(self.encoder.encode(texts))

    def _hits(self, queries: Vectors, k: int) -> list[TermHit]:
        """The `k` terms that fit best any of the queries, best first: terms have several rows, so as many rows are
        looked at as it takes to meet so many terms."""
        wanted = min(k, len(self.terms))
        depth = min(k + _SPARE_ROWS, len(self._owner))
        best, complete = self._nearest(queries, depth, wanted)
        while not complete:
            depth = min(4 * depth, len(self._owner))
            best, complete = self._nearest(queries, depth, wanted)
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:wanted]
        return [TermHit(self.terms[number], score) for number, score in ranked]

    def _nearest(self, queries: Vectors, depth: int, wanted: int) -> tuple[dict[int, float], bool]:
        """Term number → best score among the `depth` best rows of each query; and whether that is enough:
        each query met `wanted` different terms, or every row was seen."""
        best: dict[int, float] = {}
        complete = True
        products, found = self._rows.search(np.ascontiguousarray(queries), depth)
        for scores, rows in zip(products, found, strict=True):
            owners = self._owner[rows[rows >= 0]]
            complete &= len(np.unique(owners)) >= wanted
            for owner, score in zip(owners.tolist(), scores.tolist(), strict=False):
                if score > best.get(owner, -math.inf):
                    best[owner] = score
        return best, complete or depth >= len(self._owner)


def build_index(
    ontology: Ontology,
    out_dir: str | Path,
    *,
    encoder: Encoder,
    adapter: Adapter | None = None,
    neighbours: Neighbours | None = None,
    entities_from: Path | str | Sequence[Path | str] | Store | None = None,
    progress: Progress | None = None,
) -> OntologyIndex:
    """Build an index in place of the one that stands in `out_dir`, if any, whose vectors are taken over where
    the text and the encoder are the same.

    Raises UsageError for an ontology without terms or an adapter that does not fit, ArtifactError when the
    folder cannot be written; the old index is whole until the new one stands.
    """
    if not ontology.terms:
        raise UsageError("An ontology without terms cannot be indexed.", "Name a source that holds terms.")
    if adapter is not None and adapter.question.shape[0] != encoder.dimension:
        raise UsageError(
            "The adapter was trained on an encoder of another width.", "Train it on this encoder."
        )
    out = Path(out_dir)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "manifest.json").is_file())):
        raise UsageError(
            f"{out} exists and is no index, so it is not replaced.", "Name another folder with --out."
        )
    with FolderWriter(out) as writer:
        texts = [text for term in ontology.terms for text in term_texts(term)]
        counts = [len(term_texts(term)) for term in ontology.terms]
        features = np.repeat(term_features(ontology.terms, adapter), counts, axis=0)
        rows, factory, reused = make_rows(texts, features, encoder, _old_rows(out, encoder), progress)
        writer.write("index.faiss", rows_content(rows))
        lines = [term_to_json(term) for term in ontology.terms]
        writer.write("terms.jsonl", ("\n".join(lines) + "\n").encode("utf-8"))
        if adapter is not None:
            adapter.save(writer.path / "adapter.safetensors")
        if neighbours is not None:
            neighbours.save(writer.path / NEIGHBOURS)
        if entities_from is not None:
            from ontoprompt.entities import build_entity_index

            build_entity_index(entities_from, writer.path / "entities.sqlite", progress=progress)
        manifest = Manifest(
            encoder=encoder.name,
            fingerprint=encoder.fingerprint,
            dimension=encoder.dimension,
            factory=factory,
            terms=len(ontology),
            rows=len(texts),
            reused=reused,
            adapter=adapter is not None,
            entities=entities_from is not None,
            neighbours=len(neighbours.vectors) if neighbours is not None else 0,
            sources=ontology.sources,
            prefixes=ontology.prefixes,
        )
        writer.commit(manifest.to_json())
    return OntologyIndex.load(out, encoder)


def term_texts(term: Term) -> tuple[str, ...]:
    """The texts that stand for a term, each a row of the index: its label and its aliases."""
    return tuple(dict.fromkeys((term.label, *term.aliases)))


def term_features(terms: Sequence[Term], adapter: Adapter | None = None) -> Vectors:
    """(n terms, FEATURES): what an adapter's `prior` weighs besides words: usage relative to the most used
    term on a log scale, its square, whether there is none, the kind; last the adapter's bias for the term."""
    usage = np.log1p(np.array([term.usage for term in terms], np.float32))
    usage /= max(float(usage.max()), 1.0)
    kinds = np.array([[term.kind == kind for kind in KINDS] for term in terms], np.float32)
    bias = np.array([adapter.bias.get(term.iri, 0.0) if adapter else 0.0 for term in terms], np.float32)
    return np.column_stack([usage, usage**2, usage == 0, kinds, bias]).astype(np.float32)


def _projection(dimension: int, adapter: Adapter | None) -> Vectors:
    """(d + 1, d + FEATURES): takes an encoded question, with a 1 appended, to what meets the rows."""
    out = np.zeros((dimension + 1, dimension + FEATURES), np.float32)
    if adapter is None:
        out[:dimension, :dimension] = np.eye(dimension, dtype=np.float32)
        return out
    out[:dimension, :dimension] = adapter.question @ adapter.term.T
    out[:, dimension : dimension + adapter.prior.shape[1]] = adapter.prior
    out[dimension, -1] = 1.0
    return out


def _old_rows(out: Path, encoder: Encoder) -> OldRows:
    """The vectors of the index in `out`; none when there is none that is sound and by this encoder."""
    try:
        opened = open_folder(out)
        manifest = Manifest.from_json(opened.manifest, out)
        if manifest.fingerprint != encoder.fingerprint or manifest.dimension != encoder.dimension:
            return OldRows({})
        lines = opened.read("terms.jsonl").decode("utf-8").splitlines()
        rows = _read_rows(opened, manifest)
    except ArtifactError:
        return OldRows({})
    texts = [text for line in lines for text in term_texts(term_from_json(line))]
    if len(texts) != rows.ntotal:
        return OldRows({})
    return OldRows({text: place for place, text in enumerate(texts)}, rows)


def _read_terms(opened: Verified) -> tuple[Term, ...]:
    return tuple(terms_from_json(opened.read("terms.jsonl").decode("utf-8").splitlines()))


def _read_rows(opened: Verified, manifest: Manifest) -> Any:
    if manifest.factory.startswith("IVF"):
        raise ArtifactError(f"The index {opened.folder} was built by an older version.", _BUILD_HINT)
    rows = read_rows(opened.read("index.faiss"))
    if rows.d != manifest.dimension + FEATURES or rows.ntotal != manifest.rows:
        raise ArtifactError(
            f"The vectors of the index {opened.folder} are not what its manifest says.", _BUILD_HINT
        )
    return rows

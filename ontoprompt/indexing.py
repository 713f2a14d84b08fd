"""`ontoprompt index`: sources → an index folder, the default one when no source is given."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .embedding import Adapter, Encoder, load_encoder
from .errors import ArtifactError, UsageError
from .execution import Store
from .index import build_index
from .neighbours import FILE as NEIGHBOURS
from .neighbours import Neighbours
from .ontology import Ontology, load_ontology, ontology_from_store
from .settings import bundled, default_graph, default_index_dir, named_index_dir

if TYPE_CHECKING:
    from .unlabelled import Adaptation

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Built:
    """An index that was built: its folder, the number of its terms, the seconds taken, and what came of `adapt`
    where that was asked for."""

    folder: Path
    terms: int
    seconds: float
    adaptation: Adaptation | None = None


def build(
    sources: Sequence[str],
    *,
    name: str | None = None,
    out: Path | None = None,
    encoder: str = "default",
    entities: str | None = None,
    pairs: Path | None = None,
    adapt: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Build an index.

    `pairs` trains an adapter, whose questions are neighbours of those to come, and is kept with the index as worked
    examples; `adapt` trains one without questions, on some made from the vocabulary, and keeps it only if it helps.
    The default index keeps the adapter and the neighbours that it ships with. Raises UsageError for flags that do not go together.
    """
    if name and out:
        raise UsageError("--name and --out exclude each other.", "Give one of them.")
    if adapt and pairs is not None:
        raise UsageError(
            "--adapt and --pairs exclude each other.", "Give --pairs where you have questions, else --adapt."
        )
    if adapt and not sources:
        raise UsageError(
            "--adapt needs a vocabulary: the default index has an adapter trained on people's questions.",
            "Name a SOURCE.",
        )
    began = time.monotonic()
    default = not sources
    if sources and not (name or out):
        name = _name_of(sources[0])
    folder = out or (named_index_dir(name) if name else default_index_dir())
    ontology = _ontology(sources, progress)
    loaded = load_encoder(encoder)
    adapter = adaptation = neighbours = None
    if adapt:
        from .unlabelled import adapt as train_without_questions

        adaptation = train_without_questions(ontology, loaded, progress=progress)
        adapter = adaptation.adapter
    elif pairs is not None:
        adapter, neighbours = _learned(pairs, ontology, loaded, progress)
    elif default and encoder == "default":
        adapter, neighbours = _shipped()
    graph = entities or (str(default_graph()) if default else None)
    index = build_index(
        ontology,
        folder,
        encoder=loaded,
        adapter=adapter,
        neighbours=neighbours,
        entities_from=_graph(graph),
        progress=progress,
    )
    if pairs is not None:
        _keep_examples(pairs, folder)
    return Built(folder, len(index.terms), time.monotonic() - began, adaptation)


def _learned(
    pairs: Path, ontology: Ontology, encoder: Encoder, progress: Progress | None
) -> tuple[Adapter, Neighbours]:
    """An adapter and neighbours from the pairs whose queries name terms of this ontology; a query that does not parse
    counts as naming none."""
    from .adapting import train_adapter
    from .pairs import directed_pairs, read_pairs

    directed = list(directed_pairs(read_pairs(pairs), {t.iri for t in ontology.terms}))
    examples = [(question, list(terms)) for question, terms in directed]
    if not examples:
        raise UsageError(
            f"No query in {pairs} names a term of this vocabulary.",
            "Give pairs over the vocabulary that is indexed.",
        )
    neighbours = Neighbours.of(directed, encoder)
    return train_adapter(examples, ontology.terms, encoder, progress=progress), neighbours


def _shipped() -> tuple[Adapter | None, Neighbours | None]:
    """What was learned for the default index, as far as it is there."""
    folder = default_index_dir()
    adapter, neighbours = folder / "adapter.safetensors", folder / NEIGHBOURS
    return (
        Adapter.load(adapter) if adapter.is_file() else None,
        Neighbours.load(neighbours) if neighbours.is_file() else None,
    )


def _keep_examples(pairs: Path, folder: Path) -> None:
    """Keep the pairs beside the index proper: worked examples may change without a new index."""
    target = folder.parent / f"{folder.name}.examples.jsonl"
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(pairs, temporary)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtifactError(
            f"The worked examples could not be written to {target}: {error.strerror or error}.",
            "The index itself is whole; free some space and build again to have examples too.",
        ) from error


def _graph(source: str | None) -> Path | Store | None:
    if source is None:
        return None
    if "://" in source:
        from .execution import open_store

        return open_store(source)
    return Path(source)


def _ontology(sources: Sequence[str], progress: Progress | None) -> Ontology:
    if not sources:
        return load_ontology([bundled("ontology", "dbpedia.ttl")], progress=progress)
    endpoints = [s for s in sources if "://" in s]
    files = [s for s in sources if "://" not in s]
    parts = [load_ontology(files, progress=progress)] if files else []
    if endpoints:
        from .execution import open_store

        parts += [ontology_from_store(open_store(e), progress=progress) for e in endpoints]
    if len(parts) == 1:
        return parts[0]
    terms = {t.iri: t for part in reversed(parts) for t in part.terms}
    return Ontology(
        tuple(terms.values()),
        tuple(s for p in parts for s in p.sources),
        {k: v for p in parts for k, v in p.prefixes.items()},
    )


def _name_of(source: str) -> str:
    import re

    stem = re.sub(r"[^A-Za-z0-9-]+", "-", Path(source.split("://")[-1]).stem).strip("-").lower()
    return stem or "index"

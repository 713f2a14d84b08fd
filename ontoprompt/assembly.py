"""Put an `Engine` together from settings: find the index, make one for a new graph, open model and store.

An index made for a graph on first use is kept in the user's data folder, under a name that the graph's
content decides, so that a changed file gets a new one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .entities import EntityIndex, Linker, LocalLinker, build_entity_index
from .errors import ArtifactError, SourceError
from .execution import Store, open_store
from .pipeline import Engine
from .retrieval import Retriever
from .settings import Settings, default_graph, default_index_dir, named_index_dir, user_data_dir

Progress = Callable[[str, int, int | None], None]
_ENDPOINT_BUDGET = 40.0


def open_engine(settings: Settings, *, options: Any = None, progress: Progress | None = None) -> Engine:
    """The engine of these settings. The store loads while the model does."""
    from .generation import open_generator

    kg = settings.kg or str(default_graph())
    store = open_store(kg)
    if hasattr(store, "start"):
        store.start()
    found: dict[str, Any] = {}

    def load_model() -> None:
        try:
            found["generator"] = open_generator(settings.model, options)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            found["error"] = error

    # Importing and loading the model is the longest step; index and graph are read beside it.
    thread = threading.Thread(target=load_model, daemon=True)
    thread.start()
    index = open_index(settings, store, progress=progress)
    linker, labels = open_linker(kg, store, index, progress=progress)
    thread.join()
    if "error" in found:
        raise found["error"]
    return Engine(
        Retriever(index, linker, store),
        found["generator"],
        store,
        index_name=str(index_dir(settings)),
        kg_name=store.name,
        labels=labels,
    )


def index_dir(settings: Settings) -> Path:
    """The folder of the index that these settings mean."""
    if settings.index:
        path = Path(settings.index)
        if path.is_dir():
            return path
        if settings.index == "dbpedia":
            return default_index_dir()
        return named_index_dir(settings.index) if os.sep not in settings.index else path
    if settings.kg and Path(settings.kg).resolve() != default_graph().resolve():
        return user_data_dir() / "indexes" / f"kg-{graph_key(settings.kg)}"
    return default_index_dir()


def graph_key(source: str) -> str:
    """A name for a graph: of its files' paths, sizes and times, or of its URL."""
    digest = hashlib.sha256()
    if "://" in source:
        digest.update(source.encode())
    else:
        from .rdf_files import rdf_files

        for file in rdf_files(Path(source)):
            stat = file.stat()
            digest.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def open_index(settings: Settings, store: Store | None = None, *, progress: Progress | None = None) -> Any:
    """The index of the settings; for a graph without one it is made now and kept."""
    from .embedding import load_encoder
    from .index import OntologyIndex

    folder = index_dir(settings)
    made_here = not settings.index and folder.parent == user_data_dir() / "indexes"
    if made_here and not (folder / "manifest.json").is_file():
        make_graph_index(settings, store, folder, progress)
    if not folder.exists():
        raise ArtifactError(
            f"There is no index '{settings.index or folder}'.",
            "Make one with `ontoprompt index SOURCE --name NAME`, or leave out --index.",
        )
    return OntologyIndex.load(
        folder, load_encoder(settings.encoder) if settings.encoder != "default" else None
    )


def make_graph_index(
    settings: Settings, store: Store | None, folder: Path, progress: Progress | None
) -> None:
    """Index the vocabulary of a graph: declared and used terms of files, terms in use of an endpoint."""
    from .embedding import load_encoder
    from .index import build_index
    from .ontology import load_ontology, ontology_from_store

    if "://" in settings.kg:
        ontology = ontology_from_store(
            store or open_store(settings.kg), time_budget=_ENDPOINT_BUDGET, progress=progress
        )
    else:
        ontology = load_ontology([settings.kg], progress=progress)
    if not len(ontology):
        raise SourceError(
            f"No class or property was found in {settings.kg}.",
            "Give a graph that holds data or an ontology.",
        )
    default = default_index_dir()
    adapter = None
    if (
        (default / "adapter.safetensors").is_file()
        and settings.encoder == "default"
        and any("dbpedia.org" in t.iri for t in ontology.terms)
    ):
        from .embedding import Adapter

        adapter = Adapter.load(default / "adapter.safetensors")
    build_index(ontology, folder, encoder=load_encoder(settings.encoder), adapter=adapter, progress=progress)


def open_linker(
    kg: str, store: Store, index: Any, *, progress: Progress | None = None
) -> tuple[Linker | None, EntityIndex | None]:
    """The linker of a graph: its own label index, made on first use, or a remote service for the two public graphs."""
    if "dbpedia.org/sparql" in kg:
        from .linkers import DBpediaLookupLinker

        return DBpediaLookupLinker(), None
    if "query.wikidata.org" in kg:
        from .linkers import WikidataLinker

        return WikidataLinker(), None
    shipped = default_index_dir() / "entities.sqlite"
    if "://" not in kg and Path(kg).resolve() == default_graph().resolve() and shipped.is_file():
        entities = EntityIndex.open(shipped)
    else:
        path = user_data_dir() / "entities" / f"{graph_key(kg)}.sqlite"
        if not path.is_file():
            build_entity_index(store if "://" in kg else Path(kg), path, progress=progress)
        entities = EntityIndex.open(path)
    return LocalLinker(entities), entities

"""Put an `Engine` together from settings: find the index, make one for a new graph, open model and store.

An index made for a graph on first use is kept in the user's data folder, under a name that the graph's
content decides, so that a changed file gets a new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .entities import EntityIndex, Linker, LocalLinker, build_entity_index
from .errors import ArtifactError, SourceError
from .execution import EmbeddedStore, Store, open_store
from .pipeline import Engine
from .retrieval import Retriever
from .settings import (
    Settings,
    bundled,
    default_graph,
    default_index_dir,
    named_index_dir,
    user_data_dir,
)

if TYPE_CHECKING:
    from .query_reranking import QueryReranker
    from .reranking import Reranker

Progress = Callable[[str, int, int | None], None]
_ENDPOINT_BUDGET = 40.0
_ADAPTED = re.compile(r"dbpedia\.org/|^http://www\.wikidata\.org/prop/")
_DBPEDIA, _WIKIDATA = "dbpedia.org", "query.wikidata.org"


def open_engine(
    settings: Settings, *, options: Any = None, reach: bool = True, progress: Progress | None = None
) -> Engine:
    """The engine of these settings. `options`: how to load the model; `reach`: see `open_retriever`."""
    from .generation import open_generator

    found: dict[str, Any] = {}

    def load_model() -> None:
        try:
            found["generator"] = open_generator(settings.model, options)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            found["error"] = error

    # Importing and loading the model is the longest step; index and graph are read beside it. The command
    # line knows the thread by its name.
    thread = threading.Thread(target=load_model, daemon=True, name="ontoprompt-model")
    store = open_store(_graph_of(settings))
    if isinstance(store, EmbeddedStore):
        store.start()
    thread.start()
    retriever, labels = open_retriever(settings, store, reach=reach, progress=progress)
    if progress is not None:
        progress("loading the model", 0, None)
    thread.join()
    if "error" in found:
        raise found["error"]
    return Engine(
        retriever,
        found["generator"],
        store,
        index_name=str(index_dir(settings)),
        kg_name=store.name,
        labels=labels,
        query_reranker=open_query_reranker(settings.query_reranker),
    )


def open_retriever(
    settings: Settings, store: Store | None = None, *, reach: bool = True, progress: Progress | None = None
) -> tuple[Retriever, EntityIndex | None]:
    """What retrieves for these settings, and the labels of the graph's entities where they are kept.

    With `reach`, an endpoint that does not answer within `settings.timeout` seconds is an error now, before
    anything is made or loaded for it: GraphError.
    """
    kg = _graph_of(settings)
    store = store or open_store(kg)
    if reach and _is_url(kg):
        if progress is not None:
            progress(f"reaching {store.name}", 0, None)
        if not store.query("ASK { ?s ?p ?o }", timeout=settings.timeout).boolean:
            raise SourceError(
                f"The graph {store.name} holds no data.", "Load data into it, or name another graph."
            )
    index = open_index(settings, store, progress=progress)
    linker, labels = open_linker(kg, store, progress=progress)
    return Retriever(index, linker, store, open_reranker(settings.reranker)), labels


def _graph_of(settings: Settings) -> str:
    return settings.kg or str(default_graph())


def _is_url(kg: str) -> bool:
    return "://" in kg


def _host(kg: str) -> str:
    try:
        return (urlsplit(kg).hostname or "") if _is_url(kg) else ""
    except ValueError:
        return ""  # `open_store` says what is wrong with it


def index_dir(settings: Settings) -> Path:
    """The folder of the index that these settings mean."""
    if settings.index:
        path = Path(settings.index)
        if path.is_dir():
            return path
        if settings.index == "dbpedia":
            return default_index_dir()
        return named_index_dir(settings.index) if os.sep not in settings.index else path
    kg = settings.kg
    if not kg or _host(kg) == _DBPEDIA or (not _is_url(kg) and _is_sample(kg)):
        return default_index_dir()
    return user_data_dir() / "indexes" / f"kg-{graph_key(kg)}"


def _is_sample(kg: str) -> bool:
    return Path(kg).resolve() == default_graph().resolve()


def graph_key(source: str) -> str:
    """A name for a graph: of its files' paths, sizes and times, or of its URL."""
    digest = hashlib.sha256()
    if _is_url(source):
        digest.update(source.encode())
    else:
        from .rdf_files import rdf_files

        for file in rdf_files(Path(source)):
            stat = file.stat()
            digest.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def open_index(settings: Settings, store: Store | None = None, *, progress: Progress | None = None) -> Any:
    """The index of the settings; for a graph without one it is made now and kept.

    Raises ArtifactError when it is missing, damaged, or was built by another encoder.
    """
    from .embedding import load_encoder
    from .index import OntologyIndex

    if progress is not None:
        progress("opening the index", 0, None)
    folder = index_dir(settings)
    encoder = load_encoder(settings.encoder) if settings.encoder != "default" else None
    if settings.index or folder == default_index_dir():
        return OntologyIndex.load(folder, encoder)
    with _kept_at(folder):
        if not (folder / "manifest.json").is_file():
            make_graph_index(settings, store, folder, progress)
        return OntologyIndex.load(folder, encoder)


@contextlib.contextmanager
def _kept_at(path: Path) -> Iterator[None]:
    """What is made for a graph can be made again, or elsewhere: say that of whatever is wrong with it."""
    try:
        yield
    except ArtifactError as error:
        hint = (
            f"Remove {path}; it is made again when the graph is next asked."
            if path.exists()
            else "Free some space, or set ONTOPROMPT_HOME to a folder that can be written."
        )
        raise ArtifactError(error.message, hint) from error


def make_graph_index(
    settings: Settings, store: Store | None, folder: Path, progress: Progress | None
) -> None:
    """Index the vocabulary of a graph: declared and used terms of files, terms in use of an endpoint.

    Wikidata's is the one that ships: its endpoint does not answer within any budget what it uses.
    """
    from .embedding import load_encoder
    from .index import build_index
    from .ontology import load_ontology, ontology_from_store

    if _host(settings.kg) == _WIKIDATA:
        ontology = load_ontology([bundled("ontology", "wikidata-properties.ttl")], progress=progress)
    elif _is_url(settings.kg):
        ontology = ontology_from_store(
            store or open_store(settings.kg), time_budget=_ENDPOINT_BUDGET, progress=progress
        )
    else:
        ontology = load_ontology([settings.kg], progress=progress)
    shipped = shipped_adapter({t.iri for t in ontology.terms})
    adapter = None
    if shipped is not None and shipped.is_file() and settings.encoder == "default":
        from .embedding import Adapter

        adapter = Adapter.load(shipped)
    build_index(ontology, folder, encoder=load_encoder(settings.encoder), adapter=adapter, progress=progress)


def shipped_adapter(iris: Iterable[str]) -> Path | None:
    """The trained adapter of a vocabulary that ships with the package: DBpedia's and Wikidata's have one."""
    found = {"dbpedia" if "dbpedia.org/" in iri else "wikidata" for iri in iris if _ADAPTED.search(iri)}
    if "dbpedia" in found:
        return default_index_dir() / "adapter.safetensors"
    return Path(__file__).parent / "data" / "adapters" / "wikidata.safetensors" if found else None


def open_reranker(name: str = "default") -> Reranker | None:
    """The reranker of that name: `default`, `none`, or a file that `ontoprompt train --reranker` made. The encoder's
    own weights are read when it is first asked. Raises ArtifactError for a file that is none."""
    from .reranking import Reranker

    if name == "none":
        return None
    shipped = Path(__file__).parent / "data" / "reranker.safetensors"
    return Reranker.load(shipped if name == "default" else Path(name))


def open_query_reranker(name: str = "default") -> QueryReranker | None:
    """The query reranker of that name: `default`, `none`, or a file that `ontoprompt train --query-reranker` made. Raises
    ArtifactError for a file that is none."""
    from .query_reranking import QueryReranker

    if name == "none":
        return None
    shipped = Path(__file__).parent / "data" / "query-reranker.safetensors"
    return QueryReranker.load(shipped if name == "default" else Path(name))


def open_linker(
    kg: str, store: Store, *, progress: Progress | None = None
) -> tuple[Linker, EntityIndex | None]:
    """The linker of a graph: its own label index, made on first use, or a remote service for the two public graphs."""
    if _host(kg) == _DBPEDIA:
        from .linkers import DBpediaLookupLinker

        return DBpediaLookupLinker(), None
    if _host(kg) == _WIKIDATA:
        from .linkers import WikidataLinker

        return WikidataLinker(), None
    shipped = default_index_dir() / "entities.sqlite"
    if not _is_url(kg) and _is_sample(kg) and shipped.is_file():
        entities = EntityIndex.open(shipped)
    else:
        path = user_data_dir() / "entities" / f"{graph_key(kg)}.sqlite"
        with _kept_at(path):
            if not path.is_file():
                build_entity_index(store if _is_url(kg) else Path(kg), path, progress=progress)
            entities = EntityIndex.open(path)
    return LocalLinker(entities), entities

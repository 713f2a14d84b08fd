"""The process in which the embedded store lives: it loads RDF files and evaluates queries.

Oxigraph can neither limit nor cancel a query, so `execution.EmbeddedStore` runs this module with
`python -m ontoprompt._worker` and kills it at the deadline. Both sides exchange frames: four bytes of
length (big endian), then that many bytes of JSON. The first frame is a load request, all later ones are
queries, each answered by one frame. The process ends when its standard input does, so it never outlives
its parent.

Nothing here decides whether a query is allowed: the parent checks that before it sends one.
"""

from __future__ import annotations

import gzip
import json
import os
import queue
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from ontoprompt.rdf_files import FORMATS, rdf_suffix

if TYPE_CHECKING:
    import pyoxigraph as ox

MAX_REPLY_CHARACTERS = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_XSD = "http://www.w3.org/2001/XMLSchema#"
# XSD's derived integer types, which Oxigraph knows as data but not as casts, with their bounds.
_INTEGER_TYPES: Mapping[str, tuple[int | None, int | None]] = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsignedByte": (0, 2**8 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedLong": (0, 2**64 - 1),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
}


class LoadError(Exception):
    """A file cannot be loaded; the text is one sentence that names it."""


def write_frame(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    """Send one message."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """Receive one message; None when the other side is gone."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack(">I", header)
    body = stream.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
    return message


def load_file(store: ox.Store, path: Path) -> None:
    """Add one RDF file to a store.

    Raises LoadError for a file that is missing, empty, cut short, or in another syntax than its name says.
    """
    try:
        with _opened(path) as stream:
            _load_stream(store, stream, path)
    except SyntaxError as error:
        where = f" line {error.lineno}" if error.lineno else ""
        raise LoadError(
            f"{path}{':' if where else ''}{where} is not valid RDF: {_tidy(error.msg)}."
        ) from error
    except expat.ExpatError as error:
        raise LoadError(
            f"{path}: line {error.lineno} is not well-formed XML: {expat.ErrorString(error.code)}."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LoadError(f"{path} is not a whole gzip file: {_tidy(str(error))}.") from error
    except FileNotFoundError as error:
        raise LoadError(f"{path} does not exist.") from error
    except OSError as error:
        raise LoadError(f"{path} cannot be loaded: {_tidy(error.strerror or str(error))}.") from error
    # Asked through iteration: counting scans a store that is kept on disk.
    if next(iter(store), None) is None:
        raise LoadError(f"{path} holds no RDF statement.")


def _opened(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _load_stream(store: ox.Store, stream: IO[bytes], path: Path) -> None:
    import pyoxigraph

    head = stream.read(2048)
    if not head.strip():
        raise LoadError(f"{path} is empty.")
    name = FORMATS[rdf_suffix(path) or ".ttl"]
    if (
        name == "RDF_XML"
        and not head.removeprefix(_BOM).lstrip().startswith(b"<?xml")
        and b"xmlns" not in head
    ):
        # Ontologies called .owl are often Turtle; what starts like HTML is left to the XML parser to refuse.
        name = "RDF_XML" if head.lstrip()[:5].lower() in (b"<html", b"<!doc") else "TURTLE"
    if name == "RDF_XML" and b"<Ontology" in head and b"http://www.w3.org/2002/07/owl#" in head:
        raise LoadError(f"{path} is OWL/XML, which is no RDF syntax: save it as RDF/XML or Turtle.")
    if name == "RDF_XML":
        # Oxigraph takes RDF/XML that breaks off between two statements for whole.
        stream.seek(0)
        expat.ParserCreate().ParseFile(stream)
    stream.seek(len(_BOM) if head.startswith(_BOM) else 0)
    rdf_format = getattr(pyoxigraph.RdfFormat, name)
    store.bulk_load(stream, format=rdf_format, base_iri=path.absolute().as_uri())


def _tidy(message: str) -> str:
    """A parser's message as the end of a sentence on one line."""
    return " ".join(message.split()).removesuffix(".")[:300]


def open_files(paths: Sequence[Path], folder: Path | None) -> ox.Store:
    """A store that holds the given files, in memory, or kept on disk in `folder` and reused from there."""
    import pyoxigraph

    if folder is not None:
        if not folder.exists():
            _build_folder(paths, folder)
        return pyoxigraph.Store.read_only(str(folder))
    store = pyoxigraph.Store()
    for path in paths:
        load_file(store, path)
    return store


def _build_folder(paths: Sequence[Path], folder: Path) -> None:
    import pyoxigraph

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    try:
        store = pyoxigraph.Store(str(temporary))
        for path in paths:
            load_file(store, path)
        store.flush()
        del store
        try:
            temporary.rename(folder)
        except OSError:
            # Another process built the same one meanwhile; any other cause is still an error.
            if not folder.exists():
                raise
        _remove_outdated(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_outdated(folder: Path) -> None:
    """Delete what earlier versions of the same files left, and builds that were killed long ago."""
    for other in folder.parent.iterdir():
        fresh_build = other.name.startswith("building-") and time.time() - other.stat().st_mtime < 86_400
        if other != folder and not fresh_build:
            shutil.rmtree(other, ignore_errors=True)


def answer(store: ox.Store, text: str, max_rows: int) -> dict[str, Any]:
    """Evaluate one query; at most `max_rows` rows, and `truncated` says whether there were more."""
    import pyoxigraph

    # Data in named graphs counts as data: a user who loads a TriG file asks about what is in it.
    union = next(iter(store.named_graphs()), None) is not None
    try:
        result = store.query(text, use_default_graph_as_union=union, custom_functions=_integer_casts())
        if isinstance(result, pyoxigraph.QueryBoolean):
            return {"form": "ask", "boolean": bool(result)}
        assert isinstance(result, pyoxigraph.QuerySolutions)
        variables = [variable.value for variable in result.variables]
        rows: list[list[list[str | None] | None]] = []
        size = 0
        truncated = False
        for solution in result:
            row = [None if term is None else encode_term(term) for term in solution]
            size += sum(len(cell[1] or "") for cell in row if cell is not None)
            if len(rows) >= max_rows or size > MAX_REPLY_CHARACTERS:
                truncated = True
                break
            rows.append(row)
    except SyntaxError as error:
        return {"error": "syntax", "message": _tidy(error.msg)}
    except (RuntimeError, OSError, ValueError) as error:
        return {"error": "evaluation", "message": _tidy(str(error))}
    return {"form": "select", "variables": variables, "rows": rows, "truncated": truncated}


def encode_term(term: object) -> list[str | None]:
    """An Oxigraph term as `[type, value, datatype, language]`, plain strings without datatype."""
    import pyoxigraph

    if isinstance(term, pyoxigraph.NamedNode):
        return ["uri", term.value, None, None]
    if isinstance(term, pyoxigraph.BlankNode):
        return ["bnode", term.value, None, None]
    if isinstance(term, pyoxigraph.Literal):
        datatype = term.datatype.value
        plain = term.language is not None or datatype == _XSD + "string"
        return ["literal", term.value, None if plain else datatype, term.language]
    return ["literal", str(term), None, None]  # a quoted triple: shown, as there is no other place for it


def _integer_casts() -> dict[ox.NamedNode, Any]:
    import pyoxigraph

    def cast_to(name: str, low: int | None, high: int | None) -> Any:
        datatype = pyoxigraph.NamedNode(_XSD + name)

        def cast(term: object) -> ox.Literal | None:
            number = _whole_number(term)
            if number is None or (low is not None and number < low) or (high is not None and number > high):
                return None  # SPARQL's error value; an exception would be swallowed by Oxigraph
            return pyoxigraph.Literal(str(number), datatype=datatype)

        return cast

    return {
        pyoxigraph.NamedNode(_XSD + name): cast_to(name, low, high)
        for name, (low, high) in _INTEGER_TYPES.items()
    }


def _whole_number(term: object) -> int | None:
    """The integer that a literal stands for: digits, a number cut towards zero, or a boolean."""
    import pyoxigraph

    if not isinstance(term, pyoxigraph.Literal):
        return None
    text = term.value.strip()
    if term.datatype.value == _XSD + "boolean":
        return int(text in ("true", "1"))
    if len(text) > 400:  # longer than any double written out, and int() refuses far longer ones
        return None
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits.isascii() and digits.isdigit():
        return int(text)
    if term.datatype.value in (_XSD + "decimal", _XSD + "double", _XSD + "float"):
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            return None
    return None


def _requests(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Requests as they arrive; the process ends when the parent closes the pipe, even amid a query."""
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def listen() -> None:
        while (message := read_frame(stream)) is not None:
            inbox.put(message)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield inbox.get()


def main() -> None:
    """Serve one parent over standard input and output."""
    # Ctrl-C belongs to the parent, which decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up between the frames
    requests = _requests(sys.stdin.buffer)
    load = next(requests)
    try:
        folder = load["folder"]
        store = open_files([Path(path) for path in load["paths"]], Path(folder) if folder else None)
    except LoadError as error:
        write_frame(out, {"error": "source", "message": str(error)})
        return
    except (OSError, RuntimeError) as error:
        write_frame(out, {"error": "source", "message": f"The store cannot be opened: {_tidy(str(error))}."})
        return
    write_frame(out, {"loaded": True})
    for request in requests:
        write_frame(out, answer(store, request["text"], request["rows"]))


if __name__ == "__main__":
    main()

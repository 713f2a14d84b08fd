"""RDF files of any syntax → streams of statements, for the ontology reader.

N-Triples, N-Quads, Turtle, TriG, N3, RDF/XML and JSON-LD stream through Oxigraph's parsers in constant
memory. TriX and HexTuples go through rdflib and OWL/XML through owlready2: those are read whole. Which
syntax a file has is taken from its content where the content tells, else from its name.

Nothing is ever fetched: neither `owl:imports` nor remote JSON-LD contexts.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from ontoprompt.errors import SourceError
from ontoprompt.rdf_files import rdf_files

if TYPE_CHECKING:
    import pyoxigraph as ox

    # Subject, predicate IRI, object.
    Statement = tuple[ox.NamedNode | ox.BlankNode, str, ox.NamedNode | ox.BlankNode | ox.Literal]

Progress = Callable[[str, int, int | None], None]

_BY_SUFFIX = {
    ".nt": "N_TRIPLES",
    ".ntriples": "N_TRIPLES",
    ".nq": "N_QUADS",
    ".nquads": "N_QUADS",
    ".ttl": "TURTLE",
    ".turtle": "TURTLE",
    ".trig": "TRIG",
    ".n3": "N3",
    ".json": "JSON_LD",
    ".jsonld": "JSON_LD",
    ".hext": "hext",
    ".ndjson": "hext",
}
_XML_STARTS = (b"<?xml", b"<rdf:", b"<!doctype rdf", b"<!doctype ontology", b"<ontology", b"<trix")
_BOM = b"\xef\xbb\xbf"
_HEAD = 65_536
# Raw bytes between two progress reports.
_REPORT_EVERY = 4 * 2**20
_HINT = "Give an RDF file: Turtle, N-Triples, N-Quads, TriG, N3, RDF/XML, JSON-LD, TriX or OWL/XML."


@dataclass(frozen=True, slots=True)
class RdfFile:
    """One file to read. `name` is how it is called in messages and manifests, `size` its bytes on disk."""

    path: Path
    name: str
    size: int

    def sha256(self) -> str:
        """Hexadecimal digest of the file as it lies on disk."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def find_files(sources: Sequence[str | Path]) -> list[RdfFile]:
    """The files that the sources stand for, in order, folders opened, none twice.

    Raises SourceError for a source that is missing, empty, unreadable, or a folder without RDF.
    """
    if not sources:
        raise SourceError("No ontology source was given.", "Name an RDF file or a folder of RDF files.")
    found: dict[Path, RdfFile] = {}
    for source in sources:
        path = Path(source)
        try:
            if path.is_dir():
                members = [(each, f"{path.name}/{each.relative_to(path)}") for each in rdf_files(path)]
            elif not path.exists():
                raise SourceError(f"{path} does not exist.", "Check the path.")
            elif not path.is_file():
                raise SourceError(f"{path} is neither a file nor a folder.", _HINT)
            else:
                members = [(path, path.name)]
            for each, name in members:
                size = each.stat().st_size
                if size == 0:
                    raise SourceError(f"{each} is empty.", _HINT)
                found.setdefault(each.resolve(), RdfFile(each, name, size))
        except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
            reason = getattr(error, "strerror", None) or "no valid path"
            raise SourceError(f"{str(path)[:200]!r} cannot be read: {reason}.", "Check the path.") from error
    return list(found.values())


def read_statements(
    file: RdfFile, tick: Callable[[int], None] | None = None, prefixes: dict[str, str] | None = None
) -> Iterator[Statement]:
    """Every statement of a file, in file order.

    `tick` is told the bytes read so far, from time to time; `prefixes` takes in those the file declares.

    Graph names and statements about statements (RDF-star) are left out.

    Raises SourceError, in the middle of the iteration if need be, when the file is not RDF, cut short, holds
    no statement or cannot be read.
    """
    import pyoxigraph

    path, count, quoted = file.path, 0, pyoxigraph.Triple
    try:
        for quad in _quads(path, tick, prefixes):
            count += 1
            subject, value = quad.subject, quad.object
            if not isinstance(subject, quoted) and not isinstance(value, quoted):
                yield subject, quad.predicate.value, value
    except SyntaxError as error:
        where = f" line {error.lineno}" if error.lineno else ""
        detail = " ".join(error.msg.split()).removesuffix(".")[:300]
        raise SourceError(
            f"{path}{':' if where else ''}{where} is not valid RDF: {detail}.", _HINT
        ) from error
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        message = f"{path}: line {error.lineno} is not well-formed XML: {what}."
        raise SourceError(message, "The file may be cut short: get it again.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is not a whole compressed file.", "Get the file again.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise SourceError(f"{path} cannot be read: {reason}.", "Check the file.") from error
    if count == 0:
        raise SourceError(f"{path} holds no RDF statement.", _HINT)


def _quads(
    path: Path, tick: Callable[[int], None] | None, prefixes: dict[str, str] | None
) -> Iterator[ox.Quad]:
    import pyoxigraph

    with _opened(path, None) as stream:
        head = stream.read(_HEAD)
    if not head.removeprefix(_BOM).strip():
        raise SourceError(f"{path} is empty.", _HINT)
    syntax = _syntax(path, head)
    if syntax == "RDF_XML":
        # Oxigraph takes RDF/XML that breaks off between two statements for whole.
        with _opened(path, None) as stream:
            expat.ParserCreate().ParseFile(stream)
    with _opened(path, tick) as stream:
        if head.startswith(_BOM):
            stream.read(len(_BOM))
        source: IO[bytes] = stream
        if syntax in ("trix", "hext"):
            source, syntax = _through_rdflib(path, stream, syntax), "N_QUADS"
        elif syntax == "owlxml":
            source, syntax = _through_owlready(path, stream), "N_TRIPLES"
        # Lenient: one odd IRI among a million lines must not lose the rest; such IRIs never become terms. But
        # any JSON would pass for lenient JSON-LD.
        parser = pyoxigraph.parse(
            input=source,
            format=getattr(pyoxigraph.RdfFormat, syntax),
            base_iri=path.absolute().as_uri(),
            lenient=syntax != "JSON_LD",
        )
        yield from parser
        if prefixes is not None:
            prefixes.update(parser.prefixes)


def _syntax(path: Path, head: bytes) -> str:
    """A member name of pyoxigraph.RdfFormat, or `trix`, `hext`, `owlxml`."""
    start = head.removeprefix(_BOM).lstrip()
    lower = start[:4096].lower()
    if lower.startswith((b"<html", b"<!doctype html")):
        raise SourceError(f"{path} is a web page, not RDF.", "Save the file that the page links to.")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".bz2")]
    suffix = suffixes[-1] if suffixes else ""
    if lower.startswith((*_XML_STARTS, b"<!--")):
        if b"http://www.w3.org/2004/03/trix" in head:
            return "trix"
        if b"<Ontology" in head and b"<rdf:RDF" not in head:
            return "owlxml"
        return "RDF_XML"
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    return "JSON_LD" if start[:1] in (b"{", b"[") and b'"@' in head else "TURTLE"


def _opened(path: Path, tick: Callable[[int], None] | None) -> IO[bytes]:
    """The file, decompressed, with progress counted in bytes on disk."""
    raw: Any = path.open("rb")
    if tick is not None:
        raw = io.BufferedReader(_Counted(raw, tick), 2**20)
    name = path.name.lower()
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if name.endswith(".bz2"):
        return bz2.BZ2File(raw)
    opened: IO[bytes] = raw
    return opened


class _Counted(io.RawIOBase):
    """A raw stream that says how far it has been read."""

    def __init__(self, stream: IO[bytes], tick: Callable[[int], None]) -> None:
        self._stream, self._tick, self._done, self._said = stream, tick, 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._done += len(data)
        if self._done - self._said >= _REPORT_EVERY:
            self._said = self._done
            self._tick(self._done)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _through_rdflib(path: Path, stream: IO[bytes], syntax: str) -> IO[bytes]:
    """N-Quads of a syntax that only rdflib reads."""
    from xml.sax import SAXException

    import rdflib
    from rdflib.exceptions import ParserError

    dataset = rdflib.Dataset()
    try:
        dataset.parse(source=stream, format=syntax)
    except (ParserError, SAXException, ValueError) as error:
        detail = " ".join(str(error).split())[:300]
        raise SourceError(f"{path} is not valid {syntax}: {detail}.", _HINT) from error
    return io.BytesIO(dataset.serialize(format="nquads", encoding="utf-8"))


def _through_owlready(path: Path, stream: IO[bytes]) -> IO[bytes]:
    """N-Triples of an OWL/XML file."""
    import owlready2

    out = io.BytesIO()
    try:
        ontology = owlready2.World().get_ontology("urn:ontoprompt:source#")
        ontology.load(fileobj=stream, only_local=True)
        ontology.save(out, format="ntriples")
    except owlready2.OwlReadyError as error:
        raise SourceError(f"{path} is not valid OWL/XML.", _HINT) from error
    out.seek(0)
    return out

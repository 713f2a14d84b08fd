"""Which files are RDF, told by their names, and the files that a path stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ontoprompt.errors import SourceError

# Suffix → the name of a member of pyoxigraph.RdfFormat. Each may be followed by `.gz`.
FORMATS: Mapping[str, str] = {
    ".ttl": "TURTLE",
    ".n3": "TURTLE",
    ".nt": "N_TRIPLES",
    ".nq": "N_QUADS",
    ".trig": "TRIG",
    ".rdf": "RDF_XML",
    ".owl": "RDF_XML",
    ".xml": "RDF_XML",
    ".jsonld": "JSON_LD",
}
_HINT = f"RDF files end in {', '.join(FORMATS)}, or one of these and .gz."
_RDF_NAMESPACE = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def rdf_suffix(path: Path) -> str | None:
    """The suffix that tells the RDF syntax of a file, `.gz` left aside; None when it is no RDF file."""
    suffix = os.path.splitext(path.name.lower().removesuffix(".gz"))[1]
    return suffix if suffix in FORMATS else None


def rdf_files(source: Path) -> list[Path]:
    """The RDF files that a path stands for: the file itself, or all in the folder and below it, sorted.

    In folders, hidden files are left out, and so is XML that is no RDF. Raises SourceError when nothing
    remains, and for a file that is missing, empty, or not RDF by its name.
    """
    try:
        if source.is_dir():
            found = [path for path in sorted(source.rglob("*")) if _belongs(path, source)]
            if not found:
                raise SourceError(f"The folder {source} holds no RDF file.", _HINT)
            return found
        if not source.exists():
            raise SourceError(f"{_shown(source)} does not exist.", "Check the path.")
        if not source.is_file():
            raise SourceError(f"{source} is neither a file nor a folder.", "Give an RDF file.")
        if rdf_suffix(source) is None:
            raise SourceError(f"{source} is not an RDF file by its name.", _HINT)
        if source.stat().st_size == 0:
            raise SourceError(f"{source} is empty.", "Give a file with RDF statements.")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(f"{_shown(source)} cannot be read: {reason}.", "Check the path.") from error
    return [source]


def _shown(path: Path) -> str:
    """A path that a user typed as it can stand in a message, whatever was typed."""
    text = str(path) if len(str(path)) <= 300 else f"{str(path)[:300]}..."
    return text if text.isprintable() else repr(text)


def _belongs(path: Path, folder: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
        return False
    suffix = rdf_suffix(path)
    if suffix == ".xml" and path.suffix.lower() == ".xml":
        with path.open("rb") as stream:
            return _RDF_NAMESPACE in stream.read(8192)
    return suffix is not None

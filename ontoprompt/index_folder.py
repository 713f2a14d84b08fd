"""A folder of files that is written whole or not at all, and read only when every checksum holds.

A build writes to a hidden folder beside, syncs it, moves the old folder aside, moves the new one in place and
deletes the old one. At every moment either the folder or the one moved aside is whole: a reader that finds
the first missing takes the second, and the next build clears what a killed one left.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ontoprompt.errors import ArtifactError

MANIFEST = "manifest.json"
_HINT = "Build it again with `ontoprompt index`."
# A larger file (a graph's entity names) is checked by its size and by blocks spread over it: reading
# gigabytes before every first question would take longer than the answer.
_FULL_BYTES = 256 << 20
_BLOCK, _BLOCKS = 1 << 20, 64


@dataclass(frozen=True)
class Verified:
    """An opened folder. `folder`: where the files lie; `manifest`: its content, `files` included."""

    folder: Path
    manifest: Mapping[str, Any]

    def path(self, name: str) -> Path:
        """The path of a file, after checking it. Raises ArtifactError when it is missing or changed."""
        path = self.folder / name
        try:
            size, digest = path.stat().st_size, file_digest(path)
        except OSError as error:
            raise ArtifactError(f"The file {name} of the index {self.folder} is missing.", _HINT) from error
        self._check(name, size, digest)
        return path

    def read(self, name: str) -> bytes:
        """The bytes of a file, checked before anything else sees them."""
        try:
            content = (self.folder / name).read_bytes()
        except OSError as error:
            raise ArtifactError(f"The file {name} of the index {self.folder} is missing.", _HINT) from error
        self._check(name, len(content), _digest(io.BytesIO(content), len(content)))
        return content

    def _check(self, name: str, size: int, digest: str) -> None:
        stated = self.manifest["files"].get(name)
        if stated != {"bytes": size, "sha256": digest}:
            raise ArtifactError(f"The file {name} of the index {self.folder} is damaged.", _HINT)


class FolderWriter:
    """Writes a folder in place of another; a context manager that leaves nothing behind when it fails.

    Files are put into `path`; `commit` swaps it in. Raises ArtifactError when the disk is full or refuses.
    """

    def __init__(self, target: Path) -> None:
        # A link is followed, so that the folder that it names is replaced and not the link.
        self.target = Path(os.path.realpath(target))
        self.path = self.target

    def __enter__(self) -> FolderWriter:
        with self._refusals():
            self.target.parent.mkdir(parents=True, exist_ok=True)
            _settle(self.target)
            prefix = f"{_building(self.target)}{os.getpid()}-"
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=self.target.parent))
            self.path.chmod(0o755)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path != self.target:
            shutil.rmtree(self.path, ignore_errors=True)
        if isinstance(error, OSError):
            raise _refused(self.target, error) from error

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Put a file into the new folder."""
        with self._refusals():
            (self.path / name).write_bytes(content)

    def commit(self, manifest: Mapping[str, Any]) -> None:
        """Add the manifest with every file's checksum, sync all, and swap the folder in."""
        with self._refusals():
            files = {}
            for path in sorted(self.path.iterdir()):
                _sync(path)
                files[path.name] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
            text = json.dumps({**manifest, "files": files}, indent=1, ensure_ascii=False)
            (self.path / MANIFEST).write_text(text + "\n", "utf-8")
            _sync(self.path / MANIFEST)
            _sync(self.path)
            _swap(self.path, self.target)
            _sync(self.target.parent)

    @contextlib.contextmanager
    def _refusals(self) -> Any:
        try:
            yield
        except OSError as error:
            raise _refused(self.target, error) from error


def open_folder(folder: Path) -> Verified:
    """The folder with its manifest read; a folder caught in the middle of a swap is read where it is.

    Raises ArtifactError when there is none or its manifest is damaged.
    """
    folder = Path(os.path.realpath(folder))
    content = None
    for _ in range(3):  # a swap may fall between the two looks
        for place in (folder, _aside(folder)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                content = (place / MANIFEST).read_bytes()
                return Verified(place, _manifest(content, place))
    if folder.exists():
        raise ArtifactError(f"The folder {folder} is no index: it has no {MANIFEST}.", _HINT)
    raise ArtifactError(f"There is no index at {folder}.", "Build one with `ontoprompt index`.")


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in full up to 256 MB, else of its size and 64 blocks of 1 MB spread over it."""
    with path.open("rb") as file:
        return _digest(file, path.stat().st_size)


def _digest(file: io.BufferedReader | io.BytesIO, size: int) -> str:
    if size <= _FULL_BYTES:
        return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256(str(size).encode())
    for number in range(_BLOCKS):
        file.seek(number * (size - _BLOCK) // (_BLOCKS - 1))
        digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _manifest(content: bytes, folder: Path) -> Mapping[str, Any]:
    damaged = ArtifactError(f"The manifest of the index {folder} is damaged.", _HINT)
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise damaged from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise damaged
    return manifest


def _swap(new: Path, target: Path, *, rename: Callable[[Path, Path], None] = os.rename) -> None:
    aside = _aside(target)
    if target.exists():
        rename(target, aside)
    try:
        rename(new, target)
    except OSError:
        if aside.exists() and not target.exists():
            rename(aside, target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _settle(target: Path) -> None:
    """Put back what a killed swap left aside, and delete what builds that no longer run left behind."""
    aside = _aside(target)
    if aside.exists():
        if (target / MANIFEST).exists():
            shutil.rmtree(aside, ignore_errors=True)
        elif not target.exists():
            os.rename(aside, target)
    for left in target.parent.glob(f"{_building(target)}*"):
        owner = left.name.removeprefix(_building(target)).partition("-")[0]
        if not (owner.isdecimal() and _runs(int(owner))):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _building(target: Path) -> str:
    return f".{target.name}.building-"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(target: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        f"The index could not be written to {target}: {error.strerror or error}.",
        "Free some space or name another folder with --out; an index that stood there is unchanged.",
    )

"""A folder that holds one benchmark run: settings, a row per question, and the report.

The rows of a finished run are packed into `rows.jsonl.xz`, some twentieth of their size, which is what a repository keeps: reports
and comparisons read either. A run that was killed goes on where it stopped; one that is finished is not run again. Rows are written one by one, each
flushed to the disk before the next is begun, so a kill costs at most the batch in hand. Two processes on one folder are
refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import lzma
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ontoprompt.errors import ArtifactError, UsageError

_PACKAGES = (
    "ontoprompt",
    "torch",
    "transformers",
    "sentence-transformers",
    "faiss-cpu",
    "llguidance",
    "pyoxigraph",
    "rdflib",
)
# What may differ between the settings of a run and those that it is resumed with.
_FREE = frozenset({"commit", "versions", "machine", "command", "finished", "n", "left_out", "repairs"})

PACKED = "rows.jsonl.xz"
Key = tuple[str, int, str]


class Run:
    """An opened run folder. `done`: the keys (variant, examples, id) of the rows that it holds."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.settings = dict(settings)
        self.done: set[Key] = set()
        self._lock: Any = None
        self._rows: Any = None

    def __enter__(self) -> Run:
        """Raises UsageError when another process writes here, or when the folder holds a run with other settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(
                f"Another process writes to {self.folder}.", "Wait for it, or choose another --out."
            ) from None
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()
        self._lock.close()

    def _open(self) -> None:
        path = self.folder / "settings.json"
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            asked = json.loads(json.dumps(self.settings))
            # A setting that came into being after the run was begun says nothing against it.
            differ = sorted(k for k in before if k not in _FREE and before[k] != asked.get(k))
            if differ:
                raise UsageError(
                    f"{self.folder} holds a run with other settings: {', '.join(differ)}.",
                    "Choose another --out, or repeat the settings to go on with that run.",
                )
            self.settings = {**before, "finished": before.get("finished", False)}
        else:
            self.settings = {**self.settings, **surroundings(), "finished": False}
            self._write_settings()
        file = self.folder / "rows.jsonl"
        if file.is_file():
            self._drop_half_row(file)
        elif (self.folder / PACKED).is_file():
            self._unpack(file)
        for row in self.rows():
            self.done.add(key_of(row))
        self._rows = file.open("a", encoding="utf-8")

    def _unpack(self, file: Path) -> None:
        """The rows of a run that came from a repository, so that it is not run again."""
        packed = self.folder / PACKED
        try:
            rows = lzma.decompress(packed.read_bytes())
        except lzma.LZMAError as error:
            raise ArtifactError(
                f"{packed} is damaged: {error}.", "Remove it to run this benchmark again."
            ) from None
        with replacing(file) as stream:
            stream.write(rows)

    @staticmethod
    def _drop_half_row(file: Path) -> None:
        """What a killed process left of the row that it was writing."""
        data = file.read_bytes()
        if data and not data.endswith(b"\n"):
            with file.open("r+b") as stream:
                stream.truncate(data.rfind(b"\n") + 1)

    @property
    def finished(self) -> bool:
        """Whether every row is there and the report was written."""
        return bool(self.settings["finished"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows so far."""
        return read_rows(self.folder)

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row down for good."""
        self._rows.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._rows.flush()
        os.fsync(self._rows.fileno())
        self.done.add(key_of(row))

    def finish(self, **more: Any) -> None:
        """Pack the rows and mark the run as finished; `more` goes into its settings."""
        pack(self.folder)
        self.settings.update(more, finished=True)
        self._write_settings()

    def _write_settings(self) -> None:
        path = self.folder / "settings.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(self.settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(path)


def key_of(row: Mapping[str, Any]) -> Key:
    """What tells a row from the others of a run."""
    return str(row["variant"]), int(row["examples"]), str(row["id"])


def read_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a run folder, the packed ones where there are no others; a half-written last one is passed over.
    Raises ValueError for what is damaged."""
    file, packed = folder / "rows.jsonl", folder / PACKED
    if not file.is_file() and not packed.is_file():
        return
    try:
        with file.open("rb") if file.is_file() else lzma.open(packed) as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    yield json.loads(line)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{packed.name}: {error}") from error


def pack(folder: Path) -> None:
    """Write the packed rows of a run beside its rows; the same rows give the same file."""
    with replacing(folder / PACKED) as stream:
        stream.write(lzma.compress((folder / "rows.jsonl").read_bytes(), preset=6))


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that stands under its name when it is whole."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as stream:
        yield stream
    temporary.replace(path)


def surroundings() -> dict[str, Any]:
    """The code and machine of a run: commit, versions, processor."""
    return {"commit": _commit(), "versions": _versions(), "machine": _machine()}


def _commit() -> str:
    here = Path(__file__).parent
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told.stdout.strip()


def _versions() -> dict[str, str]:
    out = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out


def _machine() -> dict[str, Any]:
    return {"processor": platform.machine(), "cores": os.cpu_count() or 0, "system": platform.system()}


class Cache:
    """Generations kept by what went into them, so that a question that was asked once is not asked again."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, *parts: object) -> Path | None:
        """Where what belongs to these parts is kept."""
        if self.folder is None:
            return None
        digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    def get(self, *parts: object) -> Any:
        """What was kept, or None."""
        path = self.path(*parts)
        if path is None or not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, value: Any, *parts: object) -> None:
        """Keep a value."""
        path = self.path(*parts)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)


@contextmanager
def sentences() -> Iterator[None]:
    """Errors that a user can meet end a script in a sentence and their exit status, without a traceback."""
    from ontoprompt.errors import OntopromptError
    from ontoprompt.output import printable

    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the figures has gone (`| head`): nothing is left to say, at the end of the process either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OntopromptError as error:
        said = [printable(line) for line in (f"Error: {error.message}", error.hint) if line]
        print("\n".join(said), file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        print("Stopped; what was done is kept.", file=sys.stderr)
        raise SystemExit(130) from None

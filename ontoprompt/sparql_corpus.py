"""Plain SPARQL files in the-stack's layout → JSON lines to go on pre-training with.

Kept are texts that parse as SPARQL 1.1 queries, once each, with licence and repository; the rest is counted by reason.
Columns are those of the-stack (Kocetkov et al. 2022): `content`, `max_stars_repo_name`, `max_stars_repo_licenses`, and those
of its second version and of plain files: `repo_name`, `license`, `detected_licenses`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import QueryError, SourceError, UnsafeQueryError, UsageError
from .sparql import parse

_REPOSITORY = ("max_stars_repo_name", "repo_name", "repository", "repo")
_LICENCE = ("max_stars_repo_licenses", "detected_licenses", "licenses", "license", "licence")
_PATH = ("max_stars_repo_path", "path", "file_path")
_LARGEST = 100_000


def read_corpus(name: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a parquet or JSON lines file, a folder of them, or a data set of the hub by its name.

    Raises UsageError without the `datasets` library, SourceError for what cannot be read or reached.
    """
    try:
        datasets: Any = importlib.import_module("datasets")
    except ImportError as error:
        raise UsageError(
            "Reading a corpus needs the datasets library.", "Install it: pip install 'ontoprompt[corpus]'."
        ) from error
    path = Path(name).expanduser()
    try:
        if path.exists():
            files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            found = [p for p in files if p.suffix in (".parquet", ".jsonl", ".json")]
            if not found:
                raise SourceError(
                    f"{path} holds no parquet and no JSON lines file.", "Give files with a `content` column."
                )
            for file in found:
                kind = "parquet" if file.suffix == ".parquet" else "json"
                yield from datasets.load_dataset(kind, data_files=str(file), split="train", streaming=True)
            return
        if name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise SourceError(
                f"{name} does not exist.",
                "Give a file, a folder, or the hub's name of a data set: owner/name.",
            )
        yield from datasets.load_dataset(name, split="train", streaming=True)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        what = "cannot be read" if path.exists() else "cannot be had from the hub"
        reason = " ".join(str(error).split())[:160]
        raise SourceError(
            f"The corpus {name} {what}: {reason or type(error).__name__}.",
            "Check the name and the network, or give local files.",
        ) from error


def kept(rows: Iterable[Mapping[str, Any]], reasons: Counter[str]) -> Iterator[dict[str, Any]]:
    """Records of the queries worth keeping; `reasons` counts all others, and `kept`."""
    seen: set[bytes] = set()
    for row in rows:
        content = row.get("content")
        if not isinstance(content, str) or not content.strip():
            reasons["no content"] += 1
            continue
        if len(content) > _LARGEST:
            reasons["too long"] += 1
            continue
        told = hashlib.blake2b(" ".join(content.split()).encode("utf-8", "replace"), digest_size=12).digest()
        if told in seen:
            reasons["twice"] += 1
            continue
        seen.add(told)
        try:
            query = parse(content)
        except UnsafeQueryError:
            reasons["an update, or escapes"] += 1
            continue
        except (QueryError, RecursionError):
            reasons["does not parse"] += 1
            continue
        reasons["kept"] += 1
        yield {
            "text": content, "form": query.form, "licence": _first(row, _LICENCE), "repository": _first(row, _REPOSITORY),
            "path": _first(row, _PATH),
        }  # fmt: skip


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name)), None)


def write_corpus(name: str, out: Path) -> Counter[str]:
    """Write the queries of a corpus as JSON lines, whole or not at all. Returns the count of each reason and of `kept`."""
    reasons: Counter[str] = Counter()
    part = out.with_name(out.name + ".part")
    out.parent.mkdir(parents=True, exist_ok=True)
    with part.open("w", encoding="utf-8") as file:
        for record in kept(read_corpus(name), reasons):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    part.replace(out)
    return reasons

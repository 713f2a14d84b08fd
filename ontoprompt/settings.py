"""Where things are and what is used when nothing is said: defaults < TOML file < environment < flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from .errors import UsageError

_PACKAGE = Path(__file__).parent


def bundled(*parts: str) -> Path:
    """A file or folder that ships with the package: beside it in a checkout, inside it once installed."""
    in_checkout = (_PACKAGE.parent / "pyproject.toml").is_file()
    return _PACKAGE.parent.joinpath(*parts) if in_checkout else _PACKAGE.joinpath("data", *parts)


def default_index_dir() -> Path:
    """The folder of the index that ships with the package."""
    return bundled("indexes", "dbpedia")


def default_graph() -> Path:
    """The sample graph that ships with the package."""
    return bundled("ontology", "sample.ttl")


def default_model_dir() -> Path:
    """The folder of the generator that ships with the package."""
    return _PACKAGE / "data" / "generator"


def user_data_dir() -> Path:
    """Where a user's own indexes are kept: `ONTOPROMPT_HOME`, else the XDG data folder."""
    if home := os.environ.get("ONTOPROMPT_HOME"):
        return Path(home)
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "ontoprompt"


def named_index_dir(name: str) -> Path:
    """The folder of a user's index of that name. Raises UsageError for a name that is no plain word."""
    if not name or any(c in name for c in "/\\\0") or name.startswith("."):
        raise UsageError(
            f"'{name}' is no name for an index.",
            "Use letters, digits and dashes, or give a folder with --out.",
        )
    return user_data_dir() / "indexes" / name


# The same bounds wherever a value comes from.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "examples": (0, 20),
    "top_k": (1, 40),
    "candidates": (1, 50),
    "timeout": (0.1, 3600),
    "limit": (1, 100_000),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What `ask` works with; every field is a flag of the same name."""

    index: str = ""
    kg: str = ""
    model: str = "default"
    prompt: str = ""
    encoder: str = "default"
    reranker: str = "default"
    query_reranker: str = "default"
    examples: int = 0
    top_k: int = 12
    candidates: int = 8
    timeout: float = 30.0
    limit: int = 100


def load_settings(**flags: Any) -> Settings:
    """Settings from the TOML file, the environment (`ONTOPROMPT_TOP_K` and so on) and `flags` that are not None.

    The file is `ONTOPROMPT_CONFIG` or `config.toml` in the user's data folder. Raises UsageError for an
    unknown key or a value of the wrong kind, naming it.
    """
    settings = Settings()
    named = os.environ.get("ONTOPROMPT_CONFIG")
    path = Path(named or user_data_dir() / "config.toml")
    if named or path.is_file():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(
                f"The settings file {path} cannot be read: {error}.", "Correct it or remove it."
            ) from error
        settings = _changed(settings, values, str(path))
    names = {f.name for f in fields(Settings)}
    environment = {
        n: os.environ[f"ONTOPROMPT_{n.upper()}"] for n in names if os.environ.get(f"ONTOPROMPT_{n.upper()}")
    }
    settings = _changed(settings, environment, "the environment")
    return _changed(settings, {k: v for k, v in flags.items() if v is not None}, "the command line")


def _changed(settings: Settings, values: dict[str, Any], source: str) -> Settings:
    out: dict[str, Any] = {}
    known = {f.name: type(getattr(settings, f.name)) for f in fields(Settings)}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UsageError(
                f"There is no setting '{key}' (in {source}).", f"Known settings: {', '.join(sorted(known))}."
            )
        out[name] = _converted(name, known[name], value, f"The setting '{key}' (in {source})")
    return replace(settings, **out)


def _converted(name: str, kind: type, value: Any, what: str) -> Any:
    """`value` as a `kind` within its bounds; text is read, for the environment holds nothing else."""
    low, high = BOUNDS.get(name, (0, 0))
    wanted = f"a number from {low:g} to {high:g}" if name in BOUNDS else "a text"
    number_given = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        if not isinstance(value, str) and not (number_given and kind is not str):
            raise TypeError
        if kind is int and value != int(value) and not isinstance(value, str):
            raise ValueError
        converted = kind(value)
        # Written so that nan, which compares with nothing, is out of bounds.
        if name in BOUNDS and not low <= converted <= high:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{what} cannot be {value!r}.", f"Give {wanted}.") from error
    return converted

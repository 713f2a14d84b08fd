"""Arrays of a safetensors file where they lie: mapped into memory, shared with every process that reads it, not copied.

The library copies each array, which for the default encoder takes longer than making its session. The layout is that
of safetensors 0.4 (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]
_TYPES = {"F16": "<f2", "F32": "<f4", "I8": "|i1", "U8": "|u1", "I64": "<i8"}
_LENGTH = 8


def mapped(path: Path) -> Arrays:
    """Name → array, read-only. Raises OSError for a file that is not there, ValueError for one that is damaged or
    holds what numpy has no type for."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(_LENGTH), "little")
        if size < _LENGTH or length > size - _LENGTH:
            raise ValueError(f"{path.name} is cut off")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} has no header")
    header.pop("__metadata__", None)
    raw: np.ndarray[Any, Any] = np.memmap(path, np.uint8, mode="r")
    return {name: _array(path, raw[_LENGTH + length :], name, told) for name, told in header.items()}


def _array(path: Path, raw: np.ndarray[Any, Any], name: str, told: dict[str, Any]) -> np.ndarray[Any, Any]:
    try:
        kind, (start, end) = np.dtype(_TYPES[told["dtype"]]), told["data_offsets"]
        whole = int(np.prod(told["shape"], dtype=np.int64)) * kind.itemsize
        if not 0 <= start <= end <= len(raw) or end - start != whole:
            raise ValueError(f"{path.name} is cut off at {name}")
        return np.asarray(raw[start:end]).view(kind).reshape(told["shape"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path.name} says nothing readable of {name}") from error

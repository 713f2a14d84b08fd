"""Arrays of a safetensors file where they lie: what the library reads, or an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ontoprompt.tensors import mapped

ARRAYS = {
    "half": np.arange(7, dtype=np.float16),
    "single": np.arange(12, dtype=np.float32).reshape(3, 4),
    "long": np.arange(3, dtype=np.int64),
    "none": np.zeros((0, 4), np.float32),
    "scalar": np.array(3, np.float32),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(ARRAYS, tmp_path / "x.safetensors", metadata={"made": "here"})
    return tmp_path / "x.safetensors"


def test_it_reads_what_the_library_wrote(file: Path) -> None:
    read = mapped(file)
    assert read.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array)
        assert not read[name].flags.writeable


def _header(change: Callable[[dict], None]) -> Callable[[bytes], bytes]:
    def damage(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]

    return damage


DAMAGE = {
    "empty": lambda data: b"",
    "cut in its length": lambda data: data[:5],
    "cut in its header": lambda data: data[:60],
    "cut in its arrays": lambda data: data[:-3],
    "a length beyond it": lambda data: b"\xff" * 8 + data[8:],
    "no JSON": lambda data: data[:9] + b"!" + data[10:],
    "another shape": _header(lambda h: h["single"].update(shape=[5, 4])),
    "offsets below zero": _header(lambda h: h["half"].update(data_offsets=[-14, 0])),
    "a type that numpy lacks": _header(lambda h: h["half"].update(dtype="BF16")),
    "no offsets": _header(lambda h: h["half"].pop("data_offsets")),
    "no object": _header(lambda h: h.update(half=3)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_refused(file: Path, name: str) -> None:
    file.write_bytes(DAMAGE[name](file.read_bytes()))
    with pytest.raises(ValueError):
        mapped(file)


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        mapped(tmp_path / "x")

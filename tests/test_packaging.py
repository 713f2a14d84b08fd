"""The wheel holds all that the first question needs, and answers it where nothing of this repository is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=60)
    (made,) = folder.glob("ontoprompt-*.whl")
    return made


def test_index_vocabularies_graph_and_generator_ship(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    index = {f"indexes/dbpedia/{p.name}" for p in (ROOT / "indexes" / "dbpedia").iterdir()}
    ontology = {f"ontology/{name}.ttl" for name in ("dbpedia", "sample", "wikidata-properties")}
    generator = {f"generator/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")}
    assert {"indexes/dbpedia/manifest.json", "indexes/dbpedia/index.faiss"} <= index
    assert {f"ontoprompt/data/{name}" for name in index | ontology | generator} <= held
    assert not [name for name in held if name.startswith(("tests/", "bench/")) or "__pycache__" in name]


def test_installed_elsewhere_it_answers_with_an_empty_home(wheel: Path, tmp_path: Path) -> None:
    environment, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    # The packages that ontoprompt needs are those of this environment; ontoprompt itself is the wheel's.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ONTOPROMPT", "PYTHON", "XDG"))}
    clean |= {"HOME": str(home), "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*pip, "--no-compile", str(wheel)], check=True, capture_output=True, env=clean, timeout=60)
    asked = subprocess.run(
        [environment / "bin" / "ontoprompt", "ask", "What is the capital of Australia?"],
        cwd=home,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines()[0] == "Canberra"
    where = [str(python), "-c", "import ontoprompt; print(ontoprompt.__file__)"]
    found = subprocess.run(where, cwd=home, env=clean, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(environment)), "the wheel's package is the one that ran"

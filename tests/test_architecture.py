"""ARCHITECTURE.md is true: every module stands in it, imports run upwards only, heavy libraries stay where it says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {p.stem: ast.parse(p.read_text("utf-8")) for p in (ROOT / "ontoprompt").glob("*.py")}


def table(title: str) -> list[tuple[str, list[str]]]:
    """The rows of the table below a title: the first cell, and the modules of the first cell that names any."""
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = []
    for line in lines[1:]:
        cells = line.strip("| ").split(" | ")
        named = cells[0] if cells[0].startswith("`") else cells[1]
        rows.append((cells[0], re.findall(r"`(\w+)`", named)))
    return rows


def imports(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """(name, own) of everything imported anywhere but for types: `own` modules by their short name."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], False
        elif isinstance(node, ast.ImportFrom):
            path = (node.module or "").split(".")
            if node.level == 0 and path[0] != "ontoprompt":
                yield path[0], False
                continue
            inside = path if node.level else path[1:]
            for name in [inside[0]] if inside and inside[0] else [alias.name for alias in node.names]:
                yield name, True


ROWS = {name: number for number, (_, names) in enumerate(table("Modules")) for name in names}


def test_every_module_stands_in_the_table() -> None:
    assert set(ROWS) == set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_run_upwards_only(module: str) -> None:
    own = {name for name, ours in imports(MODULES[module]) if ours and name in MODULES}
    assert not {name for name in own if ROWS[name] > ROWS[module]}


def test_nothing_in_the_package_imports_tests_or_benchmarks() -> None:
    others = {"bench", "tests", "conftest", "pytest"}
    assert not {
        m for m, tree in MODULES.items() for name, ours in imports(tree) if not ours and name in others
    }


@pytest.mark.parametrize(("library", "owners"), table("Heavy libraries"))
def test_a_heavy_library_has_its_owners(library: str, owners: list[str]) -> None:
    users = {m for m, tree in MODULES.items() if (library, False) in set(imports(tree))}
    assert users == set(owners)


def test_the_check_itself_sees_imports_of_every_form() -> None:
    code = (
        "import torch.nn\nfrom . import sparql\nfrom .index import x\nfrom ontoprompt.cli import y\n"
        "from ontoprompt import edge\nif TYPE_CHECKING:\n    from .output import z\ndef f():\n    import faiss\n"
    )
    assert set(imports(ast.parse(code))) == {
        *(
            ("torch", False),
            ("faiss", False),
            ("sparql", True),
            ("index", True),
            ("cli", True),
            ("edge", True),
        ),
    }

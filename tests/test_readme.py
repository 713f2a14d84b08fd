"""The README names no command, flag or exit status that does not exist, and shows what is really printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ontoprompt import cli, edge, errors

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


COMMANDS = dict(commands(cli.main))


def test_every_command_that_is_named_exists_and_every_one_is_named() -> None:
    named = set(re.findall(r"ontoprompt ((?:models )?[a-z]+) (?=[\"\w-])", README))
    assert named <= set(COMMANDS)
    assert {name for name, c in COMMANDS.items() if not isinstance(c, click.Group)} <= named


def test_every_flag_in_a_command_line_is_one_of_its_command() -> None:
    lines = re.findall(r"ontoprompt ((?:models )?[a-z]+)( [^`\n]*--[^`\n]*)", README)
    assert len(lines) >= 8
    for name, rest in lines:
        flags = {flag for parameter in COMMANDS[name].params for flag in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest.split("#")[0])) <= flags, rest


def test_the_exit_statuses_are_those_of_the_code() -> None:
    kinds: list[type[errors.OntopromptError]] = [errors.OntopromptError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == {k.exit_status for k in kinds} | {0, edge.DEFECT, edge.STOPPED}


@pytest.mark.parametrize("target", ["ask", "test"])
def test_it_opens_with_two_commands_that_make_knows(target: str) -> None:
    assert f"    make {target}" in "\n".join(README.splitlines()[:5])
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_that_are_linked_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target

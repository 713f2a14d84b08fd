"""The edge of the command line: errors become a sentence and an exit status, and a command ends as a shell expects.

Everything else raises; only here is an error caught whatever it is.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

from .errors import OntopromptError
from .output import Progress, printable

DEFECT = 1
STOPPED = 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command with its progress shown (given as first argument) and every error turned into a message."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A name in a script that the terminal cannot show must not stop an answer.
                stream.reconfigure(errors="replace")
        try:
            with Progress() as progress:
                command(progress, *args, **kwargs)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            leave(STOPPED)
        except BrokenPipeError:
            # The reader of stdout has gone; nothing is left to say to it.
            drop_stdout()
            leave(0)
        except click.ClickException:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: no traceback reaches a user
            if debugging():
                raise
            known = as_known(error)
            click.echo(f"Error: {printable(known.message)}", err=True)
            if known.hint:
                click.echo(printable(known.hint), err=True)
            leave(known.exit_status)

    return run


def debugging() -> bool:
    """Whether --debug was given, so that errors are to be seen as they are."""
    return bool(click.get_current_context().find_root().params.get("debug", False))


def drop_stdout() -> None:
    """Send to nowhere what is left for a reader that has gone, or Python complains of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _DefectError(OntopromptError):
    """What should never have escaped."""

    exit_status = DEFECT


def as_known(error: Exception) -> OntopromptError:
    """The error itself where it is the user's business, else a sentence about a defect of ours."""
    if isinstance(error, OntopromptError):
        return error
    text = " ".join(str(error).split())[:200]
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return _DefectError(
            f"The system refused: {error.strerror}{place}.", "Free some space, or write elsewhere."
        )
    return _DefectError(
        f"something unexpected went wrong ({type(error).__name__}: {text}).",
        "Run again with `ontoprompt --debug ...` and report what it prints.",
    )


def leave(status: int) -> NoReturn:
    """End with `status`; at once while a model is still being loaded, for Python's own way of ending waits seconds
    for what that thread is importing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            drop_stdout()
    if any(thread.name == "ontoprompt-model" for thread in threading.enumerate()):
        os._exit(status)
    sys.exit(status)


def print_json(row: object) -> None:
    """One JSON object on a line; escaped where stdout cannot carry every character."""
    plain = "utf" not in (getattr(sys.stdout, "encoding", "") or "").lower()
    click.echo(json.dumps(row, ensure_ascii=plain))


def argument_text(argument: str) -> str:
    """An argument whose bytes were no UTF-8, with replacement characters for those bytes."""
    return argument.encode("utf-8", errors="replace").decode("utf-8")

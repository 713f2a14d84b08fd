"""The questions of a run as parts that any process can write, here or on the machines of a Ray cluster.

    python -m bench.prompt_variants … --ray local --workers 2
    python -m bench.prompt_variants … --ray 10.0.0.5:6379

Ray is an optional extra (`pip install 'ontoprompt[ray]'`, tested with 2.60) and is imported only here. `local` starts
a cluster on this machine that listens on its loopback interface alone, sends no usage statistics and is gone when the run
is; any other address is that of a cluster that runs already, each machine of which, and the one that starts the run, must
have this package, this repository on its path, and the model under the same name.

Who starts the run reads and links the questions, writes the rows and makes the report; workers only ask the model and
score. Parts are the batches that one process would make, so the rows are the same but for their timings. A worker that
dies is started again and its part is done anew: Ray gives each result once, and a row is written when it arrives.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from bench.generation import recall_at, scored_row
from bench.links import Linked
from bench.runs import Cache
from bench.writing import Nearest, Writer, identity
from ontoprompt.errors import OntopromptError, UsageError
from ontoprompt.fragment import Fragment
from ontoprompt.generation import LoadOptions, open_generator
from ontoprompt.pairs import Pair
from ontoprompt.settings import user_data_dir

# A part that kills its worker this often would kill the next one too.
_RETRIES = 3
_OBJECTS = 200_000_000  # bytes of shared memory of a local cluster: parts and rows are small


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a worker must know to write queries as the settings of the run say. `terms`: the IRIs that exist, by
    graph; `pairs`: what worked examples come from; `offline`: load no model that is not at hand."""

    model: str
    options: LoadOptions
    beams: int
    constrained: bool
    seed: int
    terms: Mapping[str, frozenset[str]]
    pairs: tuple[Pair, ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Questions of one graph that are asked in one variant with one number of worked examples."""

    variant: str
    examples: int
    graph: str
    linked: tuple[Linked, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """Which IRIs exist, as `bench.links.Linking` says it."""

    terms: frozenset[str]

    def known(self, fragment: Fragment) -> frozenset[str]:
        return self.terms | {e.iri for e in fragment.entities}


class Worker:
    """Writes parts, with one generator for all of them, which is loaded at the first."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._generator: Any = None
        self._identity = ""
        self._nearest: Nearest | None = None
        self._known = {graph: _Known(terms) for graph, terms in recipe.terms.items()}

    def plan(self, part: Part) -> list[Part]:
        """A part as the batches that it is written in."""
        batches = self._writer(part).batches(part.linked)
        return [replace(part, linked=tuple(batch)) for batch in batches]

    def write(self, part: Part) -> Iterator[dict[str, Any]]:
        """The rows of a part."""
        known = self._known[part.graph]
        for written in self._writer(part).write(part.linked):
            row = scored_row(written, part.graph, self.recipe.seed, known)
            yield {"variant": part.variant, "examples": part.examples, **row}

    def _writer(self, part: Part) -> Writer:
        recipe = self.recipe
        if self._generator is None:
            self._generator = open_generator(recipe.model, recipe.options)
            # All of its weights are read for this: once is enough.
            self._identity = identity(self._generator)
        if part.examples and self._nearest is None:
            self._nearest = Nearest(recipe.pairs)
        return Writer(
            self._generator,
            part.variant,
            beams=recipe.beams,
            nearest=self._nearest,
            examples=part.examples,
            constrained=recipe.constrained,
            cache=Cache(user_data_dir() / "bench" / "generations"),
            known_as=self._identity,
        )


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A user's error on its way home: raised there, it would lose its hint."""

    kind: type[OntopromptError]
    message: str
    hint: str


class _Remote:
    """A worker in a process of Ray's."""

    def __init__(self, recipe: Recipe) -> None:
        if recipe.offline:
            os.environ["HF_HUB_OFFLINE"] = "1"
        self.worker = Worker(recipe)

    def plan(self, part: Part) -> list[Part] | _Refusal:
        try:
            return self.worker.plan(part)
        except OntopromptError as error:
            return _Refusal(type(error), error.message, error.hint)

    def write(self, part: Part) -> list[dict[str, Any]] | _Refusal:
        try:
            return list(self.worker.write(part))
        except OntopromptError as error:
            return _Refusal(type(error), error.message, error.hint)


def spread(
    recipe: Recipe, parts: Sequence[Part], address: str, workers: int | None = None, *, quiet: bool = False
) -> Iterator[dict[str, Any]]:
    """The rows of parts, as the workers of a cluster come by them. `workers`: by default one for each GPU of the cluster,
    or for each core where it has none. Raises UsageError when there is no Ray, no cluster, or no room in it."""
    with _cluster(address, workers, quiet) as ray:
        import ray.exceptions
        from ray.util import ActorPool

        count, share = _room(ray.cluster_resources(), workers)
        if not quiet:
            print(f"{count} workers load {recipe.model}.", file=sys.stderr, flush=True)
        made = ray.remote(max_restarts=-1, max_task_retries=_RETRIES, **share)(_Remote)
        told = ray.put(recipe)
        pool = ActorPool([made.remote(told) for _ in range(count)])
        recalls = {x.question.id: recall_at(x) for part in parts for x in part.linked}
        try:
            # A parsed query cannot travel, and only its recall is needed.
            sent = [replace(p, linked=tuple(replace(x, gold=None) for x in p.linked)) for p in parts]
            planned = [b for found in pool.map(_plan, sent) for b in _accepted(found)]
            for found in pool.map_unordered(_write, planned):
                for row in _accepted(found):
                    if "recall_at" in row:
                        row["recall_at"] = recalls[row["id"]]
                    yield row
        except ray.exceptions.RayActorError as error:
            raise UsageError(
                f"A worker died {_RETRIES + 1} times over the same questions: {str(error).splitlines()[0]}",
                "It may need more memory: give fewer --workers. What was done is kept, and the same command goes on.",
            ) from None


def _plan(actor: Any, part: Part) -> Any:
    return actor.plan.remote(part)


def _write(actor: Any, part: Part) -> Any:
    return actor.write.remote(part)


def _accepted(found: Any) -> Iterable[Any]:
    if isinstance(found, _Refusal):
        raise found.kind(found.message, found.hint)
    return found  # type: ignore[no-any-return]


def check_cluster(address: str) -> None:
    """Raises UsageError when there is no Ray, or nobody at an address: Ray itself would try for minutes."""
    if find_spec("ray") is None:
        raise UsageError(
            "--ray needs Ray, which is not installed.",
            "Run pip install 'ontoprompt[ray]', or leave --ray out.",
        )
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise _nobody(address, error) from None


def _nobody(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"There is no Ray cluster at {address}: {str(error).splitlines()[0]}.",
        "Give the address that `ray start --head` printed, or `local`.",
    )


@contextmanager
def _cluster(address: str, workers: int | None, quiet: bool) -> Iterator[Any]:
    """Ray, connected. What a local cluster writes goes with it."""
    here = address == "local"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if here:
        # The one switch that lets Ray take 127.0.0.1 for a node: otherwise it listens on every interface.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Ray would let its workers wait for everything else that this machine does.
        os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--ray needs Ray, which is not installed.",
            "Run pip install 'ontoprompt[ray]', or leave --ray out.",
        ) from None
    if not quiet:
        where = "Starting Ray on this machine" if here else f"Connecting to Ray at {address}"
        print(f"{where}: this takes some seconds.", file=sys.stderr, flush=True)
    # Sockets have short paths, and a temporary folder of the user's may have a long one.
    folder = tempfile.mkdtemp(prefix="ontoprompt-", dir="/tmp") if here else ""
    own: dict[str, Any] = {
        "num_cpus": workers or len(os.sched_getaffinity(0)),
        "object_store_memory": _OBJECTS,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": folder,
    }
    # Ray says on standard output that a worker died.
    with redirect_stdout(sys.stderr):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **(own if here else {}))
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _nobody(address, error) from None
        try:
            yield ray
        finally:
            ray.shutdown()
            if folder:
                shutil.rmtree(folder, ignore_errors=True)


def _room(resources: Mapping[str, float], workers: int | None) -> tuple[int, dict[str, int]]:
    """How many workers, and what each of them takes of the cluster."""
    kind = "GPU" if resources.get("GPU", 0) >= 1 else "CPU"
    most = int(resources.get(kind, 0))
    if most < (workers or 1):
        raise UsageError(
            f"The Ray cluster has room for {most} workers, one on each {kind}.", "Give fewer --workers."
        )
    return workers or most, {"num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}

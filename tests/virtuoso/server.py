"""A Virtuoso of one's own, the engine behind DBpedia's endpoint, for as long as it is needed.

Installs Debian's packages of the server if need be and possible, starts one in a temporary folder, on loopback,
loads a graph, and stops it whatever happens.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The server and its command-line client without the service that the full package would start.
PACKAGE = "virtuoso-opensource-7-bin"
GRAPH_IRI = "http://example.org/sample"
START_SECONDS = 60
LOAD_SECONDS = 120

INI = """\
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
ErrorLogLevel = 7
FileExtend = 200
Striping = 0
TempStorage = TempDatabase

[TempDatabase]
DatabaseFile = {folder}/temp.db
TransactionFile = {folder}/temp.trx
Striping = 0

[Parameters]
ServerPort = 127.0.0.1:{sql_port}
DisableUnixSocket = 1
CaseMode = 2
DirsAllowed = {folder}
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
MaxQueryMem = 512M
ThreadsPerQuery = 2
CheckpointInterval = 0

[HTTPServer]
ServerPort = 127.0.0.1:{http_port}
ServerRoot = {folder}
ServerThreads = 10
EnabledDavVSP = 0
EnabledGzipContent = 1
Charset = UTF-8

[SPARQL]
ResultSetMaxRows = 10000
MaxQueryCostEstimationTime = 400
MaxQueryExecutionTime = 20
"""


class Unavailable(Exception):
    """Virtuoso cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at `url` and holds `triples` in the graph GRAPH_IRI, loaded in `seconds`."""

    url: str
    triples: int
    seconds: float


def find_programs() -> tuple[str, str]:
    """Paths of the server and of its SQL client; installs them when missing."""
    if shutil.which("virtuoso-t") is None:
        install()
    server = shutil.which("virtuoso-t")
    client = shutil.which("isql-vt") or shutil.which("isql")
    if server is None or client is None:
        raise Unavailable("the installed packages hold no virtuoso-t or no isql-vt")
    return server, client


def install() -> None:
    """apt-get install, after one apt-get update when the package is not known yet."""
    if shutil.which("apt-get") is None:
        raise Unavailable("virtuoso-t is not installed and this system has no apt-get")
    if os.geteuid() != 0:
        raise Unavailable(
            f"virtuoso-t is not installed and installing it needs root (apt-get install {PACKAGE})"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", PACKAGE]
    print(f"Installing {PACKAGE} ...", file=sys.stderr)
    for attempt in (command, ["apt-get", "update", "-q"], command):
        done = subprocess.run(
            attempt, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if attempt is command and done.returncode == 0:
            return
    last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
    raise Unavailable(f"apt-get could not install {PACKAGE}: {last}")


def free_port(preferred: int) -> int:
    """The preferred port when nothing listens there, else one that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As the server does itself: connections of an earlier run that linger are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("no port is free on 127.0.0.1")


def wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return once the endpoint answers a query; raises RuntimeError with the end of the log if not."""
    deadline = time.monotonic() + START_SECONDS
    probe = url + "?query=ASK%7B%7D&format=json"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with direct.open(probe, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    tail = log.read_text(errors="replace")[-2000:] if log.exists() else "(no log)"
    raise RuntimeError(f"Virtuoso did not start within {START_SECONDS} s:\n{tail}")


def load(client: str, sql_port: int, graph: Path, folder: Path) -> int:
    """Load a Turtle file into GRAPH_IRI and return how many triples that graph then has."""
    shutil.copyfile(graph, folder / "graph.ttl")
    statements = (
        f"DB.DBA.TTLP_MT(file_to_string_output('{folder}/graph.ttl'), '{GRAPH_IRI}/', '{GRAPH_IRI}');\n"
        f"SPARQL SELECT (COUNT(*) AS ?n) FROM <{GRAPH_IRI}> {{ ?s ?p ?o }};\n"
    )
    quiet = ["VERBOSE=OFF", "BANNER=OFF", "PROMPT=OFF", "ERRORS=STDOUT"]
    done = subprocess.run(
        [client, f"127.0.0.1:{sql_port}", "dba", "dba", *quiet],
        input=statements, capture_output=True, text=True, timeout=LOAD_SECONDS, check=False,
    )  # fmt: skip
    counts = [int(line) for line in done.stdout.split() if line.isdigit()]
    if done.returncode != 0 or not counts or counts[-1] == 0:
        raise RuntimeError(f"{graph} could not be loaded:\n{done.stdout}{done.stderr}")
    return counts[-1]


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, by force when a query keeps it from ending."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def running(graph: Path) -> Iterator[Running]:
    """Start a server, load a Turtle file, and stop the server at the end. Raises Unavailable where there is none."""
    server_path, client = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="ontoprompt-virtuoso-"))
    http_port, sql_port = free_port(8890), free_port(1111)
    ini = folder / "virtuoso.ini"
    ini.write_text(INI.format(folder=folder, http_port=http_port, sql_port=sql_port))
    url = f"http://localhost:{http_port}/sparql"
    server = subprocess.Popen(
        [server_path, "+configfile", str(ini), "+foreground"],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until_up(server, url.replace("localhost", "127.0.0.1"), folder / "virtuoso.log")
        started = time.monotonic()
        count = load(client, sql_port, graph, folder)
        yield Running(url, count, time.monotonic() - started)
    finally:
        stop(server)
        shutil.rmtree(folder, ignore_errors=True)

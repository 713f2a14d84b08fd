"""Query → `ResultSet`, on an embedded store (files) or on a SPARQL endpoint (http).

Every query is parsed and proven read-only here, whatever was checked before, and what is sent is the parsed
query written out again, never the text that came in. Both stores keep a deadline themselves: the embedded one
by killing the process that evaluates, the remote one by giving the connection up.

Not covered: limits on the memory of a query in the embedded store, and stopping a query inside a remote
server.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from ontoprompt import _worker, remote, sparql
from ontoprompt.errors import GraphError, QuerySyntaxError, QueryTimeoutError, SourceError, UsageError
from ontoprompt.rdf_files import rdf_files

# Larger graphs (bytes of files; gzip counted tenfold) are kept in an on-disk store instead of in memory.
DISK_THRESHOLD = 100 * 2**20
_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_RDF_LANG_STRING = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
_LONG_QUERY = 1800  # characters once percent-encoded; servers and proxies refuse URLs of a few thousand

ValueType = Literal["uri", "literal", "bnode"]


@dataclass(frozen=True, slots=True)
class Value:
    """One RDF term of an answer. A plain string has neither `datatype` nor `lang`."""

    type: ValueType
    value: str
    datatype: str | None = None
    lang: str | None = None


@dataclass(frozen=True)
class ResultSet:
    """What a query gave: `boolean` for ASK; for SELECT `rows`, as long as `variables`, None where unbound.

    `truncated` says that there were more rows than are here; `seconds` is what the query took, loading
    excluded.
    """

    form: Literal["select", "ask"]
    variables: tuple[str, ...]
    rows: tuple[tuple[Value | None, ...], ...]
    boolean: bool | None = None
    truncated: bool = False
    seconds: float = 0.0


class Store(Protocol):
    """A graph that can be asked. `name` is fit to be shown."""

    name: str

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        """Check and evaluate a SELECT or ASK query within `timeout` seconds; at most `max_rows` rows."""

    def close(self) -> None:
        """Let go of processes and connections; a later query starts them again."""


def open_store(source: str | Path) -> EmbeddedStore | EndpointStore:
    """The store for an RDF file, a folder of them, or the http(s) URL of an endpoint.

    Raises UsageError for another kind of address and SourceError for a file or folder that cannot hold a
    graph; what is inside the files is seen when the store is first used.
    """
    text = str(source)
    scheme, separator, _ = text.partition("://")
    if isinstance(source, str) and separator:
        if scheme.lower() not in ("http", "https"):
            raise UsageError(
                f"A graph cannot be read from a {scheme[:20]}: address.",
                "Give a file, a folder or an http(s) URL.",
            )
        return EndpointStore(text)
    return EmbeddedStore([Path(source)])


class EmbeddedStore:
    """RDF files in an Oxigraph of our own, which runs in a worker process.

    The process starts with the first query (or `start`), is killed when a query passes its deadline, and
    starts again with the next one. Loading is not part of a query's time. Queries from several threads take
    turns.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = [file for path in paths for file in rdf_files(Path(path))]
        if not self._paths:
            raise SourceError("No RDF file was given.", "Name a file or a folder.")
        self.name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        self._lock = threading.RLock()
        self._worker: _WorkerProcess | None = None

    def start(self) -> None:
        """Begin to load without waiting for it."""
        with self._lock:
            if self._worker is None or not self._worker.is_alive():
                self.close()
                self._worker = _WorkerProcess(self._paths)
                weakref.finalize(self, self._worker.kill)

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        """See `Store.query`. Raises SourceError when a file cannot be loaded."""
        query = _checked(text)
        with self._lock:
            self.start()
            worker = cast(_WorkerProcess, self._worker)
            answered = False
            try:
                worker.wait_until_loaded()
                started = time.monotonic()
                reply = worker.ask({"text": query.text(), "rows": max_rows}, timeout)
                seconds = time.monotonic() - started
                answered = True
            finally:
                # After a timeout, a failed load or Ctrl-C the process is in no state to be asked again.
                if not answered:
                    self.close()
        return _result_of_worker(reply, seconds)

    def close(self) -> None:
        """End the worker process, if there is one."""
        with self._lock:
            if self._worker is not None:
                self._worker.kill()
            self._worker = None


class _WorkerProcess:
    """A running `ontoprompt._worker` and the pipes to it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        folder = _disk_folder(paths)
        # The worker must find the packages that this process found, and take no modules from the current
        # folder.
        package_root = str(Path(__file__).parent.parent)
        search = dict.fromkeys([package_root, *(entry for entry in sys.path if entry)])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ontoprompt._worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
        )
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self._process.stdout, self._inbox), daemon=True).start()
        self._loaded = False
        self._send({"paths": [str(path.absolute()) for path in paths], "folder": folder and str(folder)})

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait_until_loaded(self) -> None:
        """Block until the files are loaded; raises SourceError when that fails."""
        if self._loaded:
            return
        reply = self._inbox.get()
        if reply is None:
            raise SourceError(
                "The graph could not be loaded: the process that loads it died.", "It may need more memory."
            )
        if "error" in reply:
            raise SourceError(str(reply["message"]), "Correct the file, or leave it out.")
        self._loaded = True

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """One query and its answer; raises QueryTimeoutError after `timeout` seconds."""
        self._send(request)
        try:
            reply = self._inbox.get(timeout=max(0.0, timeout))
        except queue.Empty:
            message = f"The query took longer than {timeout:g} seconds and was stopped."
            raise QueryTimeoutError(message, remote.TIMEOUT_HINT) from None
        if reply is None:
            raise GraphError(
                "The process that evaluates queries died.", "The query may need more memory than there is."
            )
        return reply

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was buffered for a dead process is lost on purpose
                    continue

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            _worker.write_frame(self._process.stdin, message)
        except (BrokenPipeError, ValueError):
            self._inbox.put(None)


def _listen(stream: Any, inbox: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Move answers from the pipe into the inbox; None when the worker is gone."""
    try:
        while (message := _worker.read_frame(stream)) is not None:
            inbox.put(message)
    except (OSError, ValueError):  # the pipe was closed under us
        pass
    inbox.put(None)


def _disk_folder(paths: Sequence[Path]) -> Path | None:
    """Where the store of large files is kept, named after their paths, sizes and times; None if small."""
    try:
        stats = [path.stat() for path in paths]
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}.", "Check the path.") from error
    compressed = [path.name.lower().endswith(".gz") for path in paths]
    if (
        sum(stat.st_size * (10 if gz else 1) for stat, gz in zip(stats, compressed, strict=True))
        < DISK_THRESHOLD
    ):
        return None
    source = _digest([str(path.resolve()) for path in paths])
    version = _digest([[stat.st_size, stat.st_mtime_ns] for stat in stats])
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(os.path.join("~", ".cache"))
    return Path(cache) / "ontoprompt" / "stores" / source / version


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]


def _result_of_worker(reply: dict[str, Any], seconds: float) -> ResultSet:
    if reply.get("error") == "syntax":
        raise QuerySyntaxError(
            f"The embedded store does not take this query: {reply['message']}.", "Rephrase the query."
        )
    if "error" in reply:
        raise GraphError(
            f"The embedded store could not evaluate the query: {reply['message']}.", "Rephrase the query."
        )
    if reply["form"] == "ask":
        return ResultSet("ask", (), (), boolean=reply["boolean"], seconds=seconds)
    rows = tuple(tuple(None if cell is None else Value(*cell) for cell in row) for row in reply["rows"])
    return ResultSet("select", tuple(reply["variables"]), rows, truncated=reply["truncated"], seconds=seconds)


class EndpointStore:
    """A SPARQL 1.1 endpoint. User and password may stand in the URL; they are sent, and never shown."""

    def __init__(self, url: str) -> None:
        remote.check_url(url)
        parts = urllib.parse.urlsplit(url)
        self.name = remote.display_url(url)
        self._base = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        self._parameters = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        self._credentials = f"{user}:{password}" if user or password else ""

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        """See `Store.query`. Raises GraphError when no answer comes, QueryTimeoutError at the deadline."""
        query = _checked(text)
        if query.form == "select":
            # One more than wanted, to know whether there are more.
            query = sparql.with_limit(query, max_rows + 1)
        started = time.monotonic()
        reply = remote.fetch(self._request(query.text()), timeout=timeout)
        if "x-sql-state" in reply.headers:
            raise QueryTimeoutError(
                f"{self.name} stopped the query and sent only a part of the answer.", remote.SERVER_LIMIT_HINT
            )
        result = _result_of_json(reply, self.name, query.form)
        cut = len(result.rows) > max_rows or _server_cut(reply, len(result.rows))
        return ResultSet(
            result.form,
            result.variables,
            result.rows[:max_rows],
            result.boolean,
            cut,
            time.monotonic() - started,
        )

    def close(self) -> None:
        """Nothing stays open between queries."""

    def _request(self, text: str) -> urllib.request.Request:
        """The HTTP request for a query, made by SPARQLWrapper; `remote.fetch` sends it."""
        import base64

        from SPARQLWrapper import JSON, POST, SPARQLWrapper

        post = len(urllib.parse.quote(text)) > _LONG_QUERY
        query_string = urllib.parse.urlencode(self._parameters)
        wrapper = SPARQLWrapper(
            f"{self._base}?{query_string}" if post and query_string else self._base, agent=remote.USER_AGENT
        )
        wrapper.setOnlyConneg(True)
        wrapper.setReturnFormat(JSON)
        if post:
            wrapper.setMethod(POST)
        else:
            for key, value in self._parameters:
                wrapper.addParameter(key, value)
        wrapper.setQuery(text)
        if self._credentials:
            wrapper.addCustomHttpHeader(
                "Authorization", "Basic " + base64.b64encode(self._credentials.encode()).decode("ascii")
            )
        # SPARQLWrapper's own query() has no deadline, follows ftp: redirects and takes credentials along.
        return cast(urllib.request.Request, wrapper._createRequest())


def _checked(text: str) -> sparql.Query:
    query = sparql.parse(text)
    sparql.check_read_only(query)
    return query


def _server_cut(reply: remote.Reply, rows: int) -> bool:
    """Whether the server's own row limit was reached (Virtuoso says so in a header)."""
    limit = reply.headers.get("x-sparql-maxrows", "")
    return limit.isdigit() and rows >= int(limit) > 0


def _result_of_json(reply: remote.Reply, name: str, form: str) -> ResultSet:
    """SPARQL 1.1 Query Results JSON (W3C recommendation of 2013), distrusted."""
    hint = "Check that the address is that of a SPARQL endpoint."
    body = reply.body.strip()
    if body.startswith(b"<"):
        raise GraphError(f"{name} answered with a web page or XML instead of JSON results.", hint)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise GraphError(
            f"{name} answered with something that is not JSON, or with half of it.", hint
        ) from error
    try:
        if form == "ask":
            if not isinstance(document["boolean"], bool):
                raise TypeError
            return ResultSet("ask", (), (), boolean=document["boolean"])
        variables = tuple(str(variable) for variable in document["head"]["vars"])
        rows = tuple(
            tuple(_value(row.get(variable)) for variable in variables)
            for row in document["results"]["bindings"]
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise GraphError(f"{name} answered with JSON that is no SPARQL result.", hint) from error
    return ResultSet("select", variables, rows)


def _value(cell: Any) -> Value | None:
    """One binding; raises TypeError or KeyError when it is none."""
    if cell is None:
        return None
    kind, value = cell["type"], cell["value"]
    if not isinstance(value, str):
        raise TypeError
    if kind in ("uri", "bnode"):
        return Value(cast(ValueType, kind), value)
    if kind not in ("literal", "typed-literal"):
        raise TypeError
    datatype, lang = cell.get("datatype"), cell.get("xml:lang")
    if datatype in (_XSD_STRING, _RDF_LANG_STRING):
        datatype = None
    return Value("literal", value, datatype and str(datatype), lang and str(lang).lower())

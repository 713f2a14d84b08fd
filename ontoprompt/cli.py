"""The `ontoprompt` command: parse flags, call the library, print. Results on stdout, the rest on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .cli_models import load_options, loading_flags, models
from .cli_synth import synth
from .cli_train import train
from .edge import argument_text, as_known, debugging, drop_stdout, guarded, leave, print_json
from .errors import UsageError
from .output import Progress

if TYPE_CHECKING:
    from .pipeline import AskOptions
    from .prompts import Example
    from .settings import Settings

_GRAPH = "RDF file, folder of RDF files, or URL of a SPARQL endpoint. Default: the sample graph."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ontoprompt")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """Ask a knowledge graph in plain English and get a SPARQL query that can be trusted, with its answer."""
    # numpy multiplies small matrices here: cores that wait for each other doubled what a query cost. Heeded while numpy
    # is not loaded yet; ONNX Runtime and torch have threads of their own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


main.add_command(models)
main.add_command(synth)
main.add_command(train)


def _ask_flags(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--index",
                metavar="NAME|DIR",
                help="Index of the vocabulary. Default: made for the graph on first use.",
            ),
            click.option("--kg", metavar="FILE|DIR|URL", help=_GRAPH),
            click.option(
                "--model",
                metavar="NAME|DIR",
                help="Generator: a folder, a hub name, openai:URL#MODEL or completions:URL#MODEL. Default: the one that ships.",
            ),
            click.option(
                "--prompt",
                metavar="VARIANT",
                help="Prompt variant: question, terms, nsql, nsql-comments, nsql-symbols, turtle or shapes.",
            ),
            click.option(
                "--examples",
                type=click.IntRange(0, 20),
                help="Worked examples in the prompt, the nearest of the index's pairs.",
            ),
            click.option(
                "--reranker",
                metavar="FILE|none",
                help="What reads the terms found again. Default: the one that ships.",
            ),
            click.option(
                "--query-reranker",
                metavar="FILE|none",
                help="What reads the candidate queries again. Default: the one that ships.",
            ),
            click.option("--top-k", type=click.IntRange(1, 40), help="Terms in the fragment."),
            click.option("--candidates", type=click.IntRange(1, 50), help="Queries to generate."),
            click.option(
                "--timeout", type=click.FloatRange(0.1, 3600), help="Seconds for the graph to answer."
            ),
            click.option("--limit", type=click.IntRange(1, 100_000), help="Rows at most."),
        )
    ):
        command = option(command)
    return command


@main.command()
@click.argument("question")
@_ask_flags
@loading_flags
@click.option(
    "--entity", multiple=True, metavar="MENTION=IRI", help="Pin what a mention means; may be repeated."
)
@click.option("--term", multiple=True, metavar="IRI", help="Pin a term; may be repeated.")
@click.option("--no-execute", is_flag=True, help="Only write the query.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--explain", is_flag=True, help="Show links, terms, prompt, candidates and timings.")
@guarded
def ask(
    progress: Progress,
    question: str,
    entity: tuple[str, ...],
    term: tuple[str, ...],
    no_execute: bool,
    as_json: bool,
    explain: bool,
    **flags: Any,
) -> None:
    """Answer QUESTION; `-` reads one question a line from standard input and prints JSON lines."""
    from .settings import load_settings

    loading = load_options(flags)
    settings = load_settings(**flags)
    if question != "-":
        from .pipeline import checked_question

        question = checked_question(argument_text(question))
    pins = _pins(entity, term)
    from .assembly import open_engine
    from .output import answer_json, answer_text

    engine = open_engine(settings, options=loading, reach=not no_execute, progress=progress)

    def answered(text: str) -> Any:
        progress("asking", 0, None)
        return engine.ask(text, _options(settings, pins, not no_execute, engine.retriever.index, text))

    if question == "-":
        leave(_ask_lines(answered, progress))
    answer = answered(question)
    if as_json:
        print_json(answer_json(answer))
    else:
        click.echo(answer_text(answer, explain=explain), nl=False)


def _ask_lines(answered: Callable[[str], Any], progress: Progress) -> int:
    """A JSON line for each line of standard input; one that fails says so in its own and the rest goes on.

    Returns the exit status: that of the first failure, or 0.
    """
    from .output import answer_json

    if sys.stdin is None:
        raise UsageError(
            "There is no standard input to read questions from.", "Give a question instead of -."
        )
    status = 0
    lines = iter(_lines(sys.stdin.buffer))
    while True:
        with progress.waiting():
            line = next(lines, None)
        if line is None:
            return status
        try:
            row = answer_json(answered(line))
        except Exception as error:  # noqa: BLE001 - the edge, as in `guarded`
            if debugging():
                raise
            known = as_known(error)
            status = status or known.exit_status
            row = {
                "question": line,
                "error": known.message,
                "hint": known.hint,
                "exit_status": known.exit_status,
            }
        print_json(row)


def _lines(stream: Iterable[bytes]) -> Iterable[str]:
    for raw in stream:
        text = raw.decode("utf-8", errors="replace").strip()
        if text:
            yield text


def _pins(entity: tuple[str, ...], term: tuple[str, ...]) -> Any:
    from .retrieval import Pins

    pairs: dict[str, str] = {}
    for text in entity:
        mention, separator, iri = text.partition("=")
        if not separator or not mention.strip() or not iri.strip():
            raise UsageError(
                f"--entity {text} is not MENTION=IRI.",
                "Write for example --entity 'Georgia=http://dbpedia.org/resource/Georgia_(country)'.",
            )
        pairs[mention.strip()] = _full_iri(iri)
    return Pins(pairs, tuple(_full_iri(t) for t in term))


def _full_iri(text: str) -> str:
    """An IRI from an IRI, `<IRI>` or a prefixed name."""
    import re

    from .sparql import PREFIXES

    text = text.strip().strip("<>")
    prefix, _, local = text.partition(":")
    iri = PREFIXES[prefix] + local if prefix in PREFIXES and not local.startswith("//") else text
    if not re.fullmatch(r"[A-Za-z][\w+.-]*:[^\s<>\"{}|^`\\]+", iri):
        raise UsageError(f"'{text}' is no IRI.", "Give a full IRI or a prefixed name such as dbo:capital.")
    return iri


def _options(settings: Settings, pins: Any, execute: bool, index: Any, question: str) -> AskOptions:
    from .pipeline import AskOptions

    examples: tuple[Example, ...] = ()
    if settings.examples:
        from .examples import nearest_examples

        examples = nearest_examples(index, question, settings.examples)
    return AskOptions(
        variant=settings.prompt,
        top_k=settings.top_k,
        candidates=settings.candidates,
        timeout=settings.timeout,
        limit=settings.limit,
        execute=execute,
        pins=pins,
        examples=examples,
    )


@main.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--name", help="Keep the index under this name.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Write the index to this folder."
)
@click.option(
    "--encoder",
    default="default",
    show_default=True,
    help="Encoder: default, a folder, or a sentence-transformers model name.",
)
@click.option("--entities", metavar="FILE|URL", help="Also index the names of this graph's entities.")
@click.option(
    "--pairs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines of question and sparql: trains the adapter, kept as worked examples.",
)
@click.option(
    "--adapt", is_flag=True, help="Train an adapter without questions, on some made from the vocabulary."
)
@guarded
def index(
    progress: Progress,
    sources: tuple[str, ...],
    name: str | None,
    out: Path | None,
    encoder: str,
    entities: str | None,
    pairs: Path | None,
    adapt: bool,
) -> None:
    """Build an index of the vocabulary in SOURCEs (files, folders, endpoints); without one, the default index again."""
    from .indexing import build

    progress("opening the encoder", 0, None)
    built = build(
        sources,
        name=name,
        out=out,
        encoder=encoder,
        entities=entities,
        pairs=pairs,
        adapt=adapt,
        progress=progress,
    )
    click.echo(f"{built.folder}: {built.terms:,} terms in {built.seconds:.1f} s")
    if built.adaptation is not None:
        click.echo(str(built.adaptation))


@main.command()
@click.argument("text")
@click.option("--index", metavar="NAME|DIR", help="Index to search. Default: the one that ships.")
@click.option("--top-k", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a term.")
@guarded
def search(progress: Progress, text: str, index: str | None, top_k: int, as_json: bool) -> None:
    """The terms nearest to TEXT, by meaning and by words."""
    from .assembly import open_index
    from .pipeline import checked_question
    from .settings import load_settings
    from .term_search import TermSearch

    text = checked_question(argument_text(text))
    for hit in TermSearch(open_index(load_settings(index=index), progress=progress)).search(text, top_k):
        term = hit.term
        if as_json:
            print_json(
                {"iri": term.iri, "kind": term.kind, "label": term.label, "score": round(hit.score, 4)}
            )
        else:
            click.echo(f"{hit.score:6.3f}  {term.label}  ({term.kind})  <{term.iri}>")


@main.command()
@click.argument("question")
@_ask_flags
@loading_flags
@guarded
def prompt(progress: Progress, question: str, **flags: Any) -> None:
    """The prompt that QUESTION would be asked with; the model is loaded only where it decides the variant."""
    from .assembly import open_engine, open_retriever
    from .pipeline import checked_question
    from .prompts import build_prompt
    from .retrieval import Pins, prefer_specific_types
    from .settings import load_settings

    loading = load_options(flags)
    settings = load_settings(**flags)
    question = checked_question(argument_text(question))
    if not settings.prompt:
        engine = open_engine(settings, options=loading, progress=progress)
        options = _options(settings, Pins({}), True, engine.retriever.index, question)
        click.echo(engine.prompt(engine.fragment(question, options), options).text)
        return
    retriever = open_retriever(settings, progress=progress)[0]
    options = _options(settings, Pins({}), True, retriever.index, question)
    links = prefer_specific_types(retriever.link(question, rivals=1), retriever.terms)
    fragment = retriever.retrieve(question, top_k=settings.top_k, links=links)
    click.echo(build_prompt(fragment, settings.prompt, examples=options.examples).text)


@main.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option(
    "--index", metavar="NAME|DIR", help="Vocabulary to check against. Default: the index that ships."
)
@guarded
def check(progress: Progress, file: Any, index: str | None) -> None:
    """Check the query in FILE (`-`: standard input): syntax, safety, terms, domains and ranges. Never executes it."""
    from .assembly import open_index
    from .settings import load_settings
    from .validation import validate

    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise UsageError("The query is not UTF-8 text.", "Save it as UTF-8.") from error
    loaded = open_index(load_settings(index=index), progress=progress)
    issues = validate(text, terms={t.iri: t for t in loaded.terms})
    lines = []
    for issue in issues:
        lines.append(f"{issue.severity}: {issue.message}")
        if issue.alternatives:
            lines.append(f"  known instead: {', '.join(issue.alternatives[:5])}")
    try:
        click.echo("\n".join(lines or ["No issues."]))
    except BrokenPipeError:
        # A reader that goes away must not turn a refusal into a success.
        drop_stdout()
    if any(i.severity == "error" for i in issues):
        leave(3)

"""`ontoprompt synth`: flags of the pair maker; registered by `cli`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .edge import guarded
from .errors import UsageError
from .output import Progress

if TYPE_CHECKING:
    from .execution import Store
    from .fillings import Filling
    from .ontology import Ontology

_SHARE = click.FloatRange(0, 1)


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of JSON lines; a stopped run goes on there. Default: standard output.",
)
@click.option("--count", type=click.IntRange(1), default=10_000, show_default=True, help="Pairs to make.")
@click.option(
    "--kg", metavar="FILE|DIR|URL", help="Graph to fill from. Default: things invented for the ontology."
)
@click.option(
    "--templates",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="NSpM's templates, separated by semicolons.",
)
@click.option("--only-templates", is_flag=True, help="Nothing beside the given templates.")
@click.option("--names", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Tab-separated IRI (or Wikidata identifier) and label, to speak of where no graph is given.")  # fmt: skip
@click.option(
    "--hold-out-templates",
    "templates_held",
    type=_SHARE,
    default=0.0,
    help="Share of whole templates to write to a second file.",
)
@click.option(
    "--hold-out-terms",
    "terms_held",
    type=_SHARE,
    default=0.0,
    help="Share of whole terms whose pairs go to a second file.",
)
@click.option("--polite", type=_SHARE, default=0.05, show_default=True)
@click.option("--lower", type=_SHARE, default=0.12, show_default=True, help="Share all in lower case.")
@click.option(
    "--typos", type=_SHARE, default=0.03, show_default=True, help="Share with a slip of the keyboard."
)
@click.option("--bare", type=_SHARE, default=0.15, show_default=True, help="Share without question mark.")
@click.option(
    "--turned",
    type=_SHARE,
    default=0.03,
    show_default=True,
    help="Share to turn round: of X, what is the ...",
)
@click.option("--sample", type=click.IntRange(10), default=2000, show_default=True, help="Statements of each property to take from the graph.")  # fmt: skip
@click.option("--licence", default="", help="Licence of the source, for the data card.")
@click.option(
    "--corpus",
    metavar="FILE|DIR|NAME",
    help="Read plain SPARQL files in the-stack's layout instead; a hub name is downloaded.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Processes; the pairs are the same. Default: one a core, one where a graph is asked.")  # fmt: skip
@guarded
def synth(
    progress: Progress,
    sources: tuple[str, ...],
    out: Path | None,
    count: int,
    kg: str | None,
    templates: Path | None,
    only_templates: bool,
    names: Path | None,
    sample: int,
    licence: str,
    corpus: str | None,
    jobs: int | None,
    **flags: Any,
) -> None:
    """Make question and query pairs from the ontologies in SOURCEs (files, folders, endpoints), or from a graph's own terms."""
    if corpus is not None:
        _corpus(progress, corpus, out)
        return
    if only_templates and templates is None:
        raise UsageError("--only-templates needs --templates.", "Name a file of templates.")
    from .styling import Rates
    from .synth import Counts, SynthConfig, Synthesis, held_file, lines, stream, write

    rates = Rates(*(flags[name] for name in ("polite", "lower", "typos", "bare", "turned")))
    config = SynthConfig(
        count,
        flags["seed"],
        rates,
        flags["templates_held"],
        flags["terms_held"],
        1.0 if only_templates else 0.5,
    )
    if out is None and (config.templates_held or config.terms_held):
        raise UsageError("What is held out goes to a second file, and there is no first.", "Give --out FILE.")
    jobs = jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    with contextlib.ExitStack() as stack:
        ontology, filling, store = _filled(stack, progress, sources, kg, names, sample, config.seed)
        given = _given(templates, filling, store, stack)
        synthesis = Synthesis(filling, config, store=store, given=given, more=_statements(ontology, filling))
        inputs = {
            "Sources": [f"{source.name} ({source.sha256[:16]})" for source in ontology.sources],
            "Licence of the source": licence or _licence(ontology, kg),
            "Templates given": f"{templates.name}: {len(given)}, {sum(map(bool, given))} of them filled"
            if templates
            else "none",
        }
        if out is None:
            for _, rows in stream(synthesis, Counts(), jobs=jobs):
                click.echo(lines(rows)[0], nl=False)
            return
        counts = write(synthesis, out, inputs, progress=progress, jobs=jobs)
    held = f", {counts.held:,} held out in {held_file(out)}" if counts.held else ""
    click.echo(f"{out}: {counts.pairs:,} pairs of {len(counts.templates):,} templates{held}")


def _filled(
    stack: contextlib.ExitStack,
    progress: Progress,
    sources: tuple[str, ...],
    kg: str | None,
    names: Path | None,
    sample: int,
    seed: int,
) -> tuple[Ontology, Filling, Store | None]:
    from .execution import open_store
    from .fillings import from_store, invented
    from .ontology import load_ontology, ontology_from_store
    from .settings import bundled

    endpoints = [source for source in sources if "://" in source]
    if endpoints and len(sources) > 1:
        raise UsageError(
            "An endpoint cannot be one of several sources.", "Give the endpoint alone, or files."
        )
    kg = kg or (endpoints[0] if endpoints else None)
    if kg is None:
        ontology = load_ontology(list(sources) or [bundled("ontology", "dbpedia.ttl")], progress=progress)
        return ontology, invented(ontology, names=_names(names), seed=seed), None
    store = open_store(kg)
    stack.callback(store.close)
    if sources and not endpoints:
        ontology = load_ontology(list(sources), progress=progress)
    else:
        ontology = ontology_from_store(store, progress=progress)
    return ontology, from_store(store, ontology, sample=sample, progress=progress), store


def _names(path: Path | None) -> list[tuple[str, str]]:
    """(IRI, label) of a label table."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path else ():
        iri, tab, label = line.partition("\t")
        if tab:
            full = iri if "://" in iri else f"http://www.wikidata.org/entity/{iri}"
            found.append((full, label.split("\t")[0]))
    return found


def _given(
    templates: Path | None, filling: Filling, store: Store | None, stack: contextlib.ExitStack
) -> list[Any]:
    """The fillings of given templates, from the graph, else from what was invented."""
    if templates is None:
        return []
    from .execution import open_store
    from .nspm import fill, read_templates

    read = read_templates(templates)
    if store is None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "invented.nt").write_text("".join(filling.triples()), encoding="utf-8")
        store = open_store(folder / "invented.nt")
        stack.callback(store.close)
    return fill(read, store, filling.labels.__setitem__)


def _statements(ontology: Ontology, filling: Filling) -> Any:
    """Wikidata's statement and qualifier forms, where the ontology is Wikidata's and nothing else fills them."""
    from .wikidata_templates import statement_drafts

    return statement_drafts(ontology, filling.labels) if filling.made_up else None


def _licence(ontology: Ontology, kg: str | None) -> str:
    from .settings import bundled

    known = {"dbpedia.ttl": "CC BY-SA 3.0 (DBpedia)", "wikidata-properties.ttl": "CC0 1.0 (Wikidata)"}
    shipped = {bundled("ontology", name).name for name in known}
    names = [known[source.name] for source in ontology.sources if source.name in shipped]
    return ", ".join(names) if names and kg is None else "unknown"


def _corpus(progress: Progress, corpus: str, out: Path | None) -> None:
    from .sparql_corpus import write_corpus

    if out is None:
        raise UsageError("A corpus is written to a file.", "Give --out FILE.")
    progress("reading the corpus", 0, None)
    reasons = write_corpus(corpus, out)
    click.echo(f"{out}: {reasons.pop('kept', 0):,} queries kept")
    for reason, number in sorted(reasons.items()):
        click.echo(f"left out, {reason}: {number:,}")


__all__ = ["synth"]

"""Does the grammar hold, whatever the model wants? Queries sampled from a model that knows nothing.

    python -m bench.grammar_fuzz [--n 10000] [--seed 0] [--each 20] [--show 5]

A CodeGen model with random weights (2 layers, width 64, the tokenizer of the shipped generator) draws
`each` queries a question, at temperature 1, under the grammar of the fragment that the default index
and the sample graph's entities give for that question. Questions are template questions over the index's
own terms and the graph's labels; half are asked in symbols, half in names (variant `nsql`). A model without any
sense ends early, so two questions in three are drawn with a weight against closing a group: these queries are as
long as the grammar lets them be. One JSON object is printed:

- `parse`, `read_only`, `within_budget`: shares of the `n` queries. `within_budget` means that the model
  wrote the end token itself.
- `accepted_by_oxigraph`: share that a second implementation takes, on an empty store.
- `outside`: queries with a term that the fragment does not hold.
- `tokens`: median, 99th percentile and maximum length of a query, and the longest that a grammar allows.
- `grammar_ms`: milliseconds of processor time a question for writing and compiling its grammar and for the masks of
  six queries, token by token: median, 99th percentile and maximum.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from ontoprompt import sparql
from ontoprompt.assembly import open_index, open_linker
from ontoprompt.errors import QueryError
from ontoprompt.execution import open_store
from ontoprompt.generation import Candidate, LoadOptions, Request, TransformersGenerator
from ontoprompt.ontology import Ontology
from ontoprompt.pipeline import AskOptions, Engine
from ontoprompt.retrieval import Retriever
from ontoprompt.settings import default_graph, default_model_dir, load_settings
from ontoprompt.synthesis import template_pairs

VARIANTS = ("nsql-symbols", "nsql")
BEAMS = 6
WEIGHTS = (0.0, -3.0, -9.0)
_CORE = {
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
    "http://www.w3.org/2000/01/rdf-schema#label",
}


def random_model(folder: Path, seed: int = 0) -> Path:
    """A checkpoint with the shipped tokenizer and weights that nobody trained."""
    import torch
    from transformers import CodeGenConfig, CodeGenForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    shipped = default_model_dir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(shipped / name, folder / name)
    size = json.loads((shipped / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    torch.manual_seed(seed)
    shape = CodeGenConfig(
        vocab_size=size,
        n_positions=4096,
        n_ctx=4096,
        n_embd=64,
        n_layer=2,
        n_head=4,
        rotary_dim=16,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    CodeGenForCausalLM(shape).save_pretrained(folder)
    return folder


def questions(terms: Sequence, labels: Sequence[str], seed: int) -> Iterator[str]:
    """Endless questions over these terms and names, no two the same."""
    used = tuple(t for t in terms if t.kind == "class" or t.usage >= 200)
    seen: set[str] = set()
    while True:
        for pair in template_pairs(Ontology(used, (), {}), {"": labels}, 200, seed=seed):
            if pair.pair.question not in seen:
                seen.add(pair.pair.question)
                yield pair.pair.question
        seed += 1


def entity_labels(path: Path) -> list[str]:
    """The English labels in a Turtle file."""
    import pyoxigraph

    label = pyoxigraph.NamedNode("http://www.w3.org/2000/01/rdf-schema#label")
    found = pyoxigraph.parse(path=str(path), format=pyoxigraph.RdfFormat.TURTLE)
    return sorted({t.object.value for t in found if t.predicate == label and len(t.object.value) < 60})


def verdict(candidate: Candidate, request: Request) -> set[str]:
    """What is true of one query, of: parse, read_only, within_budget, accepted_by_oxigraph, outside."""
    import pyoxigraph

    found = set() if candidate.truncated else {"within_budget"}
    try:
        query = sparql.parse(candidate.sparql)
    except QueryError:
        return found
    found.add("parse")
    allowed = {s.iri for s in request.prompt.surfaces} | _CORE
    if not query.iris() <= allowed:
        found.add("outside")
    try:
        sparql.check_read_only(query)
    except QueryError:
        return found
    found.add("read_only")
    try:
        pyoxigraph.Store().query(query.text())
    except SyntaxError:
        return found
    return found | {"accepted_by_oxigraph"}


def grammar_cost(
    generator: TransformersGenerator, request: Request, candidates: Sequence[Candidate]
) -> tuple[float, int]:
    """Milliseconds of processor time for the grammar of a question and the masks of its queries; its longest query."""
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    mask = allocate_token_bitmask(1, generator.model.config.vocab_size)
    texts = [generator.tokenizer.encode(" " + c.text, add_special_tokens=False) for c in candidates]
    began = time.process_time()
    assert request.grammar is not None
    written = request.grammar.write(generator.pieces, generator.options.max_new_tokens, least=6)
    start = generator.matcher(written.text)
    for ids in texts:
        matcher = start.deep_copy()
        for token in ids:
            fill_next_token_bitmask(matcher, mask, 0)
            matcher = matcher.deep_copy()
            matcher.consume_token(token)
    return 1000 * (time.process_time() - began), written.longest


def run(n: int, seed: int, each: int = 20, batch: int = 16, show: int = 0) -> dict[str, object]:
    """Sample `n` queries and judge each; see the module's text for what comes back."""
    settings = load_settings()
    store = open_store(str(default_graph()))
    index = open_index(settings, store)
    linker, _ = open_linker(str(default_graph()), store)
    asked = questions(index.terms, entity_labels(default_graph()), seed)
    counts: Counter[str] = Counter()
    lengths: list[int] = []
    costs: list[float] = []
    longest = total = 0
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        options = LoadOptions(sample=True, temperature=1.0, seed=seed)
        generator = TransformersGenerator(random_model(Path(folder), seed), options)
        engine = Engine(Retriever(index, linker), generator)
        rng = Random(seed)
        while total < n:
            requests = []
            for _ in range(min(batch, -(-(n - total) // each))):
                ask = AskOptions(variant=VARIANTS[len(requests) % 2], top_k=rng.choice((4, 12, 24)))
                request = engine.request(engine.prompt(engine.fragment(next(asked), ask), ask))
                against = {"}": rng.choice(WEIGHTS), "ASK": -3.0}
                requests.append(replace(request, bias={**request.bias, **against}))
            for request, candidates in zip(
                requests, generator.generate(requests, candidates=each), strict=True
            ):
                cost, most = grammar_cost(generator, request, candidates[:BEAMS])
                costs.append(cost)
                longest = max(longest, most)
                for candidate in candidates[: n - total]:
                    total += 1
                    counts.update(verdict(candidate, request))
                    lengths.append(len(candidate.token_logprobs))
                    if total <= show:
                        print(candidate.sparql)
    shares = {k: counts[k] / total for k in ("parse", "read_only", "within_budget", "accepted_by_oxigraph")}
    return {
        "n": total,
        "seed": seed,
        "questions": len(costs),
        **shares,
        "outside": counts["outside"],
        "tokens": {**spread(lengths), "allowed": longest},
        "grammar_ms": spread(costs),
        "seconds": round(time.process_time() - began, 1),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile, maximum."""
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 2),
        "p99": round(ordered[int(0.99 * (len(ordered) - 1))], 2),
        "max": round(ordered[-1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.grammar_fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=20, help="queries a question")
    parser.add_argument("--show", type=int, default=0, help="print the first queries")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.n, arguments.seed, arguments.each, show=arguments.show)))


if __name__ == "__main__":
    main()

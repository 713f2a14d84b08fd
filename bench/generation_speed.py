"""How fast the generator writes, on ONNX Runtime and under transformers, and what a first question costs.

    python -m bench.generation_speed [--questions N] [--rounds 3] [--candidates 6] [--cold 5] [--json]

Questions are asked over the sample graph, their prompts and grammars made beforehand. Milliseconds are of processor
time, medians, in one process with one thread and one request at a time; the engines take turns, so that what else the
machine does meets both. `light`: the engine that `ask` uses, `torch`: the same search on transformers' model,
`generate`: transformers' own beam search of as many beams and as many new tokens as the longest query, without a grammar. `at_40`: a
search held to a grammar of queries that are 40 tokens or longer, by milliseconds for each token. `cold`: `ontoprompt
ask` from nothing, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import bench.one_thread  # noqa: F401
from ontoprompt.assembly import open_engine
from ontoprompt.generation import Request, TransformersGenerator
from ontoprompt.light import LightGenerator
from ontoprompt.pipeline import AskOptions, Engine
from ontoprompt.ranking import Cost
from ontoprompt.settings import load_settings

QUESTIONS = (
    "What is the capital of France?",
    "Who wrote The Lord of the Rings?",
    "Which films did Steven Spielberg direct?",
    "How many people live in Berlin?",
    "Is Canberra the capital of Australia?",
    "Which countries have more than 50 million inhabitants?",
    "What is the highest mountain in Japan?",
    "Which books were written by authors born in London?",
    "Who directed the film starring Tom Hanks?",
    "What is the population of the capital of Italy?",
)
_LONG = 40


def requests_of(engine: Engine, questions: Sequence[str]) -> list[Request]:
    """What the generator is asked for each question, as `ask` asks it first."""
    options = AskOptions()
    out = []
    for question in questions:
        fragment = engine.fragment(question, options)
        prompt = engine.prompt(fragment, options)
        out.append(engine.request(prompt, Cost(question, fragment, engine.retriever.heard(fragment))))
    return out


def spent(run: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of processor time that something takes, and what it returns."""
    began = time.process_time()
    result = run()
    return 1000 * (time.process_time() - began), result


def compare(requests: Sequence[Request], rounds: int, candidates: int) -> dict[str, Any]:
    """Medians over all requests and rounds, after one round that is not counted."""
    light, heavy = LightGenerator.open("default"), TransformersGenerator("default")
    assert light is not None
    seen: dict[str, list[float]] = {"light": [], "torch": [], "generate": []}
    lengths: list[int] = []
    same, apart = 0, 0.0
    for number in range(rounds + 1):
        for request in requests:
            a, mine = spent(lambda r=request: light.generate([r], candidates=candidates)[0])
            b, other = spent(lambda r=request: heavy.generate([r], candidates=candidates)[0])
            longest = max(len(c.token_logprobs) for c in mine)
            c, _ = spent(lambda r=request, n=longest: _plain(heavy, r, candidates, n))
            if not number:
                same += [m.sparql for m in mine] == [o.sparql for o in other]
                scores = {o.sparql: o.score for o in other}
                apart = max([apart, *(abs(m.score - scores.get(m.sparql, m.score)) for m in mine)])
                continue
            lengths.append(longest)
            for name, took in zip(seen, (a, b, c), strict=True):
                seen[name].append(took)
    medians = {name: round(statistics.median(values), 1) for name, values in seen.items()}
    return {
        "requests": len(requests),
        "candidates": candidates,
        "tokens": statistics.median(lengths),
        **{f"{name}_ms": value for name, value in medians.items()},
        "ratio_torch": _ratio(seen["torch"], seen["light"]),
        "ratio_generate": _ratio(seen["generate"], seen["light"]),
        "same_candidates": same,
        "scores_apart": round(apart, 6),
        "at_40": _at_forty(light, requests, rounds),
    }


def _ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """The median of the ratios of the same request in the same round."""
    return round(statistics.median(s / f for s, f in zip(slow, fast, strict=True)), 2)


def _plain(generator: TransformersGenerator, request: Request, beams: int, tokens: int) -> Any:
    """transformers' own `generate`, without a grammar and without what symbols mean."""
    import torch

    batch = generator.tokenizer([request.prompt.text], return_tensors="pt", add_special_tokens=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return generator.model.generate(
            **batch, num_beams=beams, num_return_sequences=beams, do_sample=False,
            min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=generator.end, eos_token_id=generator.end,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)


def _at_forty(light: LightGenerator, requests: Sequence[Request], rounds: int) -> dict[str, Any]:
    """One query of 40 tokens, greedily: those that may not end before are the ones counted."""
    took = []
    brace = {" }": -60.0, "}": -60.0}
    for number in range(rounds + 1):
        for request in requests:
            longer = Request(request.prompt, request.grammar, {**request.bias, **brace}, request.unlikely)
            spent_ms, found = spent(lambda r=longer: light.generate([r], candidates=1)[0])
            tokens = max((len(c.token_logprobs) for c in found), default=0)
            if number and tokens >= _LONG:
                took.append(spent_ms * _LONG / tokens)
    return {"n": len(took), "ms": round(statistics.median(took), 1) if took else None}


def cold(times: int) -> dict[str, Any]:
    """`ontoprompt ask` from nothing: wall, user and system seconds (medians), and the peak of memory."""
    import resource

    code = "from ontoprompt.cli import main; main()"
    walls, used = [], []
    for number in range(times + 1):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(
            [sys.executable, "-c", code, "ask", QUESTIONS[0]],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if number:
            walls.append(wall)
            used.append((after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {
        "n": times,
        "wall_s": round(statistics.median(walls), 2),
        "processor_s": round(statistics.median(used), 2),
        "peak_mib": peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.generation_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--candidates", type=int, default=6)
    parser.add_argument("--cold", type=int, default=5, help="first questions asked; 0 for none")
    parser.add_argument("--json", action="store_true", help="one JSON object, nothing else")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    if arguments.cold:
        result["cold"] = cold(arguments.cold)
    if arguments.rounds:
        engine = open_engine(load_settings())
        requests = requests_of(engine, QUESTIONS[: arguments.questions])
        result["warm"] = compare(requests, arguments.rounds, arguments.candidates)
    if arguments.json:
        print(json.dumps(result))
        return
    for part, figures in result.items():
        print(part)
        for name, value in figures.items():
            print(f"  {name:16} {value}")


if __name__ == "__main__":
    main()

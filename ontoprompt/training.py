"""Train a generator: pairs → a CodeGen checkpoint that writes queries in symbols.

The loss is on the query alone; symbols are renumbered, terms reordered and distractors drawn
anew each time a pair is seen. Killed, a run resumes from its last checkpoint. What this does
not cover: training the adapter of an index, which is `adapting.py`.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, TextIO

from .alignment import WordScorer, aligner
from .entities import EntityLink
from .errors import ArtifactError, QueryError, UsageError
from .fragment import Fragment, Hint
from .grounding import Grounding
from .ontology import Term
from .pairs import Labels as Labels
from .pairs import Pair, PreparedPair, SkippedPairError, prepare, read_pairs, to_prompt, to_target
from .sampling import Encoded, Sampler, nearest_terms, rival_entities
from .sparql import PREFIXES

END = "<|endoftext|>"
SYMBOLS = tuple(
    f" {letter}{number}"
    for letter, count in (("c", 16), ("p", 32), ("e", 16), ("l", 8), ("s", 8))
    for number in range(1, count + 1)
)
_WORDS = tuple(
    " " + word
    for word in [
        "SELECT",
        "DISTINCT",
        "ASK",
        "WHERE",
        "FILTER",
        "OPTIONAL",
        "UNION",
        "MINUS",
        "NOT",
        "EXISTS",
        "COUNT",
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "GROUP",
        "BY",
        "HAVING",
        "ORDER",
        "ASC",
        "DESC",
        "LIMIT",
        "OFFSET",
        "VALUES",
        "BIND",
        "AS",
        "IN",
        "CONTAINS",
        "REGEX",
        "LANG",
        "YEAR",
        "STR",
        "LCASE",
        "STRSTARTS",
        "CREATE",
        "TABLE",
        "rdfs:label",
        "p:",
        "ps:",
        "pq:",
        "?a",
        "?b",
        "?c",
        "?d",
        "?e",
        "?f",
        "?g",
        "?h",
        "?n",
        "?m",
        "a",
        "{",
        "}",
        "(",
        ")",
        ".",
        ";",
        ",",
        "=",
        "<",
        ">",
        "<=",
        ">=",
        "!=",
        "&&",
        "||",
        "!",
        "/",
        "^",
        "*",
        "+",
        "|",
        ":",
        "--",
    ]
)
# One pre-token per word, digit, symbol or keyword, so that a symbol is one token in prompt and query alike.
_SPLIT = r" ?\?[a-hnm](?![A-Za-z0-9])| ?[cpels][0-9]{1,2}(?![A-Za-z0-9])| ?(?:rdfs:label|ps:|pq:|p:)| ?[A-Za-z\u00c0-\u024f]+| ?[0-9]| ?(?:<=|>=|!=|&&|\|\||--)| ?[^\sA-Za-z0-9\u00c0-\u024f]|\s+(?!\S)|\s+"


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train: sizes in tokens, rates per step. `unaligned`: the share of examples whose symbols are numbered
    at random, so that only their names say what they stand for; `other_entities`: the share that shows entities which the
    question does not mean; `pooled`: the share that shows many of the terms and entities most like the right ones.
    `steps`: the budget in steps in place of minutes (0: minutes); a run of steps that was killed goes on to the same losses.
    `save_minutes`: how much a killed run loses at most. Defaults make the shipped generator."""

    layers: int = 6
    width: int = 384
    heads: int = 8
    vocabulary: int = 12_000
    context: int = 1024
    tokens_per_batch: int = 1800
    learning_rate: float = 1.0e-3
    warmup: int = 150
    minutes: float = 40.0
    steps: int = 0
    save_minutes: float = 2.0
    max_distractors: int = 11
    unaligned: float = 0.5
    other_entities: float = 0.35
    pooled: float = 0.5
    seed: int = 7
    variant: str = "nsql-symbols"


@dataclass(frozen=True, slots=True)
class PreparedSet:
    """Pairs ready for prompts, and how many were skipped for which reason."""

    pairs: tuple[PreparedPair, ...]
    skipped: Counter[str]


def prepare_all(pairs: Iterable[Pair], labels: Labels, variant: str = "nsql-symbols") -> PreparedSet:
    """Links of all pairs; those that cannot be written in `variant` are counted by reason, not fatal."""
    kept: list[PreparedPair] = []
    skipped: Counter[str] = Counter()
    for pair in pairs:
        try:
            ready = prepare(pair, labels)
            to_target(ready, to_prompt(ready, variant))
        except SkippedPairError as reason:
            skipped[str(reason)] += 1
        except QueryError:
            skipped["a query that does not parse or does more than read"] += 1
        else:
            kept.append(ready)
    return PreparedSet(tuple(kept), skipped)


def make_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A lossless byte-level BPE tokenizer in which every symbol and keyword is one token.

    Sennrich et al. 2016 (BPE); Radford et al. 2019 (bytes). Symbols enter the vocabulary with
    their leading space and are found whole because merges are skipped for a pre-token that
    stands in the vocabulary.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for word in (*SYMBOLS, *_WORDS):
        vocabulary.setdefault(_as_bytes(word), len(vocabulary))
    state["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(state))


def _as_bytes(text: str) -> str:
    """A string in the byte alphabet of byte-level BPE (only ASCII occurs here)."""
    return text.replace(" ", "\u0120").replace("\n", "\u010a")


def new_model(config: TrainConfig, tokenizer: Any) -> Any:
    """A CodeGen model whose word embeddings start from the default encoder's table where a token is a word of it."""
    import torch
    from transformers import CodeGenConfig, CodeGenForCausalLM

    torch.manual_seed(config.seed)
    size = tokenizer.get_vocab_size()
    shape = CodeGenConfig(
        vocab_size=size,
        n_positions=config.context,
        n_ctx=config.context,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        rotary_dim=min(32, config.width // config.heads),
        n_inner=4 * config.width,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=True,
    )
    model = CodeGenForCausalLM(shape)
    _start_embeddings(model, tokenizer)
    model.tie_weights()
    return model


def _start_embeddings(model: Any, tokenizer: Any) -> None:
    import torch

    from .embedding import word_embeddings

    table, pieces = word_embeddings()
    weight = model.transformer.wte.weight
    with torch.no_grad():
        weight.normal_(0.0, 0.05)
        if table.shape[1] != weight.shape[1]:
            return
        scale = 0.05 / float(table.std())
        for text, index in tokenizer.get_vocab().items():
            word = text.replace("\u0120", "").lower()
            if word and text not in {_as_bytes(s) for s in SYMBOLS} and (ids := pieces(word)):
                weight[index] = torch.as_tensor(table[ids].mean(0)) * scale


def train_generator(
    sets: Sequence[tuple[float, Sequence[PreparedPair]]],
    pool: Sequence[Term],
    out: Path,
    config: TrainConfig,
    *,
    near: Mapping[str, Sequence[Term]] | None = None,
    align: Callable[[Fragment], tuple[Hint, ...]] | None = None,
    rivals: Mapping[str, Sequence[EntityLink]] | None = None,
    tokenizer: Any = None,
    init_from: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train for `config.steps`, or `config.minutes` (counted over resumes), and leave a checkpoint in `out`; returns its
    log's last line.

    Optimiser: AdamW with a cosine schedule over the budget spent, bfloat16 autocast. Saved now and then
    to `out/state` and at the end, in half precision, to `out`.
    """
    import torch

    if not any(p for _, p in sets):
        raise UsageError(
            "There is no pair to train on.", "Give a file of JSON lines with `question` and `sparql`."
        )
    out.mkdir(parents=True, exist_ok=True)
    state_dir = out / "state"
    tokenizer = tokenizer or make_tokenizer(_tokenizer_texts(sets, pool, config), config.vocabulary)
    if (state_dir / "tokenizer.json").exists():
        tokenizer = load_tokenizer(state_dir)
    model = new_model(config, tokenizer)
    grounding = Grounding.new(config.width)
    decay = [p for p in (*model.parameters(), *grounding.parameters()) if p.dim() > 1]
    other = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=(0.9, 0.97),
    )
    step, seen, spent, running = _resume(state_dir, init_from, model, grounding, optimizer)
    sampler = Sampler(sets, pool, tokenizer, config, near, align, rivals)
    last_save = spent
    log = _log_up_to(out / "log.jsonl", step)
    record: dict[str, Any] = {"step": step, "seen": seen, "minutes": spent}

    def share() -> float:
        return step / config.steps if config.steps else spent / config.minutes

    model.train()
    while (done := share()) < 1.0:
        began = time.monotonic()
        rate = (
            config.learning_rate
            * min(1.0, (step + 1) / config.warmup)
            * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Of each step its own: what is drawn after a resumption is what would have been drawn.
        examples = sampler.batch(Random(f"{config.seed} {step}"), done)
        loss = _step(model, grounding, optimizer, examples)
        step += 1
        seen += len(examples)
        running = loss if step == 1 else 0.98 * running + 0.02 * loss if running else loss
        spent += (time.monotonic() - began) / 60
        record = {
            "step": step,
            "seen": seen,
            "minutes": round(spent, 2),
            "loss": round(running, 4),
            "rate": round(rate, 6),
        }
        if step == 1 or step % 25 == 0 or share() >= 1.0:
            log.write(json.dumps(record) + "\n")
            log.flush()
            if progress:
                passed = (step, config.steps) if config.steps else (round(spent), round(config.minutes))
                progress(f"training, loss {running:.3f}", *passed)
        if spent - last_save > config.save_minutes:
            last_save = spent
            _save_state(state_dir, model, grounding, optimizer, tokenizer, (step, seen, spent, running))
    log.close()
    _save_state(state_dir, model, grounding, optimizer, tokenizer, (step, seen, spent, running))
    save_generator(model, tokenizer, out)
    grounding.save(out)
    (out / "training.json").write_text(
        json.dumps({"config": asdict(config), **record}, indent=1), encoding="utf-8"
    )
    return record


def _tokenizer_texts(
    sets: Sequence[tuple[float, Sequence[PreparedPair]]], pool: Sequence[Term], config: TrainConfig
) -> Iterable[str]:
    for _, pairs in sets:
        for prepared in pairs[:20_000]:
            yield to_prompt(prepared, config.variant).text
    for term in pool:
        yield " " + term.label.lower()


def _step(model: Any, grounding: Grounding, optimizer: Any, examples: Sequence[Encoded]) -> float:
    """One update over the examples, in two length-sorted halves to spare padding. Returns the mean loss per token."""
    import torch

    targets = sum(len(e.ids) - e.start for e in examples)
    total = 0.0
    half = (2 * len(examples)) // 3
    for part in (examples[:half], examples[half:]):
        if not part:
            continue
        width = max(len(e.ids) for e in part)
        ids = torch.zeros((len(part), width), dtype=torch.long)
        wanted = torch.zeros((len(part), width), dtype=torch.bool)
        for row, e in enumerate(part):
            ids[row, : len(e.ids)] = torch.tensor(e.ids)
            wanted[row, e.start : len(e.ids)] = True
        rows = torch.arange(len(part))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            bound = grounding.bind([e.meaning for e in part], model.config.vocab_size)
            embedded = bound.embeddings(model.transformer.wte, ids, rows, prompts=True)
            hidden = model.transformer(inputs_embeds=embedded).last_hidden_state
            # Only the query's positions reach the head: it is as dear as two layers.
            states = hidden[:, :-1][wanted[:, 1:]]
            bound.listen(hidden)
            pointed = bound.scores(states, rows[:, None].expand_as(ids)[:, 1:][wanted[:, 1:]])
            logits = model.lm_head(states).index_add(1, bound.tokens, pointed[:, :-1])
        loss = (
            torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][wanted[:, 1:]], reduction="sum")
            / targets
        )
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_([*model.parameters(), *grounding.parameters()], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def _resume(
    state_dir: Path, init_from: Path | None, model: Any, grounding: Grounding, optimizer: Any
) -> tuple[int, int, float, float]:
    """Steps, examples and minutes so far and the mean loss; what is there is loaded into model, grounding and optimiser."""
    import torch

    if (state_dir / "state.pt").exists():
        state = torch.load(state_dir / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        grounding.copy_from(state["grounding"])
        optimizer.load_state_dict(state["optimizer"])
        running = float(state.get("running", 0.0))
        return int(state["step"]), int(state["seen"]), float(state["spent"]), running
    if init_from is not None:
        from safetensors.torch import load_file

        try:
            weights = load_file(init_from / "model.safetensors")
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"The checkpoint {init_from} cannot be read: {error}.",
                "Give the folder of a trained generator.",
            ) from error
        model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
        if (before := Grounding.load(init_from)) is not None:
            grounding.copy_from(before.matrices)
    return 0, 0, 0.0, 0.0


def _log_up_to(path: Path, step: int) -> TextIO:
    """The log, opened to go on after `step`: a killed run wrote of steps that are done again."""
    kept: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):  # cut off
                continue
    path.write_text("".join(kept), encoding="utf-8")
    return path.open("a", encoding="utf-8")


def _save_state(
    state_dir: Path,
    model: Any,
    grounding: Grounding,
    optimizer: Any,
    tokenizer: Any,
    counts: tuple[int, int, float, float],
) -> None:
    import torch

    state_dir.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(state_dir / "tokenizer.json"))
    temporary = state_dir / "state.pt.new"
    step, seen, spent, running = counts
    torch.save(
        {
            "model": model.state_dict(),
            "grounding": {name: matrix.detach() for name, matrix in grounding.matrices.items()},
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seen": seen,
            "spent": spent,
            "running": running,
        },
        temporary,
    )
    temporary.replace(state_dir / "state.pt")


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer saved in a folder."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def save_generator(model: Any, tokenizer: Any, out: Path) -> None:
    """A folder that `AutoModelForCausalLM` and `AutoTokenizer` load: half precision, embeddings tied."""
    import torch
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(out)
    was = model.dtype
    model.to(torch.float16).save_pretrained(out)
    model.to(was)


def gold_labels(ontologies: Sequence[str | Path] = (), entity_labels: Path | None = None) -> Labels:
    """Names for gold links: the bundled vocabularies (or `ontologies`), and a table of Wikidata item labels."""
    from .ontology import load_ontology
    from .settings import bundled

    files = list(ontologies) or [
        f
        for f in (bundled("ontology", "dbpedia.ttl"), bundled("ontology", "wikidata-properties.ttl"))
        if f.is_file()
    ]
    names: dict[str, str] = {}
    if entity_labels is not None:
        try:
            lines = entity_labels.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"The label table {entity_labels} cannot be read: {error}.",
                "Give lines of identifier, tab, label.",
            ) from error
        for line in lines:
            identifier, tab, name = line.partition("\t")
            if tab:
                names[f"http://www.wikidata.org/entity/{identifier}"] = name.split("\t")[0]
    return Labels([load_ontology([file]) for file in files], names)


def _template_pairs(
    pool: Sequence[Term], labels: Labels, pairs: Sequence[PreparedPair], count: int, seed: int
) -> tuple[PreparedPair, ...]:
    """`count` template pairs over the terms; three in eight over Wikidata's statements where its properties are among
    them and its items have names."""
    from .ontology import Ontology
    from .synthesis import template_pairs
    from .wikidata_templates import statement_pairs

    items = list(labels.entities.values())
    direct = tuple(t for t in pool if t.iri.startswith(PREFIXES["wdt"]))
    other = tuple(t for t in pool if t not in set(direct) and (t.kind == "class" or t.usage >= 200))
    over_statements = count * 3 // 8 if direct and items else 0
    names = items or [e.label for p in pairs for e in p.entities] or ["Alpha", "Beta"]
    made = list(
        template_pairs(Ontology(other or direct, (), {}), {"": names}, count - over_statements, seed=seed)
    )
    if over_statements:
        made += statement_pairs(Ontology(direct, (), {}), items, over_statements, seed=seed)
    return tuple(made)


def train_from_files(
    files: Sequence[Path],
    out: Path,
    config: TrainConfig,
    *,
    ontologies: Sequence[str] = (),
    entity_labels: Path | None = None,
    templates: int = 0,
    weights: Sequence[float] = (),
    indexes: Sequence[Path] = (),
    init_from: Path | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Train from pairs files and template pairs as one more. `weights` says how often each is drawn from, in
    order, the templates last; without them it is the square root of its size. The entities to confuse the right ones
    with are those that a linker finds among all names of the pairs and of `entity_labels`. From `indexes` come the terms
    that retrieval would show beside the right ones, and how well terms stand for words. Raises UsageError when files and weights do not fit.
    """
    if weights and len(weights) != len(files) + bool(templates):
        raise UsageError(
            f"There are {len(weights)} weights for {len(files) + bool(templates)} sets of pairs.",
            "Give one --weight for each file, and one for the templates.",
        )
    labels = gold_labels(ontologies, entity_labels)
    sets: list[tuple[float, Sequence[PreparedPair]]] = []
    for file in files:
        if progress:
            progress(f"reading {file.name}", 0, None)
        prepared = prepare_all(read_pairs(file), labels, config.variant)
        for reason, count in prepared.skipped.most_common():
            if progress:
                progress(f"left out of {file.name}: {reason}", count, count)
        sets.append((math.sqrt(len(prepared.pairs)), prepared.pairs))
    pool = list(labels.terms.values())
    asked = [p for _, some in sets for p in some]
    names = {e.iri: e.label for p in asked for e in p.entities} | dict(labels.entities)
    rivals = rival_entities(asked, names, out / "state", progress) if names and config.pooled else {}
    if templates:
        made = _template_pairs(pool, labels, asked, templates, config.seed)
        sets.append((math.sqrt(len(made)), made))
    if weights:
        sets = [(weight, pairs) for weight, (_, pairs) in zip(weights, sets, strict=True)]
    from .index import OntologyIndex

    opened = [OntologyIndex.load(i) for i in indexes]
    near: dict[str, list[Term]] = {}
    if opened:
        if progress:
            progress("searching for terms to confuse it with", 0, None)
        near = nearest_terms([p for _, s in sets for p in s], opened)
    align = aligner([WordScorer(index) for index in opened])
    tokenizer = load_tokenizer(init_from) if init_from is not None else None
    return train_generator(
        sets,
        pool,
        out,
        config,
        near=near,
        align=align,
        rivals=rivals,
        tokenizer=tokenizer,
        init_from=init_from,
        progress=progress,
    )

"""Question sets in the formats in which they are published, read into one type, their known quirks mended by name."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.repairs import repaired_query, repaired_question, usable
from ontoprompt import sparql
from ontoprompt.errors import QueryError, QuerySyntaxError, SourceError
from ontoprompt.settings import user_data_dir

Answers = bool | tuple[tuple[str, ...], ...]
FORMATS = ("lcquad2", "lcquad1", "qald", "text2sparql", "jsonl")
_HINT = f"Give JSON lines with `question` and `sparql`, or --format, one of {', '.join(FORMATS)}."
# As their makers call them, then as parts of them are called.
_FILES = (
    "{}.json",
    "{}-data.json",
    "qald_9_plus_{}_dbpedia.json",
    "qald_9_plus_{}_wikidata.json",
    "questions_{}.yaml",
    "questions_{}.yml",
    "{}_a.jsonl",
    "{}.jsonl",
    "{}_part.jsonl",
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold query. `answers`: the gold's, where the file has them: yes or no, or rows; `graph`:
    `wikidata`, `dbpedia`, `dblp`, `orkg`, what the file calls another, or empty; `answerable`: what the file says of it, None where it does not;
    `kind`: the repairs that its gold may need, a key of `bench.repairs.QUERY_REPAIRS`."""

    id: str
    question: str
    paraphrases: tuple[str, ...]
    query: str
    answers: Answers | None
    graph: str
    template: str
    split: str
    answerable: bool | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The questions of a file; `repairs`: how many were mended, by name; `left_out`: rows without a question or a
    query that parses, by reason."""

    name: str
    questions: tuple[Question, ...]
    repairs: Counter[str]
    left_out: Counter[str]


def read_dataset(
    path: Path, format: str | None = None, *, graph: str | None = None, split: str = "", repair: bool = True
) -> Dataset:
    """The questions of a file. `format`: one of `FORMATS`, None: told by its fields; `graph`: `dbpedia` reads LC-QuAD
    2.0's DBpedia-2018 queries, elsewhere it says what the file does not; `split`: else what the file's name says.
    Without `repair` texts stay as they are, and a row that needs a paraphrase for its question is left out.

    Raises SourceError for what cannot be read as any of them.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"There is no format '{format}'.", f"Choose one of: {', '.join(FORMATS)}.")
    rows = list(_rows(path))
    told = format or _told(rows)
    if told is None:
        raise SourceError(f"{path} holds no question and query that can be told by their names.", _HINT)
    named = re.search(r"(?:^|[-_])(train|test|dev|val)(?![a-z])", path.stem)
    repairs: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    questions: list[Question] = []
    faults: dict[str, str] = {}
    for number, row in enumerate(rows):
        made = _READERS[told](row, graph, str(number))
        borrowed = told == "lcquad2" and not _texts(row.get("question"))
        if isinstance(made, str) or (borrowed and not repair):
            left_out[made if isinstance(made, str) else "no question"] += 1
            continue
        made = replace(
            made,
            split=split or made.split or (named[1] if named else ""),
            graph=made.graph or _graph_of(made.query),
        )
        made = replace(made, kind=_kind(made.graph, "spider4sparql" if "kg_name" in row else told))
        names: list[str] = []
        if repair:
            made, names = _repaired(made)
        if fault := _fault(made.query, faults):
            left_out[fault] += 1
            continue
        repairs.update([*names, "a paraphrase asked for want of a question"] if borrowed else names)
        questions.append(made)
    return Dataset(path.parent.name or path.stem, tuple(questions), repairs, left_out)


def _fault(query: str, known: dict[str, str]) -> str:
    """Why a query cannot be used, or nothing. Most queries of a set differ in names and values alone, so what was found
    for one is kept in `known` for all of its form."""
    form = re.sub(r"\b([QP])\d+\b", r"\g<1>1", query)
    form = re.sub(r"<https?://[^<>\"{}|^`\\\s]*>", "<http://x/>", form)
    form = re.sub(r"\b(db[rop]):\w+", r"\1:x", form, flags=re.ASCII)
    if not re.search(r"\\|'''|\"\"\"", form):
        # Without escapes and long strings a quotation mark ends what the last one of its kind began.
        form = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", "''", form)
    if form not in known:
        try:
            sparql.check_read_only(sparql.parse(query))
            known[form] = ""
        except QuerySyntaxError:
            known[form] = "the query does not parse"
        except QueryError:
            known[form] = "the query does more than read one graph"
    return known[form]


def find_dataset(name: str, split: str, data: Path | None = None) -> Path:
    """The file of a data set's split: under `data`, else ONTOPROMPT_DATA, else where `bench.fetch` puts it; a whole
    official file before a part of it. Raises SourceError when nothing is there."""
    folders = [data, os.environ.get("ONTOPROMPT_DATA"), user_data_dir() / "bench" / "data"]
    for folder in (Path(f) for f in folders if f):
        for form in _FILES:
            path = folder / name / form.format(split)
            if path.is_file():
                return path
    raise SourceError(
        f"The {split} split of '{name}' is not on this machine.",
        f"Fetch it with `python -m bench.fetch {name}`, or name the folder that holds {name}/ in ONTOPROMPT_DATA.",
    )


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a file, whatever they stand in."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SourceError(f"{path} cannot be read: {reason}.", "Check the path.") from error
    if path.suffix in (".yml", ".yaml"):
        yield from _from_yaml(path, text)
        return
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        yield from _from_lines(path, text)
        return
    if isinstance(whole, dict):
        inner = whole.get("questions")
        if isinstance(inner, list):
            dataset = whole.get("dataset")
            yield from ({"_dataset": dataset, **row} for row in inner if isinstance(row, dict))
            return
        whole = [whole]
    if not isinstance(whole, list):
        raise SourceError(f"{path} holds no list of questions.", _HINT)
    yield from (row for row in whole if isinstance(row, dict))


def _from_lines(path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise SourceError(f"{path}, line {number}, is not JSON: {error.msg}.", _HINT) from error
        if isinstance(row, dict):
            yield row


def _from_yaml(path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    import yaml

    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SourceError(f"{path} is no YAML: {str(error).splitlines()[0]}.", _HINT) from error
    if not isinstance(whole, dict) or not isinstance(whole.get("questions"), list):
        raise SourceError(f"{path} holds no `questions`.", _HINT)
    yield from ({"_dataset": whole.get("dataset"), **q} for q in whole["questions"] if isinstance(q, dict))


def _told(rows: Iterable[Mapping[str, Any]]) -> str | None:
    for row in rows:
        if "sparql_wikidata" in row or "sparql_dbpedia18" in row:
            return "lcquad2"
        if "sparql_query" in row or "corrected_question" in row:
            return "lcquad1"
        if isinstance(row.get("question"), list):
            return "qald"
        if isinstance(row.get("question"), dict) and isinstance(row.get("query"), dict):
            return "text2sparql"
        if "question" in row and ("sparql" in row or "query" in row):
            return "jsonl"
    return None


# --- readers: a row → a question, or why there is none


def _lcquad2(row: Mapping[str, Any], graph: str | None, number: str) -> Question | str:
    field = "sparql_dbpedia18" if graph == "dbpedia" else "sparql_wikidata"
    query = row.get(field)
    texts = [*_texts(row.get("question")), *_texts(row.get("paraphrased_question"))]
    asked = list(dict.fromkeys([*texts, *_texts(row.get("paraphrases"))]))
    if not asked:
        return "no question"
    if not usable(query):
        return "no query"
    # `template_index` is left: it has 1,248 values in 1,493 rows.
    template = row.get("template") or row.get("template_id") or ""
    uid = row.get("uid")
    return Question(
        id=str(uid if uid is not None else row.get("id", number)),
        question=asked[0],
        paraphrases=tuple(asked[1:]),
        query=str(query),
        answers=_answers(row.get("answers")),
        graph="dbpedia" if graph == "dbpedia" else "wikidata",
        template=_template(template),
        split="",
        answerable=row.get("answerable"),
    )


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a field that holds one, a list of them, or nothing that can be asked."""
    return tuple(text for text in (value if isinstance(value, list) else [value]) if usable(text))


def _template(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())


def _lcquad1(row: Mapping[str, Any], graph: str | None, number: str) -> Question | str:
    question = row.get("corrected_question") or row.get("question")
    query = row.get("sparql_query") or row.get("sparql")
    if not usable(question):
        return "no question"
    if not usable(query):
        return "no query"
    return Question(
        id=str(row.get("_id", row.get("id", number))),
        question=str(question),
        paraphrases=(),
        query=str(query),
        answers=None,
        graph="dbpedia",
        template=_template(row.get("sparql_template_id", "")),
        split="",
    )


def _qald(row: Mapping[str, Any], graph: str | None, number: str) -> Question | str:
    texts = [q for q in row.get("question") or () if isinstance(q, dict)]
    english = [q.get("string") for q in texts if q.get("language") == "en" and usable(q.get("string"))]
    query = row.get("query") or {}
    text = query.get("sparql") if isinstance(query, dict) else None
    if not english:
        return "no English question"
    if not usable(text):
        return "no query"
    return Question(
        id=str(row.get("id", number)),
        question=str(english[0]),
        paraphrases=tuple(map(str, english[1:])),
        query=str(text),
        answers=_answers(row.get("answers")),
        graph=graph or "",
        template="",
        split="",
    )


def _text2sparql(row: Mapping[str, Any], graph: str | None, number: str) -> Question | str:
    texts, query = row.get("question"), row.get("query")
    dataset = row.get("_dataset")
    known = dataset if isinstance(dataset, dict) else {}
    # A company's queries name DBpedia's countries: the file says which graph is asked, not its IRIs.
    asked = "dbpedia" if "dbpedia" in str(known.get("id")) else known.get("prefix")
    question = texts.get("en") if isinstance(texts, dict) else texts
    text = query.get("sparql") if isinstance(query, dict) else None
    if not usable(question):
        return "no English question"
    if not usable(text):
        return "no query"
    return Question(
        id=str(row.get("id", number)),
        question=str(question),
        paraphrases=(),
        query=str(text),
        answers=None,
        graph=str(graph or asked or ""),
        template=_template(row.get("features") or ""),
        split="",
    )


def _plain(row: Mapping[str, Any], graph: str | None, number: str) -> Question | str:
    question, query = row.get("question"), row.get("sparql") or row.get("query")
    if not usable(question):
        return "no question"
    if not usable(query):
        return "no query"
    return Question(
        id=str(row.get("id", number)),
        question=str(question),
        paraphrases=_texts(row.get("paraphrases")),
        query=str(query),
        answers=_answers(row.get("answers")),
        graph=str(row.get("graph") or graph or row.get("kg_name") or ""),
        template=_template(row.get("template") or ""),
        split=str(row.get("split") or ""),
        answerable=row.get("answerable"),
    )


_READERS: Mapping[str, Callable[[Mapping[str, Any], str | None, str], Question | str]] = {
    "lcquad2": _lcquad2,
    "lcquad1": _lcquad1,
    "qald": _qald,
    "text2sparql": _text2sparql,
    "jsonl": _plain,
}


def _answers(value: Any) -> Answers | None:
    """Gold answers in any of the forms in which files hold them; None where there are none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(v, dict) for v in value):
        first = value[0]
        if "boolean" in first:
            return str(first["boolean"]).lower() == "true"
        names = (first.get("head") or {}).get("vars") or []
        bindings = (first.get("results") or {}).get("bindings") or []
        return tuple(tuple(str((b.get(n) or {}).get("value", "")) for n in names) for b in bindings)
    if len(value) == 1 and str(value[0]).lower() in ("true", "false"):
        return str(value[0]).lower() == "true"
    return tuple(tuple(map(str, v)) if isinstance(v, list) else (str(v),) for v in value)


def _graph_of(query: str) -> str:
    """The graph that a query is for, by the IRIs in it."""
    for sign, graph in (
        ("wikidata.org", "wikidata"),
        ("wd:Q", "wikidata"),
        ("wdt:P", "wikidata"),
        ("dbpedia.org", "dbpedia"),
        ("dbo:", "dbpedia"),
        ("dbr:", "dbpedia"),
        ("dblp.org", "dblp"),
        ("orkg.org", "orkg"),
    ):
        if sign in query:
            return graph
    return ""


def _kind(graph: str, told: str) -> str:
    """Which repairs a question of a graph may need, in a file of that format."""
    if told == "spider4sparql":
        return told
    if told == "lcquad2" and graph == "dbpedia":
        return "lcquad2 on DBpedia"
    return {"wikidata": "lcquad2", "dbpedia": "lcquad1"}.get(graph, "")


def _repaired(question: Question) -> tuple[Question, list[str]]:
    """A question mended, and the names of its repairs; those of all paraphrases count as one."""
    kind = question.kind
    query, of_query = repaired_query(question.query, kind)
    text, of_text = repaired_question(question.question, kind)
    paraphrases = tuple(repaired_question(p, kind)[0] for p in question.paraphrases)
    others = ["in a paraphrase"] if paraphrases != question.paraphrases else []
    made = replace(question, question=text, query=query, paraphrases=paraphrases)
    return made, [*of_query, *of_text, *others]

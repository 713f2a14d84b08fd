"""NSpM's template files: semicolon-separated rows of classes, question, query, generator query and id.

Soru et al. 2018 and the files of the LiberAI/NSpM project: up to three classes restrict the placeholders <A> <B> <C>; the
generator query finds what they may stand for. Each is extended here so that it gives names as well, and run once; of its
rows at most 600 are taken, those first whose resources have been used 11 to 20 times so far.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .clauses import Draft, mark
from .errors import QueryError, SourceError
from .execution import Store
from .ontology import local_name
from .sparql import PREFIXES, parse, property_of

MOST_FILLINGS = 600
_PREFERRED = ((11, 20), (21, 30), (1, 10), (31, 50), (0, 0))
_HINT = "A row reads class;class;class;question;query;generator query;id, with <A>, <B> and <C> in question and query."


@dataclass(frozen=True, slots=True)
class Template:
    """One row. `classes`: of the placeholders in order, empty where any will do."""

    id: str
    classes: tuple[str, ...]
    question: str
    query: str
    generator: str

    @property
    def places(self) -> tuple[str, ...]:
        """The placeholders of the query, `A` first."""
        return tuple(sorted(set(re.findall(r"<([ABC])>", self.query))))


def read_templates(path: Path) -> list[Template]:
    """The templates of a file. Raises SourceError naming the line of what is no template."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The templates {path} cannot be read.", "Give a UTF-8 text file.") from error
    found = []
    for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=";"), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) < 6:
            raise SourceError(f"{path}, line {number}, has {len(cells)} fields, not 6 or 7.", _HINT)
        template = Template(
            cells[6] if len(cells) > 6 and cells[6] else f"{path.stem}:{number}",
            tuple(cells[:3]),
            *cells[3:6],
        )
        asked = tuple(sorted(set(re.findall(r"<([ABC])>", template.question))))
        if not template.places or asked != template.places:
            raise SourceError(
                f"{path}, line {number}: question and query have different placeholders.", _HINT
            )
        try:
            parse(_filled(template.query, dict.fromkeys("ABC", "http://example.org/x")))
        except QueryError as error:
            raise SourceError(
                f"{path}, line {number}: the query is no SPARQL: {error.message}", _HINT
            ) from error
        found.append(template)
    if not found:
        raise SourceError(f"{path} holds no template.", _HINT)
    return found


def fill(
    templates: Sequence[Template], store: Store, learn: Callable[[str, str], None], *, timeout: float = 30.0
) -> list[list[Draft]]:
    """The fillings of each template, best first; `learn` is told the name of every resource. A template without a
    filling gives an empty list."""
    used: Counter[str] = Counter()
    made = []
    for template in templates:
        drafts: list[Draft] = []
        rows = sorted(
            _rows(template, store, timeout), key=lambda row: sum(_rank(used[iri]) for iri, _ in row)
        )
        for row in rows[:MOST_FILLINGS]:
            names = dict(zip(template.places, row, strict=True))
            for iri, label in row:
                used[iri] += 1
                learn(iri, label)
            query = _filled(template.query, {place: iri for place, (iri, _) in names.items()})
            question = re.sub(r"<([ABC])>", lambda m, names=names: mark(names[m[1]][0]), template.question)  # type: ignore[misc]
            entities = {iri for iri, _ in row}
            terms = (
                tuple(sorted({property_of(i) for i in parse(query).iris()} - entities))
                if not drafts
                else drafts[0].terms
            )
            drafts.append(Draft("template", template.id, question, query, terms))
        made.append(drafts)
    return made


def _rank(used: int) -> int:
    return next((rank for rank, (low, high) in enumerate(_PREFERRED) if low <= used <= high), len(_PREFERRED))


def _rows(template: Template, store: Store, timeout: float) -> list[list[tuple[str, str]]]:
    """Resources and names for the placeholders: by class, and when that gives nothing, of any class."""
    for classes in dict.fromkeys((template.classes, ("", "", ""))):
        result = store.query(_extended(template, classes), timeout=timeout, max_rows=3 * MOST_FILLINGS)
        rows: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for cells in result.rows:
            iris, names = cells[::2], cells[1::2]
            if any(c is None or c.type != "uri" for c in iris):
                continue
            pairs = [
                (c.value, _label(c.value, n.value if n else ""))
                for c, n in zip(iris, names, strict=True)
                if c is not None
            ]
            if all(name for _, name in pairs):
                rows.setdefault(tuple(iri for iri, _ in pairs), pairs)
        if rows:
            return [rows[key] for key in sorted(rows)]
    return []


def _extended(template: Template, classes: Sequence[str]) -> str:
    """The generator query with a name and a class for each variable. Commas between variables, which Virtuoso takes, go."""
    body = re.search(r"\{(.*)\}", template.generator, re.S)
    if body is None:
        raise SourceError(
            f"The template {template.id} has no generator query with a pattern in braces.", _HINT
        )
    wanted, more = [], []
    for place in template.places:
        variable = place.lower()
        cls = classes["ABC".index(place)] if "ABC".index(place) < len(classes) else ""
        wanted += [f"?{variable}", f"?{variable}_name"]
        if cls and not re.search(rf"\?{variable} (?:a|rdf:type) ", body[1]):
            more.append(
                f"?{variable} a {cls if ':' in cls and cls.partition(':')[0] in PREFIXES else f'<{cls}>'} ."
            )
        more.append(
            f'OPTIONAL {{ ?{variable} rdfs:label ?{variable}_name FILTER(LANG(?{variable}_name) IN ("", "en")) }}'
        )
    return f"SELECT DISTINCT {' '.join(wanted)} WHERE {{ {body[1].strip().rstrip('.')} . {' '.join(more)} }}"


def _label(iri: str, label: str) -> str:
    """A name without what stands in brackets or after a comma."""
    return re.sub(r"\s*\([^()]*\)|,.*$", "", label or local_name(iri).replace("_", " ")).strip()


def _filled(query: str, iris: dict[str, str]) -> str:
    return re.sub(r"<([ABC])>", lambda m: f"<{iris[m[1]]}>", query)

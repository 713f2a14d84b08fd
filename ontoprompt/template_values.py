"""Patterns of template pairs over values: extremes, most of, filters, two values, what is common."""

from __future__ import annotations

from .ontology import Term
from .phrases import spoken
from .template_links import COUNTS, LISTS
from .template_words import TemplateWords, starts_at

_SPELLED = dict(
    enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
)


class ValuePatterns(TemplateWords):
    """Each returns question, query and terms, or None where the terms drawn do not fit."""

    def _superlative(self) -> tuple[str, str, list[Term]] | None:
        p = self.term(self.numbers if self.rng.random() < 0.7 else self.times)
        cls = self._subject_class(p)
        if cls not in self.terms:
            return None
        most = self.rng.random() < 0.7
        own = self.wording(p)
        label = spoken(p.label)
        noun = self.plural(cls) if self.rng.random() < 0.3 else spoken(self.terms[cls].label)
        adjectives = own.most if most else own.least
        top = (
            self.pick(("highest", "largest", "greatest", "most"))
            if most
            else self.pick(("lowest", "smallest", "least"))
        )
        place, where, extra = "", "", []
        if self.rng.random() < 0.45:
            fits = [t for t in self.links if starts_at(t, {cls, *p.domain, *self.terms[cls].parents})]
            if fits:
                q = self.term(fits)
                e = self.entity(q.range[0] if q.range else "")
                place, where, extra = f" {self.have(q, f'<{e.iri}>')}", f" . ?a <{q.iri}> <{e.iri}>", [q]
        count, limit = "", "1"
        if self.rng.random() < 0.2:
            limit = str(self.rng.randint(2, 10))
            count = f" {self.rng.choice((limit, _SPELLED[int(limit)]))}"
        done = self._done(p)
        if done and self.rng.random() < 0.3:
            when = self.pick(("last", "most recently") if most else ("first", "earliest"))
            question = f"which{count} {noun}{place} was {done} {when}?"
        elif adjectives and self.rng.random() < 0.75:
            adjective = self.pick(adjectives)
            question = self.pick(
                (
                    f"what is the{count} {adjective} {noun}{place}?",
                    f"which {noun}{place} is the{count} {adjective}?",
                    f"name the{count} {adjective} {noun}{place}",
                    f"the{count} {adjective} {noun}{place}",
                    f"which is the{count} {adjective} {noun}{place}?",
                    f"what are the{count} {adjective} {noun}{place}?",
                )
            )
        else:
            question = self.pick(
                (
                    f"which{count} {noun}{place} has the {top} {label}?",
                    f"what{count} {noun}{place} have the {top} {label}?",
                    f"the{count} {noun}{place} with the {top} {label}",
                )
            )
        typed = f"?a a <{cls}> . " if self.rng.random() < 0.9 else ""
        order = "DESC" if most else "ASC"
        if (
            p in self.times
            and adjectives
            and adjectives[0] in ("youngest", "newest", "latest", "last to die")
        ):
            order = "DESC" if most else "ASC"
        return (
            question,
            f"SELECT DISTINCT ?a WHERE {{ {typed}?a <{p.iri}> ?b{where} }} ORDER BY {order}(?b) LIMIT {limit}",
            [p, *extra, *([self.terms[cls]] if typed else [])],
        )

    def _superlative_of(self) -> tuple[str, str, list[Term]] | None:
        """`which child of X is the oldest`: the extreme among the values of a property."""
        p = self.term(self.links)
        reach = set(p.range)
        for cls in p.range:
            reach |= set(self.terms[cls].parents) if cls in self.terms else set()
        fits = [t for t in (*self.numbers, *self.times) if starts_at(t, reach)]
        if not fits:
            return None
        q = self.term(fits)
        e = self.entity(self._subject_class(p))
        x = f"<{e.iri}>"
        most = self.rng.random() < 0.6
        label, other = spoken(p.label), spoken(q.label)
        adjectives = self.wording(q).most if most else self.wording(q).least
        done = self._done(q)
        which = self.pick(
            (f"{label} of {x}", f"{x}'s {label}", f"of {x}'s {label}s", f"of the {label}s of {x}")
        )
        if done and self.rng.random() < 0.4:
            when = self.pick(("last", "most recently") if most else ("first", "earliest"))
            question = f"which {which} was {done} {when}?"
        elif adjectives and self.rng.random() < 0.75:
            adjective = self.pick(adjectives)
            question = self.pick(
                (
                    f"which {which} is the {adjective}?",
                    f"which {which} was the {adjective}?",
                    f"who is the {adjective} {label} of {x}?",
                    f"what is the {adjective} {label} of {x}?",
                    f"the {adjective} {label} of {x}",
                )
            )
        else:
            top = self.pick(
                ("highest", "largest", "latest", "most")
                if most
                else ("lowest", "smallest", "earliest", "least")
            )
            question = f"which {which} has the {top} {other}?"
        order = "DESC" if most else "ASC"
        return (
            question,
            f"SELECT DISTINCT ?a WHERE {{ {x} <{p.iri}> ?a . ?a <{q.iri}> ?b }} ORDER BY {order}(?b) LIMIT 1",
            [p, q],
        )

    def _most_of(self) -> tuple[str, str, list[Term]] | None:
        """`who directed the most films`, `which country has the most cities`."""
        p = self.term(self.links)
        cls, target = self._subject_class(p), p.range[0] if p.range else ""
        own = [a for a in self.wording(p).ask if a.startswith(("who ", "which person "))]
        if self.rng.random() < 0.5 and own:
            question = self.pick(own).replace("{x}", f"the most {self.plural(cls)}")
        else:
            question = self.pick(
                (
                    f"which {self.plural(target)} is the {spoken(p.label)} of the most {self.plural(cls)}?",
                    f"which {self.plural(target)} has the most {self.plural(cls)}?",
                    f"who has the most {self.plural(cls)} as {spoken(p.label)}?",
                )
            )
        part = f" . ?b a <{cls}>" if cls in self.terms and self.rng.random() < 0.4 else ""
        return (
            question,
            f"SELECT ?a WHERE {{ ?b <{p.iri}> ?a{part} }} GROUP BY ?a ORDER BY DESC(COUNT(?b)) LIMIT 1",
            [p, *([self.terms[cls]] if part else [])],
        )

    def _filter(self) -> tuple[str, str, list[Term]] | None:
        timed = self.rng.random() < 0.5
        p = self.term(self.times if timed else self.numbers)
        cls = self._subject_class(p)
        if cls not in self.terms:
            return None
        over = self.rng.random() < 0.55
        own = self.wording(p)
        label = spoken(p.label)
        if timed:
            number = str(self.rng.randint(1500, 2024))
            equal = self.rng.random() < 0.25
            shown = number
            general = (
                (f"with a {label} after {{x}}", f"whose {label} is after {{x}}")
                if over
                else (f"with a {label} before {{x}}",)
            )
            if equal:
                phrase = self.pick(own.have or (f"with {label} in {{x}}", f"whose {label} is {{x}}"))
            else:
                phrase = self.pick((own.over if over else own.under) or general)
            sign = "=" if equal else ">=" if "since" in phrase else ">" if over else "<"
            test = f"YEAR(?b) {sign} {number}"
        else:
            number, shown = self._number()
            words = self.pick(
                ("more than", "over", "above", "greater than", "at least", "higher than")
                if over
                else ("less than", "under", "below", "fewer than", "at most", "lower than")
            )
            phrase = self.pick(
                (own.over if over else own.under)
                or (
                    f"with a {label} {words} {{x}}",
                    f"with {words} {{x}} {label}",
                    f"whose {label} is {words} {{x}}",
                    f"that have {words} {{x}} {label}",
                )
            )
            sign = (">=" if "at least" in phrase else ">") if over else ("<=" if "at most" in phrase else "<")
            test = f"?b {sign} {number}"
        more, where, extra = "", "", []
        if self.rng.random() < 0.4:
            fits = [t for t in self.links if starts_at(t, {cls, *p.domain, *self.terms[cls].parents})]
            if fits:
                q = self.term(fits)
                e = self.entity(q.range[0] if q.range else "")
                more, where, extra = f" {self.have(q, f'<{e.iri}>')}", f" . ?a <{q.iri}> <{e.iri}>", [q]
        counting = self.rng.random() < 0.25
        clause = (
            f"{more.strip()} {phrase}"
            if self.rng.random() < 0.7
            else f"{phrase} and {more.strip()}"
            if more
            else phrase
        )
        question = (
            self.pick(COUNTS if counting else LISTS)
            .replace("{c}", self.plural(cls))
            .replace("{r}", clause.strip())
            .replace("{x}", shown)
        )
        head = "(COUNT(DISTINCT ?a) AS ?n)" if counting else "DISTINCT ?a"
        typed = not where or self.rng.random() < 0.6
        first = f"?a a <{cls}> . " if typed else ""
        return (
            question,
            f"SELECT {head} WHERE {{ {first}?a <{p.iri}> ?b{where} FILTER({test}) }}",
            [p, *extra, *([self.terms[cls]] if typed else [])],
        )

    def _two_values(self) -> tuple[str, str, list[Term]] | None:
        p = self.term([*self.links, *self.values])
        fits = [t for t in (*self.links, *self.values) if starts_at(t, set(p.domain)) and t.iri != p.iri]
        if not fits:
            return None
        q = self.term(fits)
        e = self.entity(self._subject_class(p))
        question = self.pick(
            (
                f"what are the {spoken(p.label)} and the {spoken(q.label)} of <{e.iri}>?",
                f"{spoken(p.label)} and {spoken(q.label)} of <{e.iri}>",
            )
        )
        return (
            question,
            f"SELECT DISTINCT ?a ?b WHERE {{ <{e.iri}> <{p.iri}> ?a . <{e.iri}> <{q.iri}> ?b }}",
            [p, q],
        )

    def _common(self) -> tuple[str, str, list[Term]]:
        """`what do X and Y have as L`, `were X and Y born in the same place`."""
        p = self.term(self.links)
        e, f = self.entity(self._subject_class(p)), self.entity(self._subject_class(p))
        label = spoken(p.label)
        x, y = f"<{e.iri}>", f"<{f.iri}>"
        if self.rng.random() < 0.4:
            question = self.pick(
                (
                    f"do {x} and {y} have the same {label}?",
                    f"do {x} and {y} share a {label}?",
                    f"is the {label} of {x} the same as that of {y}?",
                )
            )
            return question, f"ASK {{ {x} <{p.iri}> ?a . {y} <{p.iri}> ?a }}", [p]
        question = self.pick(
            (
                f"which {label} do {x} and {y} share?",
                f"what is the common {label} of {x} and {y}?",
                f"what {label} do both {x} and {y} have?",
            )
        )
        return question, f"SELECT DISTINCT ?a WHERE {{ {x} <{p.iri}> ?a . {y} <{p.iri}> ?a }}", [p]

"""Patterns of template pairs over links: one hop, two, back again, two constraints, members of a class."""

from __future__ import annotations

from .ontology import Term
from .phrases import spoken
from .template_words import TemplateWords, local_part, starts_at

LISTS = (
    "which {c} {r}?",
    "list all {c} {r}",
    "give me {c} {r}",
    "what {c} {r}?",
    "show me the {c} {r}",
    "name {c} {r}",
    "{c} {r}",
    "find {c} {r}",
    "which {c} are {r}?",
    "what are the {c} {r}?",
    "tell me {c} {r}",
    "which {c} were {r}?",
    "i need {c} {r}",
    "what are some {c} {r}?",
    "which {c} was {r}?",
    "which {c} is {r}?",
)
COUNTS = (
    "how many {c} {r}?",
    "count the {c} {r}",
    "what is the number of {c} {r}?",
    "how many {c} are {r}?",
    "how many {c} are there {r}?",
    "number of {c} {r}",
    "how many {c} were {r}?",
    "give me the total count of {c} {r}",
    "how many {c} have been {r}?",
)


class LinkPatterns(TemplateWords):
    """Each returns question, query and terms, or None where the terms drawn do not fit."""

    def _one(self) -> tuple[str, str, list[Term]]:
        p = self.term(self.links if self.rng.random() < 0.65 else self.values)
        e = self.entity(self._subject_class(p))
        return self.ask(p, f"<{e.iri}>"), f"SELECT DISTINCT ?a WHERE {{ <{e.iri}> <{p.iri}> ?a }}", [p]

    def _one_typed(self) -> tuple[str, str, list[Term]]:
        """`which city is the capital of X`: the class word does not have to become a pattern."""
        p = self.term(self.links)
        e = self.entity(self._subject_class(p))
        cls = p.range[0] if p.range else ""
        noun = self.plural(cls)
        shown = [p, *([self.terms[cls]] if cls in self.terms and self.rng.random() < 0.5 else [])]
        question = self.pick(
            (
                f"which {noun} is {self.noun(p, f'<{e.iri}>')}?",
                f"what {noun} is {self.noun(p, f'<{e.iri}>')}?",
            )
        )
        return question, f"SELECT DISTINCT ?a WHERE {{ <{e.iri}> <{p.iri}> ?a }}", shown

    def _reverse(self) -> tuple[str, str, list[Term]]:
        p = self.term(self.links)
        cls = self._subject_class(p)
        e = self.entity(p.range[0] if p.range else "")
        part, more = self._class_part(cls)
        question = (
            self.pick(LISTS).replace("{c}", self.plural(cls)).replace("{r}", self.have(p, f"<{e.iri}>"))
        )
        if self.rng.random() < 0.08:
            question = f"<{e.iri}> is {self.pick(('the', 'a', 'one'))} {spoken(p.label)} of which {self.plural(cls)}?"
        return question, f"SELECT DISTINCT ?a WHERE {{ ?a <{p.iri}> <{e.iri}>{part} }}", [p, *more]

    def _members(self) -> tuple[str, str, list[Term]]:
        cls = self.some_class()
        noun = self.plural(cls.iri)
        if self.rng.random() < 0.5:
            return (
                self.pick((f"how many {noun} are there?", f"count all {noun}", f"number of {noun}")),
                f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ ?a a <{cls.iri}> }}",
                [cls],
            )
        return (
            self.pick((f"list all {noun}", f"give me all {noun}", f"which {noun} are there?")),
            f"SELECT DISTINCT ?a WHERE {{ ?a a <{cls.iri}> }}",
            [cls],
        )

    def _two(self) -> tuple[str, str, list[Term]] | None:
        p = self.term(self.links)
        q = self._follows(p)
        if q is None or q.iri == p.iri:
            return None
        e = self.entity(self._subject_class(p))
        inner = self.noun(p, f"<{e.iri}>")
        own = self.wording(p)
        if own.have and self.rng.random() < 0.15:
            inner = f"the {self.plural(p.range[0] if p.range else '')} that is {self.noun(p, f'<{e.iri}>')}"
        return (
            self.ask(q, inner),
            f"SELECT DISTINCT ?a WHERE {{ <{e.iri}> <{p.iri}> ?b . ?b <{q.iri}> ?a }}",
            [p, q],
        )

    def _reverse_then(self) -> tuple[str, str, list[Term]] | None:
        """`where were the people who starred in X born`: things found by one property, asked for another."""
        p = self.term(self.links)
        cls = self._subject_class(p)
        fits = [t for t in (*self.links, *self.values) if starts_at(t, {cls, *p.domain})]
        q = self.term(fits) if fits else None
        if q is None or q.iri == p.iri:
            return None
        e = self.entity(p.range[0] if p.range else "")
        noun = self.plural(cls)
        typed = self.rng.random() < 0.5 and cls in self.terms
        part = f" . ?b a <{cls}>" if typed else ""
        question = self.ask(q, f"the {noun} {self.have(p, f'<{e.iri}>')}")
        return (
            question,
            f"SELECT DISTINCT ?a WHERE {{ ?b <{p.iri}> <{e.iri}> . ?b <{q.iri}> ?a{part} }}",
            [p, q, *([self.terms[cls]] if typed else [])],
        )

    def _chain_back(self) -> tuple[str, str, list[Term]] | None:
        """`which films were directed by someone born in X`."""
        p = self.term(self.links)
        q = self._follows(p)
        if q is None or q.kind != "object_property" or q.iri == p.iri:
            return None
        e = self.entity(q.range[0] if q.range else "")
        cls = self._subject_class(p)
        part, more = self._class_part(cls)
        someone = (
            self.pick(("someone", "a person", "people"))
            if any(self.people(r) for r in p.range)
            else f"a {self.plural(p.range[0] if p.range else '')}"
        )
        label = spoken(p.label)
        clause = self.pick(
            (
                self.have(p, f"{someone} {self.have(q, f'<{e.iri}>')}"),
                f"whose {label} was {self.have(q, f'<{e.iri}>')}",
                f"with a {label} {self.have(q, f'<{e.iri}>')}",
            )
        )
        question = self.pick(LISTS if self.rng.random() < 0.8 else COUNTS)
        head = "(COUNT(DISTINCT ?a) AS ?n)" if question in COUNTS else "DISTINCT ?a"
        question = question.replace("{c}", self.plural(cls)).replace("{r}", clause)
        return (
            question,
            f"SELECT {head} WHERE {{ ?a <{p.iri}> ?b . ?b <{q.iri}> <{e.iri}>{part} }}",
            [p, q, *more],
        )

    def _both(self) -> tuple[str, str, list[Term]] | None:
        p = self.term(self.links)
        cls = self._subject_class(p)
        fits = [t for t in self.links if starts_at(t, {cls, *p.domain}) and t.iri != p.iri]
        if not fits and self.rng.random() < 0.7:
            return None
        q = self.term(fits) if fits and self.rng.random() < 0.8 else p
        e, f = self.entity(p.range[0] if p.range else ""), self.entity(q.range[0] if q.range else "")
        part, more = self._class_part(cls)
        counting = self.rng.random() < 0.2
        question = self.pick(COUNTS if counting else LISTS).replace("{c}", self.plural(cls))
        question = question.replace("{r}", f"{self.have(p, f'<{e.iri}>')} and {self.have(q, f'<{f.iri}>')}")
        head = "(COUNT(DISTINCT ?a) AS ?n)" if counting else "DISTINCT ?a"
        return (
            question,
            f"SELECT {head} WHERE {{ ?a <{p.iri}> <{e.iri}> . ?a <{q.iri}> <{f.iri}>{part} }}",
            [p, q, *more],
        )

    def _count(self) -> tuple[str, str, list[Term]]:
        p = self.term(self.links)
        cls = self._subject_class(p)
        if self.rng.random() < 0.3:
            e = self.entity(cls)
            label = spoken(p.label) + "s"
            question = self.pick(
                (
                    f"how many {label} does <{e.iri}> have?",
                    f"what is the number of {label} of <{e.iri}>?",
                    f"count the {label} of <{e.iri}>",
                    f"how many {label} are there in <{e.iri}>?",
                )
            )
            return question, f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ <{e.iri}> <{p.iri}> ?a }}", [p]
        e = self.entity(p.range[0] if p.range else "")
        part, more = self._class_part(cls)
        question = (
            self.pick(COUNTS).replace("{c}", self.plural(cls)).replace("{r}", self.have(p, f"<{e.iri}>"))
        )
        if self.rng.random() < 0.12:
            question = self.pick(
                (
                    f"<{e.iri}> is the {spoken(p.label)} of how many {self.plural(cls)}?",
                    f"in how many {self.plural(cls)} is <{e.iri}> the {spoken(p.label)}?",
                    f"for how many {self.plural(cls)} is <{e.iri}> the {spoken(p.label)}?",
                )
            )
        return (
            question,
            f"SELECT (COUNT(DISTINCT ?a) AS ?n) WHERE {{ ?a <{p.iri}> <{e.iri}>{part} }}",
            [p, *more],
        )

    def _yes_no(self) -> tuple[str, str, list[Term]]:
        p = self.term(self.links)
        s, o = self.entity(self._subject_class(p)), self.entity(p.range[0] if p.range else "")
        own = self.wording(p).yes
        label = spoken(p.label)
        general = (
            f"is {{o}} the {label} of {{s}}?",
            f"does {{s}} have the {label} {{o}}?",
            f"is the {label} of {{s}} {{o}}?",
            f"was {{o}} {{s}}'s {label}?",
            f"is {{o}} a {label} of {{s}}?",
        )
        question = self.pick(own if own and self.rng.random() < 0.65 else general)
        if self.rng.random() < 0.12:
            cls = self.terms.get(s.type)
            if cls:
                del self.used[o.iri]
                return (
                    self.pick(
                        (f"is <{s.iri}> a {spoken(cls.label)}?", f"was <{s.iri}> a {spoken(cls.label)}?")
                    ),
                    f"ASK {{ <{s.iri}> a <{cls.iri}> }}",
                    [cls],
                )
        return (
            question.replace("{s}", f"<{s.iri}>").replace("{o}", f"<{o.iri}>"),
            f"ASK {{ <{s.iri}> <{p.iri}> <{o.iri}> }}",
            [p],
        )

    def _compare(self) -> tuple[str, str, list[Term]]:
        p = self.term(self.numbers if self.rng.random() < 0.65 else self.times)
        e, f = self.entity(self._subject_class(p)), self.entity(self._subject_class(p))
        x, y = f"<{e.iri}>", f"<{f.iri}>"
        if p in self.times:
            sign = self.rng.choice("<>")
            question = self.pick(
                tuple(
                    q.rstrip("?").replace("when was {x}", f"was {x}").replace("when did {x}", f"did {x}")
                    for q in self.wording(p).ask
                    if q.startswith("when")
                )
                or (f"is the {spoken(p.label)} of {x}",)
            )
            question += f" {'before' if sign == '<' else 'after'} {y}?"
        else:
            own = self.wording(p)
            sign = self.rng.choice("<>")
            phrases = own.over if sign == ">" else own.under
            general = f"have a {'higher' if sign == '>' else 'lower'} {spoken(p.label)} than"
            short = [
                ph.removesuffix(" than {x}")
                for ph in phrases
                if ph.endswith("er than {x}") and " " not in ph.removesuffix(" than {x}")
            ]
            question = (
                f"is {x} {self.rng.choice(short)} than {y}?"
                if short and self.rng.random() < 0.7
                else f"does {x} {general} {y}?"
            )
            if local_part(p.iri) == "populationTotal" and self.rng.random() < 0.6:
                question = f"does {x} have {'more' if sign == '>' else 'fewer'} {self.pick(('people', 'inhabitants'))} than {y}?"
        return question, f"ASK {{ {x} <{p.iri}> ?a . {y} <{p.iri}> ?b FILTER(?a {sign} ?b) }}", [p]

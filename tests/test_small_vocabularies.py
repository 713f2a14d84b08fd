"""Vocabularies made of words: the same for a seed, as Turtle what they are, enough to ask about."""

from __future__ import annotations

from pathlib import Path

from ontoprompt.fillings import invented
from ontoprompt.ontology import Ontology, Term, load_ontology
from ontoprompt.small_vocabularies import small_vocabulary, turtle, words_of
from ontoprompt.synth import Counts, SynthConfig, Synthesis, stream

_XSD = "http://www.w3.org/2001/XMLSchema#"


def _letters(n: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[n % 26] * (2 + n // 26)


LARGE = Ontology(
    (
        *(Term(f"http://x.org/C{n}", "class", f"kind {_letters(n)}") for n in range(12)),
        *(Term(f"http://x.org/o{n}", "object_property", f"link {_letters(n)}") for n in range(20)),
        *(
            Term(f"http://x.org/s{n}", "datatype_property", f"text {_letters(n)}", range=(_XSD + "string",))
            for n in range(8)
        ),
        *(
            Term(f"http://x.org/n{n}", "datatype_property", f"sum {_letters(n)}", range=(_XSD + "decimal",))
            for n in range(8)
        ),
        Term("http://x.org/id", "object_property", "user identifier"),
    )
)
WORDS = words_of([LARGE])


def test_only_plain_names_are_taken() -> None:
    assert len(WORDS.classes) == 12 and len(WORDS.links) == 20 and "user identifier" not in WORDS.links


def test_a_number_gives_the_same_vocabulary_and_another_number_another() -> None:
    assert small_vocabulary(WORDS, 4) == small_vocabulary(WORDS, 4)
    assert not {t.iri for t in small_vocabulary(WORDS, 4)} & {t.iri for t in small_vocabulary(WORDS, 5)}


def test_turtle_says_the_same(tmp_path: Path) -> None:
    for number in range(6):
        made = small_vocabulary(WORDS, number)
        file = tmp_path / f"{number}.ttl"
        file.write_text("".join(turtle(made)), encoding="utf-8")
        read = {t.iri: t for t in load_ontology([file])}
        assert set(read) == {t.iri for t in made}
        for term in made:
            assert (read[term.iri].label, read[term.iri].range) == (term.label, term.range)


def test_there_are_pairs_over_each() -> None:
    for number in range(3):
        synthesis = Synthesis(invented(small_vocabulary(WORDS, number)), SynthConfig(40))
        assert sum(len(rows) for _, rows in stream(synthesis, Counts())) == 40

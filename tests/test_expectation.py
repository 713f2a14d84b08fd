"""What kind of answer a question wants, and whether a result is of that kind."""

from __future__ import annotations

import pytest

from ontoprompt.execution import ResultSet, Value
from ontoprompt.expectation import expected_answer, fits

XSD = "http://www.w3.org/2001/XMLSchema#"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is Lyon the capital of France?", "yes-no"),
        ("did Ada write programs", "yes-no"),
        ("Please, was it a river?", "yes-no"),
        ("When was Ada born?", "date"),
        ("In which year did the war end?", "date"),
        ("how many rivers are there", "number"),
        ("How tall is the tower?", "number"),
        ("Count the lakes of Finland", "number"),
        ("Who wrote it?", "thing"),
        ("Could you tell me where Ada lived?", "thing"),
        ("By whom was it written?", "thing"),
        ("Can you name the rivers of Spain?", ""),
        ("Can penguins fly?", "yes-no"),
        ("Which rivers are long?", ""),
        ("Name the doings of Ada", ""),
        ("Isabella's children", ""),
        ("Whenever", ""),
    ],
)
def test_the_first_words_tell(question: str, expected: str) -> None:
    assert expected_answer(question) == expected


def select(*values: Value) -> ResultSet:
    return ResultSet("select", ("x",), tuple((v,) for v in values))


THING = Value("uri", "http://example.org/ada")
NAME = Value("literal", "Ada Lovelace", lang="en")
NUMBER = Value("literal", "12.5", XSD + "decimal")
DATE = Value("literal", "1815-12-10", XSD + "date")
YEAR = Value("literal", "1815", XSD + "gYear")
YES = ResultSet("ask", (), (), True)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("Who?", [select(THING), select(NAME)], [select(NUMBER), select(DATE), YES]),
        ("Where is it?", [select(THING)], [select(DATE)]),
        ("When?", [select(DATE), select(YEAR)], [select(THING), select(NAME), YES]),
        ("How many are there?", [select(NUMBER), select(YEAR)], [select(THING), select(DATE), YES]),
        ("Is it?", [YES], [select(THING)]),
        ("Which one?", [YES, select(THING), select(NUMBER), select(DATE)], []),
    ],
)
def test_results_of_the_kind(question: str, right: list[ResultSet], wrong: list[ResultSet]) -> None:
    kind = expected_answer(question)
    assert [fits(kind, r) for r in right] == [True] * len(right)
    assert [fits(kind, r) for r in wrong] == [False] * len(wrong)


def test_no_rows_contradict_nothing() -> None:
    assert fits(expected_answer("When?"), select())

"""The survey of a graph keeps to its time, whatever the graph does with its queries."""

from __future__ import annotations

import pytest

from ontoprompt import survey
from ontoprompt.errors import GraphError, QueryTimeoutError
from ontoprompt.execution import ResultSet, Value

O = "http://example.org/ontology/"  # noqa: E741


class Giant:
    """A graph of a billion statements, on a clock of its own: counting never ends, a sample takes
    `sample_seconds`, and so does every other query."""

    name = "giant"

    def __init__(self, sample_seconds: float) -> None:
        self.now, self.sample_seconds = 0.0, sample_seconds

    def query(self, text: str, *, timeout: float = 30.0, max_rows: int = 10_000) -> ResultSet:
        if "COUNT" in text or timeout < self.sample_seconds:
            self.now += timeout
            raise QueryTimeoutError("giant did not answer in time.", "")
        self.now += self.sample_seconds
        if text.startswith("SELECT ?t WHERE"):
            kind = "Class" if "?s ?t ?o" not in text else "property"
            return ResultSet(
                "select", ("t",), tuple((Value("uri", f"{O}{kind}{n % 50}"),) for n in range(500))
            )
        return ResultSet("select", ("a", "b", "c"), ())

    def close(self) -> None: ...


@pytest.mark.parametrize("seconds", [0.1, 2.0, 9.5])
def test_a_giant_graph_is_surveyed_within_its_time(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Giant(seconds)
    monkeypatch.setattr(survey.time, "monotonic", lambda: store.now)
    facts = survey.survey(store, 40.0)
    assert store.now <= 40.0
    assert len(facts.classes) == len(facts.properties) == 50


def test_a_graph_that_answers_nothing_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Giant(100.0)
    monkeypatch.setattr(survey.time, "monotonic", lambda: store.now)
    with pytest.raises(GraphError, match="did not answer"):
        survey.survey(store, 40.0)
    assert store.now <= 40.0

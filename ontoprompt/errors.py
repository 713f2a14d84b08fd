"""The errors a user can meet, each with a hint that says what to do next.

A stage raises one of these; only the command line turns them into a message and an
exit status. Anything else that escapes is a bug.
"""

from __future__ import annotations


class OntopromptError(Exception):
    """Root of all errors that are the user's business.

    `message` says what is wrong in one sentence, `hint` what to do about it.
    `exit_status` is the process exit status of the command-line contract.
    """

    exit_status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OntopromptError):
    """What was asked for makes no sense: a bad flag, an empty question, an unreadable source."""


class SourceError(UsageError):
    """A file or folder given as ontology, graph or pairs is missing, empty, truncated or not RDF."""


class QueryError(OntopromptError):
    """Root of what can be wrong with one query."""

    exit_status = 3


class QuerySyntaxError(QueryError):
    """The text is not a SPARQL 1.1 query."""


class UnsafeQueryError(QueryError):
    """The query could do more than read from the one graph it is sent to."""


class NoQueryError(QueryError):
    """No candidate survived validation."""


class GraphError(OntopromptError):
    """The graph could not be reached, refused, or answered with something that is no answer."""

    exit_status = 4


class QueryTimeoutError(GraphError):
    """The graph did not answer within the time limit; the query was given up."""


class ArtifactError(OntopromptError):
    """An index or a model is missing, damaged, or made by something else than what opens it."""

    exit_status = 5

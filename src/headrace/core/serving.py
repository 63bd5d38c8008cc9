"""What serving a model needs of it, and what it gives: the roles between loading, checking and answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from headrace.core.model_signature import ModelSignature
from headrace.errors import RowProblem

ENGINES = ("native", "onnx")  # what answers: scikit-learn or torch, or ONNX Runtime where the package has it

Columns = Mapping[str, Sequence[Any]]
"""Values by column, all of one length; None is a missing value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model says of n rows: `predictions` is a numpy array of shape (n,), `probabilities` one of
    shape (n, n_classes) in the order of the signature's classes, or None where nobody asked."""

    predictions: Any
    probabilities: Any = None


class Predictor(Protocol):
    """A published model, loaded. Answering is safe from several threads, and changes nothing."""

    name: str
    version: int
    digest: str
    signature: ModelSignature
    example: Columns  # one row that it answers
    expected: Columns  # what it answered when it was made: `prediction`, and a column for each class
    profile: Mapping[str, Any]  # of the training rows; {} where nothing is known
    card: str  # Markdown; '' where there is none

    @property
    def takes_columns(self) -> bool:
        """Tell whether `answer` takes values by column too, which saves making a table of them."""

    def answer(self, rows: Any, probabilities: bool = False) -> Answers:
        """Answer raw rows, a pandas DataFrame that has the signature's columns in any order."""

    def hasten(self, rows: Any) -> None:
        """Answer with less work for each call from now on, where that changes no answer.

        `rows` are some raw rows, a DataFrame, on which that is tried. For before anybody asks.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that meets the schema. `columns` are in the signature's order."""

    columns: Mapping[str, list[Any]]
    rows: int
    probabilities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Which rows of a table meet the schema. `problems` are bounded, `total` counts them all."""

    good: Sequence[int]
    bad: Mapping[int, Sequence[RowProblem]]  # by row
    problems: Sequence[RowProblem] = field(default_factory=tuple)  # of the table: a column that is missing


class RowSchema(Protocol):
    """Checks raw rows against one model's signature, as training checked them."""

    def parse_json(self, body: bytes) -> Request:
        """Read `{"records": [...]}` or `{"columns": {...}}`, each with `"probabilities": true` or without.

        Raises `RowsRejected` with what is wrong where.
        """

    def check_columns(self, columns: Columns, as_text: bool = False) -> Checked:
        """Check a table column by column; `as_text` where every value is a string, as in a CSV file."""

    def require_columns(self, columns: Columns) -> Request:
        """Do the same for a request: every row must be good. Raises `RowsRejected`."""

    def to_frame(self, columns: Columns, as_text: bool = False) -> Any:
        """Make the pandas DataFrame that the model takes, in the types of the signature, of good rows."""

    def json_schema(self) -> dict[str, Any]:
        """Return the request as JSON schema (draft 2020-12), for OpenAPI."""

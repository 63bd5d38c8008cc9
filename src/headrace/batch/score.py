"""One partition: rows that meet the signature are answered, the others told why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from headrace.batch.read import Partition, values_of
from headrace.core.model_signature import ModelSignature
from headrace.core.serving import Predictor, RowSchema
from headrace.errors import RowProblem, StageError
from headrace.serving.column_types import arrow_type

PREDICTION = "prediction"
_REASONS_AT_MOST = 100  # kinds of reasons that are counted in one partition


def probability_names(signature: ModelSignature) -> tuple[str, ...]:
    return tuple(f"probability_{label}" for label in signature.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a partition came to. `rejected` has all columns of the input, after `row` and `reasons`."""

    answered: pa.Table
    rejected: pa.Table
    reasons: Mapping[str, int]  # rows by what they should have been


class Scorer:
    """Answers partitions by one model.

    Args:
        predictor, schema: The model, and what holds rows to its signature.
        input_schema: The columns of the input.
        keep: Those that the output has too.
        probabilities: Whether it has those as well.
        files: Names of the files, where there are several: rejected rows tell theirs.
        as_text: Whether all values are text, as in CSV.
        typed: Whether columns of text that the model reads get the types of its signature.
    """

    def __init__(
        self,
        predictor: Predictor,
        schema: RowSchema,
        *,
        input_schema: pa.Schema,
        keep: Sequence[str],
        probabilities: bool,
        files: Sequence[str],
        as_text: bool,
        typed: bool = False,
    ) -> None:
        self._predictor, self._schema, self._as_text = predictor, schema, as_text
        self._probabilities = probabilities
        self._files = files
        signature = predictor.signature
        answers = [(PREDICTION, arrow_type(signature.dtype))]
        if probabilities:
            answers += [(name, pa.float64()) for name in probability_names(signature)]
        self._keep = list(keep)
        self._typed = {
            column.name: arrow_type(column.dtype) for column in signature.inputs if as_text and typed
        }
        kept = [(name, self._typed.get(name, input_schema.field(name).type)) for name in keep]
        self.schema = pa.schema([*kept, *answers])
        about = [("row", pa.int64()), ("reasons", pa.string())]
        if len(files) > 1:
            about.insert(0, ("file", pa.string()))
        named = [(_free(name, input_schema.names), kind) for name, kind in about]
        self.rejected_schema = pa.schema([*named, *input_schema])

    def score(self, partition: Partition) -> Scored:
        """Answer a partition. Raises what the model raises."""
        table = partition.table
        names = self._predictor.signature.names
        columns = {name: values_of(table[name]) for name in names}
        bad: dict[int, Sequence[RowProblem]] = {}
        if len(table):
            checked = self._schema.check_columns(columns, as_text=self._as_text)
            if checked.problems:
                raise StageError("; ".join(map(str, checked.problems)))
            bad = {**checked.bad, **{at: [problem] for at, problem in partition.refused.items()}}
        good = [at for at in range(len(table)) if at not in bad] if bad else range(len(table))
        if bad:
            columns = {name: _take(values, good) for name, values in columns.items()}
            answered = table.take(pa.array(good, pa.int64()))
        else:
            answered = table
        return Scored(
            answered=self._answer(answered.select(self._keep), columns),
            rejected=self._reject(partition, bad),
            reasons=_count(bad, partition.broken),
        )

    def _answer(self, kept: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
        answers = self.schema.names[len(self._keep) :]
        rows = len(next(iter(columns.values()))) if columns else 0
        if not rows:
            return self.schema.empty_table()
        frame = self._schema.to_frame(columns, as_text=self._as_text)
        arrays = [
            _of_series(frame[name], self._typed[name]) if name in self._typed else kept[name]
            for name in self._keep
        ]
        found = self._predictor.answer(frame, self._probabilities)
        arrays.append(_array(found.predictions.tolist(), self.schema.field(PREDICTION).type))
        for number in range(len(answers) - 1):
            arrays.append(pa.array(found.probabilities[:, number].astype("float64")))
        return pa.table(arrays, schema=self.schema)

    def _reject(self, partition: Partition, bad: Mapping[int, Sequence[RowProblem]]) -> pa.Table:
        """Return the rows that have no answer, in the order of the file; what is no row has no values."""
        places = sorted(bad)
        told = [(partition.rows[at], _say(bad[at])) for at in places]
        told += [(problem.row or 0, f"found {problem.found}, wanted {problem.wanted}")
                 for problem in partition.broken]  # fmt: skip
        order = sorted(range(len(told)), key=lambda at: told[at][0])
        take = pa.array([places[at] if at < len(places) else None for at in order], pa.int64())
        values = partition.table.take(take).columns
        about: list[Any] = [
            pa.array([told[at][0] for at in order], pa.int64()),
            pa.array([told[at][1] for at in order], pa.string()),
        ]
        if len(self._files) > 1:
            about.insert(0, pa.array([self._files[partition.file]] * len(order), pa.string()))
        return pa.table([*about, *values], schema=self.rejected_schema)


def _say(problems: Sequence[RowProblem]) -> str:
    return "; ".join(
        f"{problem.column}: found {problem.found}, wanted {problem.wanted}" for problem in problems
    )


def _count(bad: Mapping[int, Sequence[RowProblem]], broken: Sequence[RowProblem]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for problems in bad.values():
        counts.update({f"{problem.column}: wanted {problem.wanted}" for problem in problems})
    counts.update(f"wanted {problem.wanted}" for problem in broken)
    return dict(counts.most_common(_REASONS_AT_MOST))


def _take(values: Any, places: Sequence[int]) -> Any:
    return [values[at] for at in places] if isinstance(values, list) else values[list(places)]


def _of_series(series: Any, kind: pa.DataType) -> pa.Array:
    found = pa.array(series, from_pandas=True)
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    return found if found.type == kind else found.cast(kind)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind == pa.string():
        values = [value if value is None else str(value) for value in values]
    return pa.array(values, kind)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"_{name}"
    return name

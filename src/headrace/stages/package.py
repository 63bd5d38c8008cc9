"""Make the one thing that is published: a model that takes raw rows, with all that its users must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from headrace.core.model_signature import InputColumn, ModelSignature, describe_inputs
from headrace.core.package import Package
from headrace.errors import StageError
from headrace.stages.profile import profile_table

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator


SHARED = 5  # rows: a private value that fewer have may tell whose it is
PRIVATE_TEXT = "private"


class Export(Protocol):
    """Writes a model in another format, where that gives the same answers."""

    def export(
        self, estimator: BaseEstimator, signature: ModelSignature, rows: pd.DataFrame
    ) -> tuple[bytes | None, str]:
        """Return the file, or None, and what came of it."""


def make_package(
    preprocessor: BaseEstimator,
    estimator: BaseEstimator,
    train: pd.DataFrame,
    target: str,
    drop: list[str] | None = None,
    schema: Mapping[str, Any] | None = None,
    export: Export | None = None,
) -> dict[str, Any]:
    """Join fitted preprocessing and estimator, and say what the model takes and gives; nothing is fitted.

    The model takes raw rows, with or without the target and the dropped columns, in any order of
    columns, and predicts the labels as the source spells them.

    Args:
        train: The raw rows that the model learned from.
        target: The column that it foresees.
        drop: Columns that are no features.
        schema: What a row must be, in Pandera's words; without, the types that training saw.
        export: What writes the model for another engine too.
    """
    from sklearn.pipeline import Pipeline

    # Lists, not tuples: only these survive clone, set_params and skops alike.
    model = Pipeline([["preprocessor", preprocessor], ["estimator", estimator]])
    leave = [target, *(drop or [])]
    rows = train.drop(columns=[name for name in leave if name in train.columns])
    if rows.empty:
        raise StageError("there are no training rows to describe what the model takes")
    signature = _describe(model, train, rows, leave, schema)
    example = _typical(rows, signature)
    open_columns = [column.name for column in signature.inputs if column.private is None]
    onnx, told = (None, "") if export is None else export.export(model, signature, rows)
    package = Package(
        estimator=model,
        signature=signature,
        example={str(name): [_plain(value)] for name, value in example.iloc[0].items()},
        expected=_expect(model, signature, example),
        profile=profile_table(rows[open_columns]),
        onnx=onnx,
        onnx_told=told,
    )
    return {"model": package}


def _describe(
    model: Any, train: pd.DataFrame, rows: pd.DataFrame, leave: list[str], schema: Mapping[str, Any] | None
) -> ModelSignature:
    dtypes = {str(name): str(dtype) for name, dtype in rows.dtypes.items()}
    nullable = [str(name) for name in rows.columns if rows[name].isna().any()]
    classes = getattr(model, "classes_", None)
    return ModelSignature(
        inputs=describe_inputs(schema, dtypes, nullable, leave),
        ignored=tuple(name for name in leave if name in train.columns),
        task="regression" if classes is None else "classification",
        dtype=_kind(model.predict(rows.head(1))),
        classes=() if classes is None else tuple(classes.tolist()),
        probabilities=classes is not None and hasattr(model, "predict_proba"),
    )


def _kind(answers: Any) -> str:
    """Return the type of what a model answers: a regressor of whole numbers gives numbers between them."""
    import pandas as pd
    from pandas.api import types

    dtype = pd.Series(answers).infer_objects().dtype
    if types.is_bool_dtype(dtype):
        return "bool"
    if types.is_integer_dtype(dtype):
        return "int64"
    return "float64" if types.is_numeric_dtype(dtype) else "str"


def _typical(rows: pd.DataFrame, signature: ModelSignature) -> pd.DataFrame:
    """Return one row of middle and most frequent values, which need not be anybody's."""
    import pandas as pd

    private = {column.name: column for column in signature.inputs if column.private is not None}
    values = {name: _middle(rows[name]) for name in rows.columns}
    for name, column in private.items():
        if (rows[name] == values[name]).sum() < SHARED:
            values[name] = _withhold(column, values[name])
    return pd.DataFrame({name: pd.Series([values[name]]).astype(rows[name].dtype) for name in rows.columns})


def _middle(column: pd.Series) -> Any:
    from pandas.api import types

    known = column.dropna()
    if known.empty:
        return None
    ordered = types.is_numeric_dtype(known.dtype) and not types.is_bool_dtype(known.dtype)
    if ordered or types.is_datetime64_any_dtype(known.dtype):
        return known.sort_values(kind="stable").iloc[(len(known) - 1) // 2]
    counts = known.value_counts()
    return min(counts.index[counts == counts.iloc[0]], key=str)


def _withhold(column: InputColumn, value: Any) -> Any:
    """Return what stands in the example for a private value that few share, as an address: none, or a word.

    A text that must meet checks can be made up by nobody: the value stays. So does the middle of numbers
    and times where one must be there: it is a figure of all rows.
    """
    if column.nullable:
        return None
    return PRIVATE_TEXT if isinstance(value, str) and not column.checks else value


def _expect(model: Any, signature: ModelSignature, example: pd.DataFrame) -> dict[str, list[Any]]:
    expected: dict[str, list[Any]] = {}
    if signature.probabilities:
        chances = model.predict_proba(example)[0].tolist()
        expected = {str(name): [chance] for name, chance in zip(signature.classes, chances, strict=True)}
    return expected | {"prediction": [_plain(model.predict(example)[0])]}  # also beside a class of that name


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; times in ISO 8601."""
    if value is None or value != value:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value

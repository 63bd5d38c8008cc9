"""Models as ONNX: written by skl2onnx where it knows every part, answered by ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.serving import Answers, Columns
from headrace.errors import StageError

if TYPE_CHECKING:
    import pandas as pd

OPSET = 18
SAMPLE = 2000  # training rows that both must answer alike
_TEXT = ("str", "string", "object", "category")
_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")


class OnnxExport:
    """Writes a scikit-learn model as ONNX, and keeps it only where it gives the same answers.

    Args:
        tolerance: How far probabilities and numbers may be apart, relative to numbers above 1. Labels
            must be equal on every row of the sample.

    Raises:
        StageError: skl2onnx or onnxruntime is not installed.
    """

    def __init__(self, tolerance: float = 1e-5) -> None:
        self._tolerance = tolerance
        try:
            import onnxruntime
            import skl2onnx  # noqa: F401
        except ImportError as error:
            raise StageError(
                f"ONNX needs {error.name}, which is not installed; type: pip install 'headrace[onnx]'"
            ) from error
        del onnxruntime

    def export(
        self, estimator: Any, signature: ModelSignature, rows: pd.DataFrame
    ) -> tuple[bytes | None, str]:
        """Return the file or None, and what came of it: which parts do not convert, or what differs."""
        from skl2onnx import to_onnx

        sample = rows.iloc[:: max(len(rows) // SAMPLE, 1)]
        reason = ""
        for double in (True, False):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    options = {"zipmap": False} if signature.probabilities else None
                    types = [(column.name, _tensor(column, double)) for column in signature.inputs]
                    graph = to_onnx(estimator, initial_types=types, options=options, target_opset=OPSET)
                file = bytes(graph.SerializeToString())
                difference = self._compare(estimator, signature, sample, file)
            except Exception as error:  # converters raise whatever they stumble over
                reason = f"does not convert: {_first_line(error)}"
                continue
            if not difference:
                return file, f"equal on {len(sample):,} training rows"
            reason = difference
        return None, reason

    def _compare(self, estimator: Any, signature: ModelSignature, sample: pd.DataFrame, file: bytes) -> str:
        """Say what differs, or ''."""
        import numpy as np

        theirs = OnnxModel(file, signature).answer(sample, signature.probabilities)
        ours = np.asarray(estimator.predict(sample))
        if signature.task == "classification":
            apart = int((ours != theirs.predictions).sum())
            if apart:
                return f"other labels in {apart:,} of {len(sample):,} training rows"
        if signature.probabilities:
            return self._apart(estimator.predict_proba(sample), theirs.probabilities)
        return "" if signature.task == "classification" else self._apart(ours, theirs.predictions)

    def _apart(self, ours: Any, theirs: Any) -> str:
        import numpy as np

        ours = np.asarray(ours, dtype=float)
        far = float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(ours), 1.0)))
        return "" if far <= self._tolerance else f"answers differ by {far:.1e}, more than {self._tolerance:g}"


class OnnxModel:
    """Answers columns of raw values with ONNX Runtime, in one thread. Safe to use from several.

    Raises `StageError` where onnxruntime is not installed, or the file is none of its.
    """

    def __init__(self, file: bytes, signature: ModelSignature) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            hint = "type: pip install 'headrace[onnx]'"
            raise StageError(f"this model needs onnxruntime, which is not installed; {hint}") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own types are not public
            raise StageError(f"model.onnx cannot be read: {_first_line(error)}") from error
        self._signature = signature
        # By place: ONNX takes fewer characters in names than tables do, so skl2onnx changes them.
        inputs = self._session.get_inputs()
        if len(inputs) != len(signature.inputs):
            raise StageError(
                f"model.onnx takes {len(inputs)} columns, and its package says {len(signature.inputs)}"
            )
        self._inputs = [
            (column.name, one.name, _numpy_type(one.type))
            for column, one in zip(signature.inputs, inputs, strict=True)
        ]
        outputs = [one.name for one in self._session.get_outputs()]
        self._label, self._chances = outputs[:1], outputs[:2]

    def answer(self, rows: Columns | pd.DataFrame, probabilities: bool = False) -> Answers:
        """Answer raw rows: a DataFrame, or values by column, each of n values; None is a missing one."""
        import numpy as np

        columns = rows if isinstance(rows, Mapping) else _columns_of(rows, self._signature)
        feed = {}
        for name, given_as, kind in self._inputs:
            values = columns[name]
            if kind is object:
                # skl2onnx spells a missing category as scikit-learn's NaN is written.
                array = np.array(["nan" if value is None else str(value) for value in values], dtype=object)
            else:
                array = np.asarray(values, dtype=kind)  # None becomes NaN
            feed[given_as] = array.reshape(-1, 1)
        got = self._session.run(self._chances if probabilities else self._label, feed)
        predictions = got[0].reshape(len(got[0]))
        if self._signature.dtype == "bool":
            predictions = predictions.astype(bool)
        return Answers(predictions=predictions, probabilities=got[1] if probabilities else None)


def _tensor(column: InputColumn, double: bool) -> Any:
    from skl2onnx.common import data_types as types

    if column.dtype in _TEXT:
        return types.StringTensorType([None, 1])
    if column.dtype in _WHOLE and not column.nullable:
        return types.Int64TensorType([None, 1])
    return types.DoubleTensorType([None, 1]) if double else types.FloatTensorType([None, 1])


def _numpy_type(onnx: str) -> Any:
    return {"tensor(string)": object, "tensor(int64)": "int64", "tensor(double)": "float64"}.get(
        onnx, "float32"
    )


def _columns_of(rows: pd.DataFrame, signature: ModelSignature) -> Mapping[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name in signature.names:
        column = rows[name].astype(object)
        columns[name] = column.where(column.notna(), None).tolist()
    return columns


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200] if lines else ''}".rstrip(": ")

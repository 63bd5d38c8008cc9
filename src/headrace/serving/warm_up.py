"""Try a version before anybody gets its answers: on the example that it was published with."""

from __future__ import annotations

import json
from typing import Any

from headrace.core.serving import Predictor, RowSchema
from headrace.errors import PackageRefused

CLOSE = 1e-6  # relative to numbers above 1: another machine may add up in another order
ONNX_CLOSE = 1e-4  # single precision, and a tolerance that the package's maker chose


def check_version(predictor: Predictor, schema: RowSchema) -> None:
    """Hasten a version, let it answer the example as a request is answered, and compare.

    Raises `PackageRefused`.
    """
    probabilities = predictor.signature.probabilities
    body = json.dumps({"columns": predictor.example, "probabilities": probabilities}).encode()
    request = schema.parse_json(body)
    columns = predictor.takes_columns
    rows = request.columns if columns else schema.to_frame(request.columns)
    if not columns:
        predictor.hasten(rows)
    answers = predictor.answer(rows, probabilities)
    close = ONNX_CLOSE if columns else CLOSE
    _compare("prediction", answers.predictions[0], predictor.expected, predictor.version, close)
    if probabilities:
        chances = answers.probabilities[0].tolist()
        for name, chance in zip(predictor.signature.classes, chances, strict=True):
            if str(name) != "prediction":  # of a class of that name `expected` has the label alone
                _compare(str(name), chance, predictor.expected, predictor.version, close)


def _compare(name: str, found: Any, expected: Any, version: int, close: float) -> None:
    if name not in expected:
        return
    wanted = expected[name][0]
    found = found.item() if hasattr(found, "item") else found
    numbers = all(isinstance(one, float) for one in (found, wanted))
    same = abs(found - wanted) <= close * max(abs(wanted), 1.0) if numbers else found == wanted
    if not same:
        told = f"says {found} of its example, and said {wanted} when it was published"
        raise PackageRefused(f"version {version} {told}" + ("" if name == "prediction" else f" ({name})"))

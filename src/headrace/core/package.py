"""What `publish` stores: a fitted model with everything to use it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.core.model_signature import ModelSignature
from headrace.core.serving import Answers, Columns

# What stands beside a package once it is published: which version it is with the digest of every file, the
# model card, and the run that made it.
VERSION, CARD, LINEAGE = "version.json", "card.md", "lineage.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A fitted estimator that takes raw rows as a pandas DataFrame, and what is known of it.

    `example` is one row of the most usual values, nobody's own, and `expected` what the model says of it.
    `profile` describes the columns of the training rows, to tell drift. `onnx` is the same model as
    ONNX, where it was asked for and gave the same answers, and `onnx_told` what came of that.
    """

    estimator: Any
    signature: ModelSignature
    example: Columns
    expected: Columns
    profile: Mapping[str, Any] = field(default_factory=dict)
    onnx: bytes | None = None
    onnx_told: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def answer(self, rows: Any, probabilities: bool = False) -> Answers:
        """Answer raw rows, a DataFrame with the signature's columns in any order.

        Raises `ValueError` where there are no probabilities and they are asked for.
        """
        if probabilities and not self.signature.probabilities:
            raise ValueError("this model gives no probabilities")
        predictions = self.estimator.predict(rows)
        return Answers(
            predictions=predictions,
            probabilities=self.estimator.predict_proba(rows) if probabilities else None,
        )

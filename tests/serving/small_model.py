"""A small real model as the service sees it: a scikit-learn pipeline, its schema, a host of one version."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from headrace.adapters.schema_pydantic import PydanticRows
from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.serving import Answers, Columns, Request
from headrace.serving.batcher import AdaptiveBatcher
from headrace.serving.metrics import Metrics
from headrace.serving.roles import Hosted, Prediction, Serving

SIGNATURE = ModelSignature(
    inputs=(
        InputColumn(
            name="length", dtype="float64", checks={"in_range": {"min_value": -1e6, "max_value": 1e6}}
        ),
        InputColumn(
            name="age", dtype="int64", checks={"greater_than_or_equal_to": 0, "less_than_or_equal_to": 200}
        ),
        InputColumn(name="colour", dtype="str", checks={"isin": ["red", "green"]}),
    ),
    task="classification",
    dtype="str",
    classes=("no", "yes"),
    probabilities=True,
)
ROW = {"length": 1.5, "age": 3, "colour": "red"}


def fit() -> Pipeline:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "length": rng.normal(size=200),
            "age": rng.integers(0, 9, 200),
            "colour": rng.choice(["red", "green"], 200),
        }
    )
    kinds = [["n", StandardScaler(), ["length", "age"]], ["c", OneHotEncoder(), ["colour"]]]
    model = Pipeline([["prepare", ColumnTransformer(kinds)], ["model", LogisticRegression()]])
    return model.fit(rows, np.where(rows["length"] + rows["age"] > 4, "yes", "no"))


class SmallModel:
    """A predictor; what it is asked can be held back, and made to fail on a row."""

    takes_columns = False
    profile: Mapping[str, Any] = {}
    card = ""

    def __init__(self, name: str = "flights", version: int = 3, estimator: Any = None) -> None:
        self.name, self.version, self.digest = name, version, "sha256:0"
        self.signature = SIGNATURE
        self.example: Columns = {key: [value] for key, value in ROW.items()}
        self.expected: Columns = {"prediction": ["yes"]}
        self.estimator = estimator or FITTED
        self.go = threading.Event()
        self.go.set()
        self.calls: list[int] = []
        self.fails_on: float | None = None

    def hasten(self, rows: Any) -> None:
        pass

    def answer(self, rows: Any, probabilities: bool = False) -> Answers:
        self.calls.append(len(rows))
        assert self.go.wait(20)
        if self.fails_on is not None and (rows["length"] == self.fails_on).any():
            raise ZeroDivisionError("a secret of the model")
        predictions = self.estimator.predict(rows)
        return Answers(
            predictions=predictions,
            probabilities=self.estimator.predict_proba(rows) if probabilities else None,
        )


FITTED = fit()


class OneVersion:
    """A hosted model without canary and shadow, that remembers what it was told."""

    def __init__(self, serving: Serving) -> None:
        self.name, self.stable = serving.predictor.name, serving
        self.keys: list[str | None] = []
        self.observed: list[bool] = []
        self.shadowed: list[str] = []

    def choose(self, key: str | None) -> Serving:
        self.keys.append(key)
        return self.stable

    def observe(self, serving: Serving, seconds: float, failed: bool) -> None:
        self.observed.append(failed)

    def shadow(self, request_id: str, request: Request, answers: Answers) -> None:
        self.shadowed.append(request_id)


class ListHost:
    """A host of given models."""

    def __init__(self, models: Sequence[OneVersion]) -> None:
        self.models: Mapping[str, Hosted] = {model.name: model for model in models}
        self.ready = True


class ListLog:
    """A prediction log that is a list."""

    def __init__(self) -> None:
        self.written: list[Prediction] = []

    def write(self, prediction: Prediction) -> None:
        self.written.append(prediction)

    def close(self) -> None:
        pass


def serve_small(
    model: SmallModel, metrics: Metrics, max_waiting: int = 256, max_rows: int = 1024
) -> OneVersion:
    """Host a small model with a real batcher."""
    schema = PydanticRows(model.signature)
    batcher = AdaptiveBatcher(model, schema, max_rows=max_rows, max_waiting=max_waiting, metrics=metrics)
    return OneVersion(Serving(predictor=model, schema=schema, batcher=batcher, role="stable"))

"""Training any estimator, evaluating it, gating it, and joining what is published."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from headrace.errors import StageError
from headrace.stages import evaluate, gate, package, preprocess, train


class Quiet:
    """A context that shows nothing."""

    seed = 11

    def __init__(self, workdir: Path) -> None:
        self.workdir = workdir

    def log(self, metrics: Any, step: int | None = None) -> None:
        """Log nowhere."""

    def report(self, step: int, value: float) -> None:
        """Report nowhere."""

    def progress(self, description: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda note: None)


@pytest.fixture
def context(tmp_path: Path) -> Quiet:
    return Quiet(tmp_path)


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size = rng.normal(size=80)
    return pd.DataFrame(
        {"size": size, "place": rng.choice(["n", "s"], 80), "kind": np.where(size > 0, "hi", "lo")}
    )


def test_an_unset_seed_is_the_runs_and_a_set_one_stays(table: pd.DataFrame, context: Quiet) -> None:
    """`random_state` comes from the context only where the config gives none; the argument is untouched."""
    given = RandomForestClassifier(n_estimators=2)
    fitted = train.fit(table[["size"]], table["kind"], given, context)["estimator"]
    assert fitted.random_state == 11
    assert given.random_state is None
    mine = RandomForestClassifier(n_estimators=2, random_state=3)
    assert train.fit(table[["size"]], table["kind"], mine, context)["estimator"].random_state == 3


def test_the_published_model_takes_raw_rows_and_answers_in_labels(
    table: pd.DataFrame, context: Quiet
) -> None:
    """Raw rows without the target, in another order of columns, give the source's own labels."""
    made = preprocess.tabular(table, table, "kind")
    fitted = train.fit(made["train_features"], made["train_target"], LogisticRegression(), context)[
        "estimator"
    ]
    made_of_all = package.make_package(made["preprocessor"], fitted, table, "kind")["model"]
    model = made_of_all.estimator
    assert set(model.predict(table[["place", "size"]])) == {"hi", "lo"}
    scored = evaluate.classification(fitted, made["test_features"], made["test_target"])
    assert scored["metrics"]["accuracy"] == pytest.approx((model.predict(table) == table["kind"]).mean())
    assert {"accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc"} < set(scored["metrics"])
    assert list(scored["predictions"].columns) == ["target", "predicted", "p_hi", "p_lo"]


def test_features_that_are_not_finite_are_named(table: pd.DataFrame, context: Quiet) -> None:
    """A missing value that the estimator cannot take names column, count and row."""
    broken = table[["size"]].copy()
    broken.iloc[5, 0] = np.nan
    with pytest.raises(StageError, match=r"size \(1, first in row 5\)"):
        train.fit(broken, table["kind"], LogisticRegression(), context)


def test_one_class_is_refused(table: pd.DataFrame, context: Quiet) -> None:
    """A target with one class stops training."""
    with pytest.raises(StageError, match="one class, 'hi'"):
        train.fit(
            table[["size"]], table["kind"].where(table["kind"] == "hi", "hi"), LogisticRegression(), context
        )


def test_regression_is_measured_in_the_targets_unit(table: pd.DataFrame, context: Quiet) -> None:
    """Errors that are one everywhere are an rmse and mae of one."""
    fitted = train.fit(table[["size"]], table["size"] * 2, Ridge(alpha=1e-9), context)["estimator"]
    metrics = evaluate.regression(fitted, table[["size"]], table["size"] * 2 + 1)["metrics"]
    assert metrics["rmse"] == pytest.approx(1, abs=1e-6)
    assert metrics["mae"] == pytest.approx(1, abs=1e-6)


def test_a_class_that_training_never_saw_is_named(table: pd.DataFrame, context: Quiet) -> None:
    """Evaluation refuses labels that the estimator cannot give."""
    fitted = train.fit(table[["size"]], table["kind"], LogisticRegression(), context)["estimator"]
    with pytest.raises(StageError, match="never saw: middle"):
        evaluate.classification(fitted, table[["size"]], table["kind"].replace("hi", "middle"))


def test_the_gate_holds_each_metric_against_its_bounds() -> None:
    """Reaching a bound passes, missing one fails, NaN meets none, and all checks are told."""
    metrics = {"accuracy": 0.9, "log_loss": 0.5, "roc_auc": float("nan")}
    bounds = {"accuracy": {"min": 0.9}, "log_loss": {"max": 0.4}, "roc_auc": {"min": 0.0}}
    out = gate.check_thresholds(metrics, thresholds=bounds)["gate"]
    assert [check["passed"] for check in out["checks"]] == [True, False, False]
    assert out["passed"] is False
    assert gate.check_thresholds(metrics, thresholds=bounds, enforce=False)["gate"]["passed"] is True


def test_the_gate_offers_the_near_name_of_a_metric() -> None:
    """A threshold on what was never measured is an error, not a pass."""
    with pytest.raises(StageError, match=r"did you mean accuracy\?"):
        gate.check_thresholds({"accuracy": 1.0}, thresholds={"acuracy": {"min": 0.5}})

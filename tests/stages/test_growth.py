"""Boosting and forests that report while they grow, to the model that a plain fit gives."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from headrace.errors import Pruned, StageError
from headrace.stages import train


class Listener:
    """A context that keeps the reports, and may find a step hopeless."""

    seed = 11

    def __init__(self, workdir: Path, prune_at: int | None = None) -> None:
        self.workdir = workdir
        self.prune_at = prune_at
        self.reports: dict[int, float] = {}

    def log(self, metrics: Any, step: int | None = None) -> None:
        """Log nowhere."""

    def report(self, step: int, value: float) -> None:
        self.reports[step] = value
        if step == self.prune_at:
            raise Pruned.at("train", step)

    def progress(self, description: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext(lambda note: None)


@pytest.fixture
def context(tmp_path: Path) -> Listener:
    return Listener(tmp_path)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(300, 4))
    number = data[:, 0] + data[:, 1] ** 2 + rng.normal(size=300) * 0.3
    kind = np.select([number < 0.3, number < 1.2], ["low", "middle"], "high")
    return pd.DataFrame(data, columns=list("abcd")).assign(number=number, kind=kind)


def features(table: pd.DataFrame) -> pd.DataFrame:
    return table[list("abcd")]


def grown(table: pd.DataFrame, target: str, estimator: Any, context: Listener, every: int) -> Any:
    return train.fit(features(table), table[target], estimator, context, report_every=every)["estimator"]


def in_one_go(table: pd.DataFrame, target: str, estimator: Any) -> Any:
    """Fit plainly, on the rows that are not held out."""
    labels = table[target].to_numpy()
    labels = labels.astype(str) if target == "kind" else labels
    learned, _ = train_test_split(
        np.arange(len(table)), test_size=0.15, random_state=11, stratify=labels if target == "kind" else None
    )
    model = clone(estimator)
    if model.random_state is None:
        model.set_params(random_state=11)
    return model.fit(features(table).iloc[learned], labels[learned])


@pytest.mark.parametrize(
    ("target", "estimator", "is_exact"),
    [
        ("kind", HistGradientBoostingClassifier(max_iter=23, max_features=0.5), True),
        ("number", HistGradientBoostingRegressor(max_iter=20, loss="absolute_error"), True),
        ("kind", RandomForestClassifier(n_estimators=23, max_samples=0.5), True),
        ("number", RandomForestRegressor(n_estimators=23), True),
        ("kind", ExtraTreesClassifier(n_estimators=23, random_state=3), True),
        ("kind", GradientBoostingClassifier(n_estimators=23, subsample=0.5, max_features=2), False),
        ("number", GradientBoostingRegressor(n_estimators=23), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_grown_model_is_that_of_one_fit(
    target: str, estimator: Any, is_exact: bool, table: pd.DataFrame, context: Listener
) -> None:
    """Prediction for prediction it equals one fit on the rows that were not held out, params included."""
    model = grown(table, target, estimator, context, every=5)
    whole = in_one_go(table, target, estimator)
    assert model.get_params() == whole.get_params()
    x = features(table)
    answers = [m.predict_proba(x) if target == "kind" else m.predict(x) for m in (model, whole)]
    assert np.array_equal(*answers) if is_exact else np.allclose(*answers, rtol=1e-12, atol=0)


def test_the_reports_are_scores_on_rows_held_out(table: pd.DataFrame, context: Listener) -> None:
    """Each step reports the accuracy of the model so far on the 15 % that it does not learn from."""
    grown(table, "kind", RandomForestClassifier(n_estimators=25), context, every=10)
    held = train_test_split(table, test_size=0.15, random_state=11, stratify=table["kind"])[1]
    wanted = {
        n: in_one_go(table, "kind", RandomForestClassifier(n_estimators=n)).score(
            features(held), held["kind"]
        )
        for n in (10, 20, 25)
    }
    assert context.reports == wanted
    assert len(held) == 45


@pytest.mark.parametrize("every", range(1, 8))
@pytest.mark.parametrize("scoring", ["loss", "balanced_accuracy"])
def test_early_stopping_ends_where_it_would_and_reports_its_own_score(
    every: int, scoring: str, table: pd.DataFrame, context: Listener
) -> None:
    """With every size of step it stops at the same iteration as in one fit, on all rows."""
    estimator = HistGradientBoostingClassifier(
        max_iter=200, learning_rate=0.5, early_stopping=True, n_iter_no_change=3, scoring=scoring
    )
    whole = train.fit(features(table), table["kind"], estimator, context)["estimator"]
    assert context.reports == {}
    model = grown(table, "kind", estimator, context, every)
    assert 3 < whole.n_iter_ < 200
    assert model.n_iter_ == whole.n_iter_ == max(context.reports)
    assert np.array_equal(model.validation_score_, whole.validation_score_)
    assert context.reports[model.n_iter_] == whole.validation_score_[-1]
    x = features(table)
    assert np.array_equal(model.predict_proba(x), whole.predict_proba(x))


def test_stopping_by_the_training_loss_holds_rows_out_all_the_same(
    table: pd.DataFrame, context: Listener
) -> None:
    """Without a validation share of its own it stops as in one fit on 85 % of the rows."""
    estimator = HistGradientBoostingClassifier(
        max_iter=400, learning_rate=1.0, early_stopping=True, n_iter_no_change=2, validation_fraction=None
    )
    whole = in_one_go(table, "kind", estimator)
    model = grown(table, "kind", estimator, context, every=3)
    assert model.n_iter_ == whole.n_iter_ == max(context.reports) < 400
    assert all(0 <= score <= 1 for score in context.reports.values())


def test_a_hopeless_step_stops_the_growth(table: pd.DataFrame, tmp_path: Path) -> None:
    """`Pruned` comes out of the stage as it is, after that step and no other."""
    context = Listener(tmp_path, prune_at=4)
    with pytest.raises(Pruned):
        grown(table, "kind", RandomForestClassifier(n_estimators=50), context, every=2)
    assert list(context.reports) == [2, 4]


@pytest.mark.parametrize(
    ("estimator", "every", "told"),
    [
        (LogisticRegression(), 5, r"LogisticRegression does not grow .*report_every=null"),
        (MLPClassifier(), 5, "MLPClassifier does not grow"),
        (make_pipeline(RandomForestClassifier()), 5, "Pipeline does not grow"),
        (GradientBoostingClassifier(n_iter_no_change=5), 5, r"set model\.n_iter_no_change=null"),
        (RandomForestClassifier(), 0, "report_every is 0; use 1 or more"),
    ],
)
def test_what_cannot_report_says_so(
    estimator: Any, every: int, told: str, table: pd.DataFrame, context: Listener
) -> None:
    """An estimator that does not grow, or not in steps, is an error that names the param."""
    with pytest.raises(StageError, match=told):
        grown(table, "kind", estimator, context, every)


def test_too_few_rows_are_told(table: pd.DataFrame, context: Listener) -> None:
    """Rows that cannot spare 15 % of each class name the param."""
    few = table.groupby("kind").head(2)
    with pytest.raises(StageError, match="6 rows cannot spare 15% for report_every"):
        grown(few, "kind", RandomForestClassifier(), context, 5)


def test_an_estimator_that_reports_by_itself_goes_on_doing_so(table: pd.DataFrame, context: Listener) -> None:
    """One with `bind` gets all rows and the context, whatever `report_every` says."""

    class Reporting(LogisticRegression):
        def bind(self, context: Any) -> None:
            self._context = context

        def fit(self, X: Any, y: Any) -> Any:
            self._context.report(len(X), 1.0)
            return super().fit(X, y)

    grown(table, "kind", Reporting(), context, every=5)
    assert context.reports == {300: 1.0}

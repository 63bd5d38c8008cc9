"""Cross-validation: the folds' scores, what is reported of them, and the model of all rows."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

from headrace.errors import Pruned, StageError
from headrace.stages import train


class Listener:
    """A context that keeps what it is told, and may find a step hopeless."""

    seed = 11

    def __init__(self, workdir: Path, prune_at: int | None = None) -> None:
        self.workdir = workdir
        self.prune_at = prune_at
        self.reports: list[tuple[int, float]] = []
        self.logged: list[str] = []

    def log(self, metrics: Any, step: int | None = None) -> None:
        self.logged += metrics

    def report(self, step: int, value: float) -> None:
        self.reports.append((step, value))
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
    size, weight = rng.normal(size=(2, 90))
    kind = np.where(size + rng.normal(size=90) > 0.8, "hi", "lo")
    return pd.DataFrame({"size": size, "weight": weight, "kind": kind})


FEATURES = ["size", "weight"]


def test_a_classifier_is_scored_on_stratified_folds_and_fitted_on_all(
    table: pd.DataFrame, context: Listener
) -> None:
    """The scores are scikit-learn's own on the same seeded folds; the estimator is that of a plain fit."""
    made = train.cross_validate(
        table[FEATURES], table["kind"], LogisticRegression(), context, folds=4, scoring="neg_log_loss"
    )
    folds = StratifiedKFold(4, shuffle=True, random_state=11)
    wanted = cross_val_score(
        LogisticRegression(), table[FEATURES], table["kind"], cv=folds, scoring="neg_log_loss"
    )
    assert made["scores"]["folds"] == pytest.approx(wanted.tolist())
    assert made["scores"]["mean"] == pytest.approx(wanted.mean())
    assert made["scores"]["std"] == pytest.approx(wanted.std())
    assert made["scores"]["scoring"] == "neg_log_loss"
    whole = train.fit(table[FEATURES], table["kind"], LogisticRegression(), context)["estimator"]
    assert np.array_equal(made["estimator"].coef_, whole.coef_)


def test_a_regressor_is_scored_by_its_own_score(table: pd.DataFrame, context: Listener) -> None:
    """Without a scorer it is R², on shuffled folds that know no classes."""
    made = train.cross_validate(table[["weight"]], table["size"], Ridge(), context)
    wanted = cross_val_score(
        Ridge(), table[["weight"]], table["size"], cv=KFold(5, shuffle=True, random_state=11)
    )
    assert made["scores"]["folds"] == pytest.approx(wanted.tolist())
    assert made["scores"]["scoring"] is None


def test_each_fold_reports_the_mean_so_far(table: pd.DataFrame, context: Listener) -> None:
    """Step is the number of folds done, and the last report is the mean of them all."""
    scores = train.cross_validate(table[FEATURES], table["kind"], LogisticRegression(), context)["scores"]
    means = [float(np.mean(scores["folds"][:done])) for done in range(1, 6)]
    assert [step for step, _ in context.reports] == [1, 2, 3, 4, 5]
    assert [score for _, score in context.reports] == pytest.approx(means)
    assert context.reports[-1][1] == scores["mean"]


def test_a_hopeless_fold_is_the_last(table: pd.DataFrame, tmp_path: Path) -> None:
    """`Pruned` comes out as it is, before the other folds are fitted."""
    context = Listener(tmp_path, prune_at=2)
    with pytest.raises(Pruned):
        train.cross_validate(table[FEATURES], table["kind"], LogisticRegression(), context)
    assert [step for step, _ in context.reports] == [1, 2]


def test_torch_epochs_do_not_mix_with_folds(table: pd.DataFrame, context: Listener) -> None:
    """Only folds report; each fit logs its epochs by name and keeps its checkpoints apart."""
    pytest.importorskip("torch")
    from headrace.models.net import MLP

    train.cross_validate(table[FEATURES], table["kind"], MLP(hidden=[4], max_epochs=2), context, folds=2)
    assert [step for step, _ in context.reports] == [1, 2]
    assert {name.partition("/")[0] for name in context.logged} == {"fold-1", "fold-2", "all-rows"}
    assert {path.parent.name for path in context.workdir.rglob("*.safetensors")} == {
        "fold-1", "fold-2", "all-rows"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"folds": 1}, "folds is 1; use 2 or more"),
        ({"folds": 40}, r"folds is 40; use 2 or more, and at most \d+: there are \d+ rows of class 'hi'"),
        (
            {"scoring": "acuracy"},
            r"no scorer 'acuracy'; did you mean stages\.train\.params\.scoring=accuracy",
        ),
    ],
)
def test_what_cannot_be_scored_says_so(
    changes: dict[str, Any], told: str, table: pd.DataFrame, context: Listener
) -> None:
    """Folds that the rows cannot fill, and a scorer that nobody knows, are told before anything is fitted."""
    with pytest.raises(StageError, match=told):
        train.cross_validate(table[FEATURES], table["kind"], LogisticRegression(), context, **changes)
    assert context.reports == []


def test_a_score_that_is_not_finite_names_the_fold(table: pd.DataFrame, context: Listener) -> None:
    """R² of a fold of one row is not defined, which is no score to compare by."""
    few = table.head(3)
    with pytest.warns(UserWarning, match="R\\^2"), pytest.raises(StageError, match="score of fold 1 is nan"):
        train.cross_validate(few[["weight"]], few["size"], Ridge(), context, folds=3)

"""What cross-validation needs beside fitting: folds, a scorer, and a context for the fit of one fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from sklearn.base import BaseEstimator

    from headrace.core.ports import Context

Scorer = Callable[["BaseEstimator", Any, Any], float]


class FoldContext:
    """The context for one fit of several: a name and a work directory of its own, and no interim scores.

    Scores of a fit's own epochs would mix with those of the folds.
    """

    def __init__(self, whole: Context, name: str) -> None:
        self.seed = whole.seed
        self.workdir = Path(whole.workdir) / name
        self.workdir.mkdir(parents=True, exist_ok=True)
        self._whole = whole
        self._name = name

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._whole.log({f"{self._name}/{name}": value for name, value in metrics.items()}, step)

    def report(self, step: int, value: float) -> None:
        """Report nowhere."""

    def progress(self, description: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        return self._whole.progress(f"{self._name}, {description}", total)


def split_folds(
    estimator: BaseEstimator, labels: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows to learn from and those to score on, for each fold.

    Rows are shuffled by the seed; a classifier's folds hold each class in equal shares.

    Raises:
        StageError: There are too few rows, or too few of some class.
    """
    import numpy as np
    from sklearn.base import is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold

    classifies = is_classifier(estimator)
    few, what = len(labels), "rows"
    if classifies:
        classes, counts = np.unique(labels, return_counts=True)
        few, what = int(counts.min()), f"rows of class {classes[counts.argmin()].item()!r}"
    if not 2 <= folds <= few:
        raise StageError(f"folds is {folds}; use 2 or more, and at most {few}: there are {few:,} {what}")
    kind = StratifiedKFold if classifies else KFold
    splitter = kind(n_splits=folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(labels)), labels))


def find_scorer(estimator: BaseEstimator, scoring: str | None) -> Scorer:
    """Return scikit-learn's scorer of that name; None is the estimator's own `score`.

    Raises:
        StageError: No scorer has that name.
    """
    from sklearn.metrics import check_scoring, get_scorer_names

    names = get_scorer_names()
    if scoring is not None and scoring not in names:
        hint = did_you_mean(scoring, names, "stages.train.params.scoring={}")
        raise StageError(f"scikit-learn has no scorer '{scoring}'; {hint}")
    scorer: Scorer = check_scoring(estimator, scoring)
    return scorer

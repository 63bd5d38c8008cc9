"""Metrics of a classifier as functions of the rows' weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headrace.stages.evaluate.rank_measure import RankMeasure

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a classifier said of the rows. Classes are positions in `classes`.

    `truth` and `predicted` have shape `(n_rows,)`, `chances` has `(n_rows, n_classes)`, or is None
    where the classifier gives no probabilities. `positive` is None where there are not two classes.
    """

    classes: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    chances: np.ndarray | None
    positive: int | None

    def take(self, rows: np.ndarray) -> Answers:
        chances = None if self.chances is None else self.chances[rows]
        return replace(self, truth=self.truth[rows], predicted=self.predicted[rows], chances=chances)


class ClassMeasure:
    """Accuracy and what else is counted, losses of probabilities, and with two classes their ranking.

    Definitions and conventions are scikit-learn's: a macro average is over the classes that occur in
    truth or prediction (balanced accuracy: in truth), and precision is 0 where nothing is predicted.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._counts = _indicators(answers)
        self._losses = None if answers.chances is None else _losses(answers)
        self._rank = None
        if answers.positive is not None and answers.chances is not None:
            hits = answers.truth == answers.positive
            self._rank = RankMeasure(hits, answers.chances[:, answers.positive])

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        k = len(self._answers.classes)
        counts = self._counts @ weights
        found = _counted(counts[:k], counts[k : 2 * k], counts[2 * k :], self._answers.positive)
        if self._rank is not None:
            found |= self._rank(weights)
        if self._losses is not None:
            found["log_loss"], found["brier"] = self._losses @ weights / weights.sum(axis=0)
        return found

    def take(self, rows: np.ndarray) -> ClassMeasure:
        return ClassMeasure(self._answers.take(rows))


def _indicators(answers: Answers) -> np.ndarray:
    """Return a sparse matrix that sums weights by class: of hits, of the truth, of predictions."""
    import numpy as np
    from scipy.sparse import csr_array

    rows, k = np.arange(len(answers.truth)), len(answers.classes)
    hit = answers.truth == answers.predicted
    at = np.concatenate([answers.truth[hit], answers.truth + k, answers.predicted + 2 * k])
    column = np.concatenate([rows[hit], rows, rows])
    shape = (3 * k, len(rows))
    indicators: np.ndarray = csr_array((np.ones(len(at), np.float32), (at, column)), shape=shape)
    return indicators


def _losses(answers: Answers) -> np.ndarray:
    """Return each row's logarithmic loss and squared error of the probabilities, shape `(2, n_rows)`.

    The second is the Brier score's: for two classes that of the last one, for more the sum over all.
    """
    import numpy as np

    chances = answers.chances
    assert chances is not None
    rows, tiny = np.arange(len(chances)), np.finfo(chances.dtype).eps
    given = np.clip(chances[rows, answers.truth].astype(float), tiny, 1 - tiny)
    wrong = chances.astype(float)
    wrong[rows, answers.truth] -= 1
    squares = (wrong**2).sum(axis=1) / (2 if chances.shape[1] == 2 else 1)
    return np.stack([-np.log(given), squares])


def _counted(
    hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray, positive: int | None
) -> dict[str, np.ndarray]:
    """Return what follows from weighted counts by class, each of shape `(n_classes, n_resamples)`."""
    total = truth.sum(axis=0)
    precision, recall = _ratio(hits, predicted), _ratio(hits, truth)
    f1 = _ratio(2 * hits, truth + predicted)
    there, named = truth > 0, truth + predicted > 0
    found = {
        "accuracy": hits.sum(axis=0) / total,
        "balanced_accuracy": recall.sum(axis=0, where=there) / there.sum(axis=0),
    }
    if positive is None:
        found["precision_macro"] = precision.sum(axis=0) / named.sum(axis=0)
    else:
        found["precision"] = precision[positive]
        found["recall"] = _undetermined(recall[positive], ~there[positive])
        found["f1"] = _undetermined(f1[positive], ~named[positive])
    found["f1_macro"] = f1.sum(axis=0) / named.sum(axis=0)
    found["matthews_corrcoef"] = _matthews(hits.sum(axis=0) / total, truth / total, predicted / total)
    return found


def _matthews(accuracy: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the correlation of truth and prediction by shares (Gorodkin 2004); 0 without variance."""
    import numpy as np

    shared = accuracy - (truth * predicted).sum(axis=0)
    variance = (1 - (truth**2).sum(axis=0)) * (1 - (predicted**2).sum(axis=0))
    # What is left of a variance of 0 after rounding is none.
    return _ratio(shared, np.where(variance > 1e-12, np.sqrt(np.abs(variance)), 0))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by."""
    import numpy as np

    ratio: np.ndarray = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio


def _undetermined(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.where(where, np.nan, values)

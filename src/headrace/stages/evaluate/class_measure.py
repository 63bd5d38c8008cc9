"""Metrics of a classifier as functions of the rows' weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headrace.stages.evaluate.measure import sum_rows
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
        self._cells = _Cells(answers)
        self._losses = None if answers.chances is None else _losses(answers)
        self._rank = None
        if answers.positive is not None and answers.chances is not None:
            hits = answers.truth == answers.positive
            self._rank = RankMeasure(hits, answers.chances[:, answers.positive])

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        hits, truth, predicted = self._cells.count(weights)
        found = _counted(hits, truth, predicted, self._answers.positive)
        if self._rank is not None:
            found |= self._rank(weights)
        if self._losses is not None:
            total = truth.sum(axis=0)
            found["log_loss"], found["brier"] = (sum_rows(weights, loss) / total for loss in self._losses)
        return found

    def take(self, rows: np.ndarray) -> ClassMeasure:
        return ClassMeasure(self._answers.take(rows))


class _Cells:
    """The cells of the confusion matrix that occur, and which rows are in which."""

    def __init__(self, answers: Answers) -> None:
        import numpy as np

        self._n_classes = len(answers.classes)
        cells = answers.truth * self._n_classes + answers.predicted
        self._order = np.argsort(cells, kind="stable")
        found, self._starts = np.unique(cells[self._order], return_index=True)
        self._truth, self._predicted = np.divmod(found, self._n_classes)

    def count(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the weight by class of hits, of the truth and of predictions: `(n_classes, n_resamples)`."""
        import numpy as np

        cells = np.add.reduceat(weights.take(self._order, axis=1), self._starts, axis=1).T
        hits, truth, predicted = np.zeros((3, self._n_classes, len(weights)))
        np.add.at(truth, self._truth, cells)
        np.add.at(predicted, self._predicted, cells)
        right = self._truth == self._predicted
        hits[self._truth[right]] = cells[right]
        return hits, truth, predicted


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

"""What the estimator said about the test rows, beside what is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headrace.errors import StageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.base import BaseEstimator

CHANCE = "p_"  # before the class, in the columns of the predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The answers of a classifier or a regressor, all `(n_rows,)`.

    With classes, `target` and `predicted` are their numbers, positions in `classes`, and `chances` is
    `(n_rows, n_classes)`, or None where the estimator gives none. `classes` are told as text, in the
    estimator's own order. `positive` is the number of the class that counts as positive where there
    are two, else None.
    """

    task: Literal["binary", "multiclass", "regression"]
    target_name: str
    target: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...] = ()
    positive: int | None = None
    chances: np.ndarray | None = None

    @property
    def right(self) -> np.ndarray:
        """Tell for each row whether its class was found."""
        found: np.ndarray = self.target == self.predicted
        return found

    def chance_of(self, number: int) -> np.ndarray:
        """Return the chance of a class for each row. Only where there are `chances`."""
        assert self.chances is not None
        chance: np.ndarray = self.chances[:, number]
        return chance


def read_answers(
    estimator: BaseEstimator, predictions: pd.DataFrame, target_name: str, positive: object = None
) -> Answers:
    """Read the table that `stages.evaluate` makes: `target`, `predicted`, `p_<class>`.

    Raises:
        StageError: A label that the estimator does not know, or `positive` is none of two classes.
    """
    from sklearn.base import is_classifier

    if not is_classifier(estimator):
        target, predicted = (predictions[name].to_numpy(dtype=float) for name in ("target", "predicted"))
        return Answers(task="regression", target_name=target_name, target=target, predicted=predicted)
    classes = tuple(str(name) for name in estimator.classes_.tolist())
    columns = [CHANCE + name for name in classes]
    known = all(name in predictions for name in columns)
    return Answers(
        task="binary" if len(classes) == 2 else "multiclass",
        target_name=target_name,
        target=_numbers(predictions["target"], classes),
        predicted=_numbers(predictions["predicted"], classes),
        classes=classes,
        positive=_positive(classes, positive),
        chances=predictions[columns].to_numpy(dtype=float) if known else None,
    )


def _numbers(labels: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    import pandas as pd

    texts = labels.astype("object").map(str)
    numbers = pd.Index(classes).get_indexer(pd.Index(texts))
    if (numbers < 0).any():
        unseen = ", ".join(sorted(set(texts[numbers < 0]))[:5])
        raise StageError(f"the column {labels.name} of the predictions has unknown classes: {unseen}")
    return numbers


def _positive(classes: tuple[str, ...], positive: object) -> int | None:
    if len(classes) != 2:
        return None
    if positive is None:
        return 1
    if str(positive) not in classes:
        raise StageError(
            f"the positive class of the evaluation, {positive!r}, is none of {', '.join(classes)}"
        )
    return classes.index(str(positive))

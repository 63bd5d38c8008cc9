"""What a model that looks at no feature would say: the least that any other must beat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from headrace.stages.evaluate.class_measure import Answers


def dummy_answers(
    answers: Answers, train_target: pd.Series | None, strategy: str, seed: int
) -> Answers | None:
    """Return scikit-learn's `DummyClassifier`'s answers for the same rows; None without training labels."""
    import numpy as np
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    if train_target is None:
        return None
    index = pd.Index(answers.classes)
    labels = train_target.to_numpy(dtype=object)
    codes = index.get_indexer(labels.astype(str) if answers.classes.dtype.kind == "U" else labels)
    codes = codes[codes >= 0]
    if not len(codes):
        return None
    dummy = DummyClassifier(strategy=strategy, random_state=seed)
    dummy.fit(np.zeros((len(codes), 1)), codes)
    blind = np.zeros((len(answers.truth), 1))
    chances = np.zeros((len(blind), len(index)))
    chances[:, dummy.classes_] = dummy.predict_proba(blind)
    return replace(
        answers, predicted=dummy.predict(blind), chances=None if answers.chances is None else chances
    )


def dummy_numbers(n_rows: int, train_target: pd.Series | None, strategy: str) -> np.ndarray | None:
    """Return the mean or median of the training target for each row; None without one."""
    import numpy as np

    if train_target is None:
        return None
    known = train_target.to_numpy(dtype=float)
    return np.full(n_rows, known.mean() if strategy == "mean" else np.median(known))

"""Which class is taken for which."""

from __future__ import annotations

from typing import Any

from headrace.stages.explain.answers import Answers
from headrace.stages.explain.rows import plain

MOST_CLASSES = 30


def count_confusions(answers: Answers) -> dict[str, Any]:
    """Count test rows by true class (outer) and predicted class (inner).

    `shares` are of each true class's rows, so the diagonal is its recall; 0 for a class without rows.
    Of more than 30 classes those with the most wrong rows are kept, and `left_out` counts the others.
    """
    import numpy as np

    size = len(answers.classes)
    counts = np.zeros((size, size), dtype=int)
    np.add.at(counts, (answers.target, answers.predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    wrong = counts.sum(axis=1) + counts.sum(axis=0) - 2 * counts.diagonal()
    kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    return {
        "classes": [answers.classes[at] for at in kept],
        "counts": counts[np.ix_(kept, kept)].tolist(),
        "shares": [plain(row) for row in shares[np.ix_(kept, kept)]],
        "wrong": int((~answers.right).sum()),
        "left_out": size - len(kept),
    }

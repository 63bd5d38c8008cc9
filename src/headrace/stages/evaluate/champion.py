"""What the model that is in production says of the same rows, if it can say anything of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from headrace.stages.evaluate.class_measure import Answers

Told = dict[str, Any]  # `estimator`: the class of its last step; `why`: why it cannot be compared, or None


def champion_answers(
    champion: Any, rows: pd.DataFrame | None, answers: Answers
) -> tuple[Answers | None, Told | None]:
    """Return the champion's answers in the candidate's numbers for classes, and what there is to tell.

    A champion may have learned from other columns or other labels. That is no fault of this run, so
    it is told and never raised.
    """
    import pandas as pd

    if champion is None:
        return None, None
    told: Told = {"estimator": _name(champion), "why": None}
    if rows is None:
        return None, told | {"why": "it was not given the test rows: stages.evaluate.inputs.rows=test"}
    try:
        theirs = champion.classes_
        if set(theirs.tolist()) != set(answers.classes.tolist()):
            return None, told | {"why": f"it knows other classes: {_listed(theirs)}"}
        said = champion.predict(rows)
        chances = champion.predict_proba(rows) if hasattr(champion, "predict_proba") else None
    except Exception as error:  # whatever a model of another time raises
        return None, told | {"why": _reason(error)}
    ours = pd.Index(answers.classes)
    if chances is not None:
        chances = chances[:, pd.Index(theirs).get_indexer(ours)]
    return replace(answers, predicted=ours.get_indexer(said), chances=chances), told


def champion_numbers(
    champion: Any, rows: pd.DataFrame | None, n_rows: int
) -> tuple[np.ndarray | None, Told | None]:
    """Return the numbers that the champion predicts, and what there is to tell."""
    import numpy as np

    if champion is None:
        return None, None
    told: Told = {"estimator": _name(champion), "why": None}
    if rows is None:
        return None, told | {"why": "it was not given the test rows: stages.evaluate.inputs.rows=test"}
    try:
        said = np.asarray(champion.predict(rows), dtype=float)
    except Exception as error:  # whatever a model of another time raises
        return None, told | {"why": _reason(error)}
    if said.shape != (n_rows,) or not np.isfinite(said).all():
        return None, told | {"why": "its predictions are not one finite number for each row"}
    return said, told


def _name(champion: Any) -> str:
    steps = getattr(champion, "steps", None)
    return type(steps[-1][1] if steps else champion).__name__


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"it cannot predict these rows: {type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")


def _listed(classes: np.ndarray, most: int = 10) -> str:
    names = [str(name) for name in classes.tolist()]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

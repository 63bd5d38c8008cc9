"""The rows that the estimator was most wrong about, as they came from the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.stages.explain.answers import Answers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SMALLEST = 1e-15  # a chance of 0 would cost infinitely much


def find_worst(answers: Answers, rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the worst errors, worst first, each with its raw row.

    Of a classifier these are rows of which the class was not found, by `loss`: the natural logarithm
    of one over the chance of the true class (`p_target`). Without chances they are the first such
    rows. Of a regression they are the rows with the largest absolute `residual`, target minus
    prediction.

    Returns:
        `row` (position among the test rows, from 0), `target`, `predicted`, the columns named above,
        and then the raw columns but the target. A raw column of one of these names gets ` (raw)`.
    """
    import numpy as np
    import pandas as pd

    judged: dict[str, np.ndarray]
    if answers.task == "regression":
        residuals = answers.target - answers.predicted
        worst = np.argsort(-np.abs(residuals), kind="stable")[:most]
        judged = {"target": answers.target, "predicted": answers.predicted, "residual": residuals}
    else:
        names = np.array(answers.classes, dtype=object)
        judged = {"target": names[answers.target], "predicted": names[answers.predicted]}
        worst = np.flatnonzero(~answers.right)
        if answers.chances is not None:
            chance = answers.chances[np.arange(len(answers.target)), answers.target]
            judged |= {"p_target": chance, "loss": -np.log(np.maximum(chance, SMALLEST))}
            worst = worst[np.argsort(chance[worst], kind="stable")]
        worst = worst[:most]
    found = pd.DataFrame({"row": worst, **{name: values[worst] for name, values in judged.items()}})
    for name in ("target", "predicted"):
        if answers.classes:
            found[name] = found[name].astype("str")  # also where there is no row to tell by
    raw = rows.drop(columns=answers.target_name, errors="ignore").iloc[worst].reset_index(drop=True)
    raw = raw.rename(columns={name: f"{name} (raw)" for name in raw.columns if name in found.columns})
    return pd.concat([found, raw], axis=1)

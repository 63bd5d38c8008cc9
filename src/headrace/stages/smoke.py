"""Try what is to be published as those who get it will: loaded in a process that has seen nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError

if TYPE_CHECKING:
    import pandas as pd

    from headrace.core.ports import Context

READER = "headrace.loaded"  # as a command it reads a package and predicts
CLOSE = 1e-6  # relative, for numbers: another process may add up in another order


def answer_in_fresh_process(
    model: Path,
    sample: pd.DataFrame,
    context: Context,
    predictions: pd.DataFrame | None = None,
    rows: int = 5,
    timeout_seconds: float = 120,
) -> dict[str, Any]:
    """Load the stored package in a fresh process and let it answer a few raw rows.

    Args:
        model: The package as it is stored.
        sample: Raw rows; the first `rows` are asked about.
        predictions: What the estimator said of these rows when it was evaluated, in `predicted`.

    Returns:
        `smoke`: whether the package `loads`, whether it `answers` (one finite answer a row, the ones
        that were evaluated), how many `rows` were asked, and what went wrong (`error`, else "").
        A package that fails is a result, not an error of the stage: the gate decides.
    """
    if rows < 1:
        raise StageError(f"stages.smoke.params.rows is {rows}; use 1 or more")
    asked = sample.head(rows)
    file = Path(context.workdir) / "sample.parquet"
    asked.to_parquet(file)
    loaded, answers, error = _ask(model, file, timeout_seconds)
    if not error:
        wanted = None if predictions is None else predictions["predicted"].head(rows).tolist()
        error = _compare(answers, wanted, len(asked))
    return {"smoke": {"loads": loaded, "answers": not error, "rows": len(asked), "error": error}}


def _ask(model: Path, sample: Path, timeout_seconds: float) -> tuple[bool, list[Any], str]:
    """Return whether the package loaded, its answers, and the error."""
    command = [sys.executable, "-m", READER, str(model), str(sample)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        return False, [], f"no answer in {timeout_seconds:g} s"
    lines = done.stdout.splitlines()
    loaded = "loaded" in lines
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        return loaded, [], said[-1] if said else f"the process ended with {done.returncode}"
    return loaded, list(json.loads(lines[-1])), ""


def _compare(answers: list[Any], wanted: list[Any] | None, rows: int) -> str:
    """Say what is wrong with the answers, or ''."""
    if len(answers) != rows:
        return f"{len(answers)} answers to {rows} rows"
    if any(answer is None or answer != answer for answer in answers):
        return "an answer is missing"
    for row, (answer, evaluated) in enumerate(zip(answers, wanted or answers, strict=True)):
        if not _same(answer, evaluated):
            return f"row {row}: the package says {answer}, and {evaluated} was evaluated"
    return ""


def _same(answer: Any, evaluated: Any) -> bool:
    if isinstance(answer, int | float) and isinstance(evaluated, int | float):
        return bool(abs(answer - evaluated) <= CLOSE * max(abs(answer), abs(evaluated), 1.0))
    return str(answer) == str(evaluated)

"""Part the valid rows into those to learn from and those to be judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headrace.errors import StageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from headrace.core.ports import Context


def split_randomly(
    valid: pd.DataFrame, target: str, task: str, context: Context, test_size: float = 0.2
) -> dict[str, Any]:
    """Draw the test rows by chance, the same for a seed; classes keep their shares in both parts.

    Args:
        valid: Rows that passed validation.
        target: Column to predict; without missing values.
        task: `binary`, `multiclass` or `regression`.
        test_size: Share of the rows to test on, between 0 and 1.

    Raises:
        StageError: No rows, no such target, missing labels, one class, or a class too rare to divide.
    """
    from sklearn.model_selection import train_test_split

    labels = _target(valid, target, task)
    stratify = None if task == "regression" else labels
    if stratify is not None:
        counts = labels.value_counts()
        rare = counts[counts < 2]
        if len(rare):
            raise StageError(
                f"target {target}: class {rare.index[0]!r} has one row of {len(valid):,}; a split that keeps"
                " classes needs two. Drop the class, or use stages/split=time"
            )
    try:
        train, test = train_test_split(
            valid, test_size=test_size, random_state=context.seed, stratify=stratify
        )
    except ValueError as error:
        raise StageError(
            f"{len(valid):,} rows cannot be split with test_size {test_size}: {error}"
        ) from error
    return {"train": train.reset_index(drop=True), "test": test.reset_index(drop=True)}


def split_by_time(
    valid: pd.DataFrame, target: str, task: str, by: str, test_size: float = 0.2
) -> dict[str, Any]:
    """Learn from the past and test on what came after; no moment is on both sides.

    Args:
        by: Column to order by. The test part begins at the value that leaves about `test_size` of
            the rows behind it, and takes every row from that value on.
    """
    labels = _target(valid, target, task)
    if by not in valid.columns:
        raise StageError(f"no column {by} to split by; {did_you_mean(by, map(str, valid.columns))}")
    if valid[by].isna().any():
        raise StageError(f"column {by} to split by misses {int(valid[by].isna().sum()):,} values")
    order = valid[by].argsort(kind="stable").to_numpy()
    cut = valid[by].iloc[order[min(int(len(valid) * (1 - test_size)), len(valid) - 1)]]
    late = (valid[by] >= cut).to_numpy()
    if late.all():
        raise StageError(f"column {by} starts and ends with {cut}: nothing is left to train on")
    if task != "regression" and labels[~late].nunique() < 2:
        raise StageError(f"before {by} = {cut} target {target} has one class: {labels[~late].iloc[0]!r}")
    early_order, late_order = order[~late[order]], order[late[order]]
    train, test = valid.iloc[early_order], valid.iloc[late_order]
    return {"train": train.reset_index(drop=True), "test": test.reset_index(drop=True)}


def _target(table: pd.DataFrame, target: str, task: str) -> pd.Series:
    """Return the target column, or say what is wrong with it."""
    if target not in table.columns:
        raise StageError(f"no target column {target}; {did_you_mean(target, map(str, table.columns))}")
    if table.empty:
        raise StageError("no rows to split: validation let none through")
    labels = table[target]
    missing = labels.isna()
    if missing.any():
        shown = ", ".join(str(row) for row in labels.index[missing][:5])
        raise StageError(
            f"target {target} misses {int(missing.sum()):,} of {len(labels):,} values (rows {shown});"
            " let the schema reject them: `nullable: false`"
        )
    if task != "regression" and labels.nunique() < 2:
        raise StageError(f"target {target} has one class, {labels.iloc[0]!r}, in all {len(labels):,} rows")
    return labels

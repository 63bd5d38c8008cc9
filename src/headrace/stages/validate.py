"""Check the raw table against its schema and part the rows that pass from those that do not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import StageError

if TYPE_CHECKING:
    import pandas as pd

    from headrace.core.ports import SchemaChecker, SchemaFindings

log = logging.getLogger(__name__)

EXAMPLES = 5
ACTIONS = ("fail", "quarantine", "warn")


def check(
    raw: pd.DataFrame,
    checker: SchemaChecker,
    on_invalid: Literal["fail", "quarantine", "warn"] = "fail",
    max_rejected: float = 0.0,
) -> dict[str, Any]:
    """Check every row and column; return the good rows, the bad ones, and a report that counts.

    Args:
        raw: The table as it was read.
        checker: Checks a table against one schema.
        on_invalid: `fail` stops at any failure; `quarantine` sets failing rows aside, up to
            `max_rejected`; `warn` lets every row pass as it is and only tells.
        max_rejected: Share of the rows that may be set aside, 0 to 1. Counts for `quarantine` only.

    Raises:
        StageError: Too many rows fail, or the table's structure does (a column is missing).
    """
    if on_invalid not in ACTIONS:
        raise StageError(f"stages.validate.params.on_invalid is {on_invalid!r}; use {', '.join(ACTIONS)}")
    found = checker.check(raw)
    limit = max_rejected if on_invalid == "quarantine" else 0.0
    report = _report(raw, found, on_invalid, limit)
    if report["failures"] or report["structural"]:
        too_many = bool(found.structural) or report["share"] > limit
        if too_many and on_invalid != "warn":
            raise StageError(_told(report))
        log.warning("%s", _told(report))
    if on_invalid == "warn":
        return {"valid": raw, "rejected": raw.iloc[:0], "validation": report}
    valid = found.valid.reset_index(drop=True)
    return {"valid": valid, "rejected": _with_reasons(found), "validation": report}


def skip(raw: pd.DataFrame) -> dict[str, Any]:
    """Let every row pass unchecked; the report says so."""
    report = {"rows": len(raw), "rejected": 0, "share": 0.0, "on_invalid": "skip", "max_rejected": 0.0}
    report |= {"structural": [], "failures": []}
    return {"valid": raw, "rejected": raw.iloc[:0], "validation": report}


def _report(raw: pd.DataFrame, found: SchemaFindings, on_invalid: str, limit: float) -> dict[str, Any]:
    rejected = len(found.rejected)
    return {
        "rows": len(raw),
        "rejected": rejected,
        "share": rejected / max(len(raw), 1),
        "on_invalid": on_invalid,
        "max_rejected": limit,
        "structural": list(found.structural),
        "failures": _counts(found.failures),
    }


def _counts(failures: pd.DataFrame) -> list[dict[str, Any]]:
    """Count failures by column and check, the most frequent first, each with a few examples."""
    counted: list[dict[str, Any]] = []
    for (column, name), group in failures.groupby(["column", "check"], sort=True, dropna=False):
        shown = group.head(EXAMPLES)
        examples = [
            {"row": int(row) if isinstance(row, (int, float)) else str(row), "value": _plain(value)}
            for row, value in zip(shown["index"].tolist(), shown["value"].tolist(), strict=True)
        ]
        counted.append({"column": column, "check": name, "count": len(group), "examples": examples})
    return sorted(counted, key=lambda entry: (-entry["count"], str(entry["column"]), str(entry["check"])))


def _plain(value: Any) -> str | int | float | bool | None:
    """Make a value fit for JSON; a missing one is None."""
    if isinstance(value, (bool, int, str)):
        return value
    if value is None or value != value:
        return None
    return float(value) if isinstance(value, float) else str(value)


def _with_reasons(found: SchemaFindings) -> pd.DataFrame:
    """Give each rejected row the number it had in `raw` and the checks that it failed."""
    rejected: pd.DataFrame = found.rejected.copy()
    if rejected.empty:
        return rejected
    reasons = found.failures["column"].astype(str) + ": " + found.failures["check"].astype(str)
    told = reasons.groupby(found.failures["index"]).agg("; ".join)
    rejected.insert(0, "row", rejected.index)
    rejected.insert(1, "reasons", told.reindex(rejected.index).to_numpy())
    return rejected.reset_index(drop=True)


def _told(report: dict[str, Any]) -> str:
    head = (
        f"{report['rejected']:,} of {report['rows']:,} rows ({report['share']:.2%}) fail the schema"
        f" (on_invalid: {report['on_invalid']}, allowed: {report['max_rejected']:.2%})"
    )
    if report["structural"]:
        # Rows are not the point then, and their count would read as if they were within the limit.
        head = f"the table does not have the schema's structure ({report['rows']:,} rows, on_invalid: "
        head += f"{report['on_invalid']})"
    lines = [f"  {problem}" for problem in report["structural"]]
    for entry in report["failures"][:20]:
        shown = ", ".join(f"row {one['row']}: {one['value']}" for one in entry["examples"])
        lines.append(f"  {entry['column']}: {entry['check']} fails {entry['count']:,} times ({shown})")
    if len(report["failures"]) > 20:
        lines.append(f"  … and {len(report['failures']) - 20} more checks")
    return "\n".join([head, *lines])

"""What does not go to W&B: values and columns whose names say that they are secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headrace.core.secrets import is_secret, without_secrets

PLAIN = (str, int, float, bool, type(None))


def refuse_values(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a tree without the values of secret names, and these names; texts lose what authorises."""
    refused: list[str] = []

    def walk(node: Any, where: str) -> Any:
        if isinstance(node, Mapping):
            kept = {}
            for name, child in node.items():
                if is_secret(str(name)) and child is not None:
                    refused.append(f"{where}{name}")
                else:
                    kept[str(name)] = walk(child, f"{where}{name}.")
            return kept
        if isinstance(node, list | tuple):
            return [walk(child, where) for child in node]
        return node

    return without_secrets(walk(values, "")), refused


def refuse_columns(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return columns and rows as JSON takes them, without secret columns, and the names of these."""
    names = [str(name) for name in columns]
    kept = [i for i, name in enumerate(names) if not is_secret(name)]
    cells = [[_plain(row[i]) for i in kept] for row in rows]
    table = {"columns": [names[i] for i in kept], "rows": cells}
    return table, [name for name in names if is_secret(name)]


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and not isinstance(value, PLAIN):
        value = value.item()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None  # JSON has no such number
    return without_secrets(value) if isinstance(value, PLAIN) else str(value)

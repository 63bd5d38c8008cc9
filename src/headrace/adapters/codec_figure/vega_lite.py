"""Altair charts: the specification as JSON, with all its data, and the picture drawn from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.adapters.codec_figure.png import pack_png
from headrace.errors import StageError

_SCALE = 2  # pixels of the picture for each of the chart
_BACKGROUND = "white"  # of the picture alone: a page has a colour of its own, and so has its text


def write_chart(chart: Any, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.png`.

    The specification's `usermeta` is `{"headrace": {title, alt, caption}}`: what the chart says there
    itself, or else its title and its description. It is all that a page needs beside vega.js.

    Raises:
        StageError: The chart is incomplete, has too many rows, or wants something from elsewhere.
    """
    spec = _specification(chart, name)
    _refuse_addresses(spec, name)
    try:
        picture = draw_png(spec)
    except ValueError as error:
        raise StageError(f"figure {name} cannot be drawn: {error}") from error
    text = json.dumps(spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text + "\n", "utf-8")
    (folder / f"{name}.png").write_bytes(picture)


def draw_png(spec: Mapping[str, Any]) -> bytes:
    """Return the picture of a Vega-Lite specification. Nothing is fetched; `ValueError` where it is wrong."""
    import vl_convert

    whole = {**spec, "background": _BACKGROUND}
    return pack_png(vl_convert.vegalite_to_png(whole, scale=_SCALE, allowed_base_urls=[]))


def _specification(chart: Any, name: str) -> dict[str, Any]:
    from altair import MaxRowsError
    from altair.utils.schemapi import SchemaValidationError

    try:
        spec: dict[str, Any] = chart.to_dict()
        json.dumps(spec, allow_nan=False)
    except MaxRowsError as error:
        raise StageError(
            f"figure {name} has more rows than the 5,000 that a chart may hold, as a page holds them all.\n"
            "      Count or average them first, or draw some: frame.sample(500, random_state=context.seed)."
        ) from error
    except (SchemaValidationError, ValueError, TypeError) as error:
        raise StageError(f"figure {name} is no complete chart: {error}") from error
    told = (spec.get("usermeta") or {}).get("headrace") or {}
    title = told.get("title") or _title(spec) or name.replace("_", " ")
    spec["usermeta"] = {
        "headrace": {
            "title": title,
            "alt": told.get("alt") or spec.get("description") or title,
            "caption": told.get("caption") or "",
        }
    }
    return spec


def _title(spec: dict[str, Any]) -> str:
    title = spec.get("title") or ""
    if isinstance(title, dict):
        title = title.get("text") or ""
    return " ".join(title) if isinstance(title, list) else str(title)


def _refuse_addresses(node: Any, name: str) -> None:
    """Refuse what a page or a drawing would fetch: data and pictures from an address.

    Values may be addresses: only a picture's or a table's `url` is loaded.
    """
    if isinstance(node, list):
        for item in node:
            _refuse_addresses(item, name)
    elif isinstance(node, dict):
        if "url" in node:
            raise StageError(
                f"figure {name} fetches {json.dumps(node['url'])}: its data must be part of it.\n"
                "      Give the chart a table, such as alt.Chart(frame), with Altair's default transformer."
            )
        for key, item in node.items():
            if key not in ("datasets", "values"):
                _refuse_addresses(item, name)

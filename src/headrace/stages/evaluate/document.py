"""The evaluation as a document: each metric with its interval, its baseline and its gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.stages.evaluate.measure import GREATER_IS_BETTER, WHY_NOT
from headrace.stages.evaluate.resample import FEWEST_ROWS, Draws, bootstrap, interval

if TYPE_CHECKING:
    import numpy as np

    from headrace.stages.evaluate.measure import Measure

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Rows to be measured on: by position, None for all, with the models that answered for them."""

    rows: np.ndarray | None
    candidate: Measure
    champion: Measure | None = None
    baseline: Measure | None = None


def measure_subjects(
    subjects: Mapping[str, Subject], weights: np.ndarray, resamples: int, level: float, seed: int
) -> dict[str, dict[str, Entry]]:
    """Return by subject and metric: value, interval, baseline, champion, and the gain over the champion.

    The gain is candidate minus champion, turned so that greater is better. Its interval pairs the two:
    both are measured on the same resamples.
    """
    measures = {}
    for name, subject in subjects.items():
        measures[f"candidate of {name}"] = (subject.candidate, subject.rows)
        if subject.champion is not None:
            measures[f"champion of {name}"] = (subject.champion, subject.rows)
    draws = bootstrap(measures, weights, resamples, seed)
    return {name: _entries(subject, weights, draws, name, level) for name, subject in subjects.items()}


def _entries(
    subject: Subject, weights: np.ndarray, draws: Mapping[str, Draws], name: str, level: float
) -> dict[str, Entry]:
    own = weights if subject.rows is None else weights[subject.rows]
    values = _point(subject.candidate, own)
    champion, baseline = _point(subject.champion, own), _point(subject.baseline, own)
    drawn, against = draws.get(f"candidate of {name}", {}), draws.get(f"champion of {name}", {})
    entries = {}
    for metric, value in values.items():
        greater = GREATER_IS_BETTER[metric]
        entry: Entry = {"value": value, "low": None, "high": None, "greater_is_better": greater}
        entry |= {"baseline": baseline.get(metric), "champion": champion.get(metric)}
        entry |= {"gain": None, "gain_low": None, "gain_high": None}
        sign = 1 if greater else -1
        enough = len(own) >= FEWEST_ROWS
        if value is None:
            entry["why"] = WHY_NOT.get(metric, "these rows do not determine it")
        elif metric in drawn and enough:
            entry["low"], entry["high"] = interval(drawn[metric], level)
        elif metric in drawn:
            entry["why"] = f"no interval: fewer than {FEWEST_ROWS} rows"
        if value is not None and entry["champion"] is not None:
            entry["gain"] = sign * (value - entry["champion"]) + 0.0  # no -0.0
            if metric in against and enough:
                gains = sign * (drawn[metric] - against[metric])
                entry["gain_low"], entry["gain_high"] = interval(gains, level)
        entries[metric] = entry
    return entries


def _point(measure: Measure | None, weights: np.ndarray) -> dict[str, float | None]:
    import numpy as np

    if measure is None:
        return {}
    with np.errstate(invalid="ignore", divide="ignore"):  # what is not determined is None
        found = measure(weights[None, :])
    return {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in found.items()}


def known_metrics(entries: Mapping[str, Entry]) -> dict[str, float]:
    """Return the flat metrics of a run's record: those that the rows determine."""
    return {name: entry["value"] for name, entry in entries.items() if entry["value"] is not None}

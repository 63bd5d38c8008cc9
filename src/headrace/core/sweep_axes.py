"""What the jobs of a sweep were given, param by param, as a scale that figures and statistics can use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace.core.sweep import SweepRecord, TrialRecord

LOG_FROM = 50.0  # largest value by smallest: from here on equal steps would crowd most values at one end
FEW_MARKS = 6  # so many values are all named beside an axis
FEW_VALUES = 3  # a scale of two numbers is as good as any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One param. `values` are by the job's number: floats where `is_number`, else texts.

    Jobs that did not have the param, as under a condition, are not among them.
    """

    name: str
    is_number: bool
    log: bool
    values: Mapping[int, float | str]

    @property
    def short(self) -> str:
        """The last part of the key: `C` of `model.C`."""
        return self.name.rpartition(".")[2]


def read_axes(record: SweepRecord) -> list[Axis]:
    """Return an axis for each param that has more than one value among the jobs, in the record's order.

    A search knows by itself which of its params are logarithmic; of others it is guessed.
    """
    names = dict.fromkeys(name for trial in record.trials for name in trial.params)
    logs = _known_logs(record.trials)
    found = []
    for name in names:
        given = {trial.number: trial.params[name] for trial in record.trials if name in trial.params}
        numbers = {number: _as_number(value) for number, value in given.items()}
        values: dict[int, float | str]
        if all(value is not None for value in numbers.values()):
            values = {number: value for number, value in numbers.items() if value is not None}
            is_number = True
        else:
            values, is_number = {number: _as_text(value) for number, value in given.items()}, False
        if len(set(values.values())) > 1 or len(values) < len(record.trials):
            log = is_number and (logs[name] if name in logs else _looks_log(list(numbers.values())))
            found.append(Axis(name=name, is_number=is_number, log=log, values=values))
    return found


def _known_logs(trials: Sequence[TrialRecord]) -> dict[str, bool]:
    """Return by param whether the search drew its logarithm, from Optuna's own note of it."""
    known: dict[str, bool] = {}
    for trial in trials:
        distributions = trial.memory.get("distributions")
        for name, text in distributions.items() if isinstance(distributions, Mapping) else ():
            try:
                log = json.loads(text)["attributes"].get("log")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if isinstance(log, bool):
                key = name.partition(" [")[0]  # the conditions follow, where a param has several domains
                known[key] = known.get(key, False) or log
    return known


def _looks_log(values: Sequence[float | None]) -> bool:
    numbers = sorted({value for value in values if value is not None})
    if len(numbers) < FEW_VALUES or numbers[0] <= 0:
        return False
    return numbers[-1] / numbers[0] >= LOG_FROM


def _as_number(value: object) -> float | None:
    """Read a number, also as an override has it; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _as_text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_parts(axis: Axis) -> tuple[dict[int, float], list[tuple[float, str]]]:
    """Return where on an axis from 0 to 1 each job stands, and its marks: places with what they mean."""
    if not axis.is_number:
        names = sorted({str(value) for value in axis.values.values()})
        places = {name: number / max(len(names) - 1, 1) for number, name in enumerate(names)}
        return {job: places[str(v)] for job, v in axis.values.items()}, [(at, n) for n, at in places.items()]
    scaled = {job: math.log10(float(v)) if axis.log else float(v) for job, v in axis.values.items()}
    low, high = min(scaled.values()), max(scaled.values())
    span = high - low
    if not span:
        return dict.fromkeys(scaled, 0.5), [(0.5, f"{_back(low, axis.log):.3g}")]
    if len(set(scaled.values())) <= FEW_MARKS:
        marks = sorted({((scaled[job] - low) / span, f"{float(v):.3g}") for job, v in axis.values.items()})
    else:
        marks = [(part, f"{_back(low + part * span, axis.log):.3g}") for part in (0.0, 0.5, 1.0)]
    return {job: (value - low) / span for job, value in scaled.items()}, marks


def _back(value: float, log: bool) -> float:
    return 10**value if log else value

"""Read one override as what a search may choose from, or say what is wrong with it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException

from headrace.config.compose import complete
from headrace.config.override import format_value
from headrace.core.space import Choice, Domain, Interval
from headrace.errors import Problem, did_you_mean

_UNKNOWN = re.compile(r"Unknown function '(\w+)'\s+Available: (\S+)")
_EVALUATING = re.compile(r"while evaluating '((\w+)\(.*)': (.*)", re.DOTALL)
_USAGE = {
    "choice": "choice(a, b, c)",
    "range": "range(low, high, step)",
    "interval": "interval(low, high)",
    "tag": "tag(log, interval(low, high))",
    "glob": "glob(*)",
}
_FILES = "make each a file of a config group, and let the search choose a file"


@dataclass(frozen=True, slots=True)
class Word:
    """What someone wrote: where, how a line that replaces it begins, and the override."""

    where: str
    lead: str  # `model.C=` on the command line, `model.C: ` in YAML
    text: str

    def problem(self, found: str, hint: str = "") -> Problem:
        """Say what is wrong; a hint in Hydra's grammar becomes a line to type."""
        return Problem(self.where, found, f"type: {self.lead}{hint}" if hint else "")


def parse_word(word: Word, loader: ConfigLoader | None) -> Override | Problem:
    """Parse an override with Hydra's grammar. The loader knows the options that `glob` matches."""
    try:
        return OverridesParser.create(loader).parse_overrides(complete([word.text]))[0]
    except HydraException as error:
        return _explain(word, str(error))


def _explain(word: Word, message: str) -> Problem:
    unknown = _UNKNOWN.search(message)
    if unknown:
        name, _, value = unknown[1], *word.text.partition("=")[1:]
        command = value.replace("{", "{{").replace("}", "}}").replace(f"{name}(", "{}(", 1)
        hint = did_you_mean(name, unknown[2].split(","), f"{word.lead}{command}")
        return Problem(word.where, f"there is no function '{name}'", hint)
    called = _EVALUATING.search(message)
    if called:
        call, name, reason = called[1], called[2], called[3].partition("\nSee ")[0]
        if name == "choice" and "NoneType" in reason:
            return word.problem(
                "choice(...) cannot hold null", call.removeprefix("choice(").removesuffix(")")
            )
        return word.problem(f"{call}: {reason}", _USAGE.get(name, ""))
    lines = message.partition("\nSee ")[0].splitlines()
    return Problem(word.where, lines[0] if lines else message, "quote what is special: 'a, b'")


def read_domain(override: Override, word: Word) -> Domain | Problem:
    """Turn an override that sweeps into its domain.

    `shuffle` and `sort` order a sweep, which a search does not keep: they change nothing but a
    choice's order by `sort`.
    """
    sweep: Any = override.value()
    if isinstance(sweep, Glob):
        return _read_glob(override, word)
    unknown = sorted(sweep.tags - {"log"})
    if unknown:
        return word.problem(f"tag '{unknown[0]}' means nothing", _USAGE["tag"])
    if isinstance(sweep, IntervalSweep):
        return _read_interval(sweep, word)
    if isinstance(sweep, RangeSweep):
        return _read_range(sweep, word)
    assert isinstance(sweep, ChoiceSweep)
    if sweep.tags:
        return word.problem("a choice has no logarithm", "choice(...)")
    return _read_choice([v.text if isinstance(v, QuotedString) else v for v in sweep.list], word)


def is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _read_choice(values: list[Any], word: Word) -> Choice | Problem:
    for n, value in enumerate(values):
        if not is_scalar(value):
            found = f"{format_value(value)} is a {'list' if isinstance(value, list) else 'mapping'}"
            return Problem(word.where, f"{found}; a search chooses single values", _FILES)
        if isinstance(value, float) and math.isnan(value):
            return Problem(word.where, "nan is no value to choose", "leave it out")
        if any(type(value) is type(other) and value == other for other in values[:n]):
            return Problem(word.where, f"names {format_value(value)} twice", "name each value once")
    return Choice(values=tuple(values))


def _read_glob(override: Override, word: Word) -> Choice | Problem:
    group = override.key_or_group
    loader = override.config_loader
    if loader is None:
        return word.problem("glob(...) needs the config's folders", _USAGE["choice"])
    options = list(loader.get_group_options(group))
    names = [str(name) for name in override.sweep_iterator()] if options else []
    if not options:
        return word.problem(f"'{group}' is no config group, of which glob takes options", _USAGE["choice"])
    if not names:
        hint = f"there are: {', '.join(options)}"
        return Problem(word.where, f"no option of {group} matches", hint)
    return Choice(values=tuple(names))


def _read_interval(sweep: IntervalSweep, word: Word) -> Interval | Problem:
    low, high = sweep.start, sweep.end
    assert low is not None
    assert high is not None
    integer = isinstance(low, int)
    log = "log" in sweep.tags
    found = f"from {low} to {high}"
    if not (math.isfinite(low) and math.isfinite(high)):
        return word.problem(
            f"{found}: an interval needs two finite ends", _form("<low>", "<high>", integer, log)
        )
    if low >= high:
        hint = _form(high, low, integer, log) if low > high else _form(low, "<high>", integer, log)
        return word.problem(f"{found}: the low end is not below the high end", hint)
    if log and low <= 0:
        hint = _form("<above 0>", high, integer, log) if high > 0 else _form(low, high, integer, False)
        return word.problem(f"{found}: a logarithm needs a low end above 0", hint)
    return Interval(low=low, high=high, integer=integer, log=log)


def _form(low: object, high: object, integer: bool, log: bool) -> str:
    """Write an interval as it is typed."""
    text = f"interval({low}, {high})"
    text = f"int({text})" if integer else text
    return f"tag(log, {text})" if log else text


def _read_range(sweep: RangeSweep, word: Word) -> Interval | Problem:
    """Take a range, whose end is no part of it, as the interval from its first to its last number."""
    start, stop, step = sweep.start, sweep.stop, sweep.step
    assert start is not None
    assert stop is not None
    log = "log" in sweep.tags
    found = f"from {start} to {stop} by {step}"
    if not all(map(math.isfinite, (start, stop, step))):
        return word.problem(f"{found}: a range needs finite numbers", _USAGE["range"])
    if step <= 0:
        hint = f"range({min(start, stop)}, {max(start, stop)}, {abs(step) or '<step>'})"
        return word.problem(f"{found}: a search wants a step above 0", hint)
    if start >= stop:
        return word.problem(f"{found}: the range is empty", f"range({stop}, {start}, {step})")
    integer = all(isinstance(number, int) for number in (start, stop, step))
    if log and (start <= 0 or not integer or step != 1):
        found = f"{found}: on a logarithm a range has whole numbers above 0 and step 1"
        return word.problem(found, _form("<low>", "<high>", integer, True))
    first, by = Decimal(str(start)), Decimal(str(step))
    count = math.ceil((Decimal(str(stop)) - first) / by)
    last = first + (count - 1) * by
    high = int(last) if integer else float(last)
    low = start if integer else float(start)
    return Interval(low=low, high=high, integer=integer, log=log, step=None if log else step)

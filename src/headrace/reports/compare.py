"""The report that compares runs: which is better, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from headrace.core.code_change import explain
from headrace.core.compare import Difference, compare
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord
from headrace.core.report import (
    Block,
    Cell,
    Code,
    Facts,
    Figure,
    Report,
    Row,
    Section,
    Table,
    Text,
    Verdict,
    keep,
)
from headrace.core.sweep import guess_direction
from headrace.reports.artifacts import Artifacts
from headrace.reports.data import drift_blocks, find_table
from headrace.reports.numbers import interval, tell

EVALUATION = "evaluation"
SAME_ROWS = ("test", "test_target", "test_features")  # artifacts, by which runs were measured on the same
DIFFERENCES_AT_MOST = 60
GROUPS_AT_MOST = 60
LONGEST_VALUE = 60
LATER = ("metrics", "machine")  # sections that are told elsewhere, or that decide nothing here

KnownCode = Callable[[str], Mapping[str, str] | None]
"""Returns what a module defined by the digest of its code, None where nobody kept it."""


def build(records: Sequence[RunRecord], lake: LakeReader, code: KnownCode | None = None) -> Report:
    """Compare two or more runs; the first is what the others are compared with.

    Args:
        records: The runs, in the order in which they are to stand.
        lake: Where their artifacts are.
        code: Knows what modules defined, so that a change of code names functions.
    """
    runs = [Artifacts(record, lake) for record in records]
    found = [run.document(EVALUATION) for run in runs]
    names = _names(records)
    return Report(
        title=f"{records[0].experiment}: {len(records)} runs compared",
        subtitle=" and ".join(record.id for record in records)
        if len(records) == 2
        else f"with {records[0].id}",
        sections=keep(
            Section("Summary", tuple(_summary(runs, found, names))),
            Section("Metrics", tuple(_metrics(records, found, names))),
            Section("Slices", tuple(_slices(found, names))),
            Section("What differs", tuple(_differences(records, names, code))),
            Section("Data", tuple(_data(runs, names))),
            Section("Figures", tuple(_figures(runs, names))),
            Section("Stages", tuple(_stages(records, names))),
            Section("Reproduce", tuple(_commands(records, names))),
            Section("Not read", tuple(Text(text) for run in runs for text in run.problems)),
        ),
    )


def _names(records: Sequence[RunRecord]) -> list[str]:
    """Return what each run is called in tables: a letter, which the summary explains."""
    return [chr(ord("A") + number) if number < 26 else f"run {number + 1}" for number in range(len(records))]


# --- which is better --------------------------------------------------------------------------


def _summary(
    runs: Sequence[Artifacts], found: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Block]:
    yield Verdict(_verdict(runs, found, names))
    yield Facts(tuple((name, _told(run.record)) for name, run in zip(names, runs, strict=True)))


def _told(record: RunRecord) -> str:
    gate = "" if record.gate is None else ", gate passed" if record.gate.get("passed") else ", gate says no"
    published = record.published or record.already
    version = f", {published.get('model')} version {published.get('version')}" if published else ""
    return f"{record.id} ({record.experiment}, {record.state}{gate}{version}, {record.seconds:.1f} s)"


def _verdict(runs: Sequence[Artifacts], found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Say which run leads in the first metric that differs, and whether that may be chance."""
    values = [run.record.metrics for run in runs]
    common = [name for name in values[0] if all(name in other for other in values)]
    if not common:
        return "The runs have no metric in common."
    metric = next((name for name in common if len({other[name] for other in values}) > 1), None)
    if metric is None:
        return f"All have the same metrics, {common[0]} {tell(values[0][common[0]])}."
    tie = "" if metric == common[0] else f"All have the same {common[0]}, {tell(values[0][common[0]])}. "
    figures = [other[metric] for other in values]
    top = max(figures) if _greater_is_better(metric, found) else min(figures)
    best = [number for number, value in enumerate(figures) if value == top]
    listed = ", ".join(f"{name} {tell(value)}" for name, value in zip(names, figures, strict=True))
    leaders = " and ".join(names[number] for number in best)
    said = f"{tie}{leaders} {'has' if len(best) == 1 else 'have'} the best {metric}: {listed}."
    if not _same_rows(runs):
        return f"{said} They were measured on different rows, so that may be the rows."
    return said + _chance(metric, found, names, best)


def _chance(
    metric: str, found: Sequence[Mapping[str, Any]], names: Sequence[str], best: Sequence[int]
) -> str:
    ends = [_entry(document, metric) for document in found]
    if any(entry.get("low") is None or entry.get("high") is None for entry in ends):
        return ""
    own = ends[best[0]]
    overlap = [
        name
        for number, (name, entry) in enumerate(zip(names, ends, strict=True))
        if number not in best and entry["low"] <= own["high"] and own["low"] <= entry["high"]
    ]
    if not overlap:
        return " Its interval is apart from those of the others."
    return f" Its interval overlaps that of {', '.join(overlap)}: on other rows that may come out otherwise."


def _same_rows(runs: Sequence[Artifacts]) -> bool:
    for name in SAME_ROWS:
        digests = {artifact.digest for run in runs if (artifact := run.find(name)) is not None}
        if len(digests) == 1 and all(name in run for run in runs):
            return True
    return False


def _greater_is_better(metric: str, found: Sequence[Mapping[str, Any]]) -> bool:
    known = [_entry(document, metric).get("greater_is_better") for document in found]
    told = next((value for value in known if isinstance(value, bool)), None)
    return guess_direction(metric) == "maximize" if told is None else told


def _entry(document: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    entry = (document.get("metrics") or {}).get(metric)
    return entry if isinstance(entry, Mapping) else {}


# --- figures of merit -------------------------------------------------------------------------


def _metrics(
    records: Sequence[RunRecord], found: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> Iterator[Block]:
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics))
    if not metrics:
        return
    rows = []
    for metric in metrics:
        cells: list[Cell] = [metric, "up" if _greater_is_better(metric, found) else "down"]
        for record, document in zip(records, found, strict=True):
            entry = _entry(document, metric)
            cells.append(interval(record.metrics.get(metric), entry.get("low"), entry.get("high")))
        first = records[0].metrics.get(metric)
        cells += [_change(first, record.metrics.get(metric)) for record in records[1:]]
        rows.append(tuple(cells))
    changes = [f"{name} - {names[0]}" for name in names[1:]]
    levels = {float(document["level"]) for document in found if document.get("level")}
    caption = f"In brackets intervals of {100 * max(levels):.0f} %." if len(levels) == 1 else ""
    yield Table(columns=("metric", "better", *names, *changes), rows=tuple(rows), caption=caption)


def _change(before: float | None, now: float | None) -> str:
    if before is None or now is None:
        return ""
    return f"{now - before:+.3g}" if now != before else "0"


def _slices(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Block]:
    """Put the groups that several runs were measured on side by side, by their first metric."""
    sides = [_groups(document) for document in found]
    metric = next((name for side in sides for group in side.values() for name in group["metrics"]), None)
    shared = [
        name for name in dict.fromkeys(n for side in sides for n in side) if sum(name in s for s in sides) > 1
    ]
    if metric is None or not shared:
        return
    rows = []
    for name in shared[:GROUPS_AT_MOST]:
        groups = [side.get(name) for side in sides]
        entries = [(group or {}).get("metrics", {}).get(metric) or {} for group in groups]
        counts = [group["rows"] for group in groups if group is not None]
        values = [entry.get("value") for entry in entries]
        cells: list[Cell] = [name, counts[0] if len(set(counts)) == 1 else " / ".join(map(tell, counts))]
        cells += [interval(e.get("value"), e.get("low"), e.get("high")) for e in entries]
        cells += [_change(values[0], value) for value in values[1:]]
        rows.append(tuple(cells))
    changes = [f"{name} - {names[0]}" for name in names[1:]]
    yield Table(
        columns=("group", "rows", *names, *changes),
        rows=tuple(rows),
        caption=f"{metric} by group.",
        more=max(len(shared) - GROUPS_AT_MOST, 0),
    )


def _groups(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    slices = document.get("slices") or ()
    return {group["name"]: group for one in slices for group in one.get("groups", ())}


# --- what differs -----------------------------------------------------------------------------


def _differences(
    records: Sequence[RunRecord], names: Sequence[str], code: KnownCode | None
) -> Iterator[Block]:
    for record, name in zip(records[1:], names[1:], strict=True):
        found = [one for one in compare(records[0], record) if one.section not in LATER]
        made = [one.name for one in found if one.section == "stages"]
        told = list(_once(one for one in found if one.section != "stages"))
        if not found:
            yield Text(f"Nothing differs between {names[0]} and {name}.")
        if told:
            rows = tuple(_difference_row(one, code) for one in told[:DIFFERENCES_AT_MOST])
            more = max(len(told) - DIFFERENCES_AT_MOST, 0)
            yield Table(columns=("part", "what", names[0], name), rows=rows, more=more)
        if made:
            yield Text(f"In {name} other than in {names[0]} came out: {', '.join(made)}.")


def _once(found: Iterable[Difference]) -> Iterator[Difference]:
    """Leave out what a stage's params only repeat: `stages.train.params.estimator.C` of `model.C`."""
    seen = set()
    for one in found:
        said = (one.section, one.name.rpartition(".")[2], repr(one.left), repr(one.right))
        if one.name.startswith("stages.") and said in seen:
            continue
        seen.add(said)
        yield one


def _difference_row(one: Difference, code: KnownCode | None) -> tuple[Cell, ...]:
    left, right = one.left, one.right
    if one.section == "code" and code is not None and isinstance(left, str) and isinstance(right, str):
        known, new = code(left), code(right)
        if known is not None and new is not None and (said := explain(known, new)):
            return (one.section, one.name, "", said)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        parts = [key for key in dict.fromkeys([*left, *right]) if left.get(key) != right.get(key)]
        sides = [", ".join(f"{key} {_short(side.get(key))}" for key in parts) for side in (left, right)]
        return (one.section, one.name, *sides)
    return (one.section, one.name, _short(left), _short(right))


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    if text.startswith("sha256:"):
        return text[7:19]
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _data(runs: Sequence[Artifacts], names: Sequence[str]) -> Iterator[Block]:
    """Tell the drift of each run's data against the first one's."""
    table = find_table(runs[0])
    if table is None:
        return
    first = runs[0].find(table)
    for run, name in zip(runs[1:], names[1:], strict=True):
        own = run.find(table)
        if own is None or first is None:
            yield Text(f"{name} has no table {table}.")
        elif own.digest == first.digest:
            yield Text(f"{name} has the same data as {names[0]}, to the bit.")
        else:
            sides = (runs[0].table(table), run.table(table))
            if sides[0] is not None and sides[1] is not None:
                yield from drift_blocks(sides[0], sides[1], names[0])


def _figures(runs: Sequence[Artifacts], names: Sequence[str]) -> Iterator[Block]:
    """Put figures of one name side by side."""
    artifacts = list(dict.fromkeys(name for run in runs for name in run.names("figure")))
    for artifact in artifacts:
        sides = [run.figures(artifact) for run in runs]
        for name in dict.fromkeys(stem for side in sides for stem in side):
            shown = tuple(
                _named(side[name], label) for side, label in zip(sides, names, strict=True) if name in side
            )
            if len(shown) > 1:
                yield Row(shown)


def _named(figure: Figure, label: str) -> Figure:
    return Figure(
        title=f"{label}: {figure.title}",
        alt=f"{label}: {figure.alt}",
        caption=figure.caption,
        spec=figure.spec,
        png=figure.png,
    )


def _stages(records: Sequence[RunRecord], names: Sequence[str]) -> Iterator[Block]:
    sides = [{stage.name: stage for stage in record.stages} for record in records]
    rows = []
    for name in dict.fromkeys(stage for side in sides for stage in side):
        cells: list[Cell] = [name]
        for side in sides:
            stage = side.get(name)
            took = f" {stage.seconds:.2f} s" if stage is not None and stage.state == "ran" else ""
            cells.append("" if stage is None else f"{stage.state}{took}")
        rows.append(tuple(cells))
    if rows:
        yield Table(columns=("stage", *names), rows=tuple(rows))


def _commands(records: Sequence[RunRecord], names: Sequence[str]) -> Iterator[Block]:
    for record, name in zip(records, names, strict=True):
        yield Text(f"{name} again, every digest compared:")
        yield Code(f"python -m flows.reproduce run={record.id}")
    if len(records) == 2:
        yield Text("The same comparison in the terminal:")
        yield Code(f"headrace diff {records[0].id} {records[1].id}")

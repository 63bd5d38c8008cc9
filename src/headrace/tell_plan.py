"""What a plan shows: for every stage what would become of it and why, and what it comes to."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headrace.core.plan import Plan, StagePlan, State, final_runs, name_outputs
from headrace.core.ports import MAIN
from headrace.core.secrets import redact_overrides
from headrace.registry import find_version, read_registry

if TYPE_CHECKING:
    from headrace.assemble import Prepared
    from headrace.sweep_plan import StageCount, SweepPlan

REASONS_AT_MOST = 20  # of one stage on a screen; JSON has all
NOT_KNOWN = "how long that takes is not known yet"
UNCUT = 10_000  # columns of what is no terminal


def tell(prepared: Prepared, as_json: bool) -> None:
    """Print the plan of one run."""
    if as_json:
        print(json.dumps(_document(prepared), indent=1, ensure_ascii=False))
        return
    for line in _lines(prepared):
        print(line)


def tell_sweep(sweep: SweepPlan, overrides: Sequence[str], as_json: bool) -> None:
    """Print the plan of a sweep."""
    command = shlex.join(["python", "-m", "flows.train", "-m", *redact_overrides(overrides)])
    if as_json:
        stages = {
            stage.name: {
                "distinct": stage.distinct,
                "cached": stage.cached,
                "execute": stage.execute,
                "estimated_seconds": stage.estimated_seconds,
            }
            for stage in sweep.stages
        }
        document = {
            "jobs": sweep.jobs,
            "stage_runs": sweep.stage_runs,
            "distinct": sweep.distinct,
            "cached": sweep.cached,
            "execute": sweep.execute,
            "shared": list(sweep.shared),
            "estimated_seconds": sweep.estimated_seconds,
            "stages": stages,
            "command": command,
        }
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return
    print(
        f"{sweep.jobs} jobs, {sweep.stage_runs} stage runs: {sweep.distinct} distinct stages, "
        f"{sweep.cached} cached already, {sweep.execute} execute"
    )
    width = max(len(stage.name) for stage in sweep.stages)
    print(f"\n{'stage':<{width}}  distinct  cached  execute")
    for stage in sweep.stages:
        print(f"{stage.name:<{width}}  {stage.distinct:>8}  {stage.cached:>6}  {stage.execute:>7}")
    if sweep.shared and sweep.jobs > 1:
        verb = "is" if len(sweep.shared) == 1 else "are"
        print(f"\n{', '.join(sweep.shared)} {verb} shared by all {sweep.jobs} jobs")
    if sweep.execute:
        print(_sweep_seconds(sweep))
    print(f"\nto run it, type:\n{command}" if sweep.execute else "\nnothing would execute")


def tell_search(
    plan: SweepPlan, keys: Sequence[str], trials: int | None, overrides: Sequence[str], as_json: bool
) -> None:
    """Print the plan of a search. `plan` is that of some points which differ in every key."""
    command = shlex.join(["python", "-m", "flows.train", "-m", *redact_overrides(overrides)])
    once = {s.name: s.estimated_seconds for s in plan.stages if s.name in plan.shared and s.execute}
    cached = [s.name for s in plan.stages if s.name in plan.shared and not s.execute]
    each = {s.name: _each(s) for s in plan.stages if s.name not in plan.shared}
    known = None not in (*once.values(), *each.values(), trials)
    estimated = sum(filter(None, once.values())) + (trials or 0) * sum(filter(None, each.values()))
    if as_json:
        document = {
            "trials": trials,
            "keys": list(keys),
            "cached": cached,
            "once": once,
            "each": each,
            "estimated_seconds": estimated if known else None,
            "command": command,
        }
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return
    count = "trials until the time is up" if trials is None else f"{trials} trials"
    print(f"{count} over {', '.join(keys)}\n")
    for what, names in (("cached already", cached), ("once for all trials", once), ("in each trial", each)):
        if names:
            print(f"{what}: {', '.join(names)}")
    told = f"estimated: at most {_seconds(estimated)}, with one worker" if known else NOT_KNOWN
    print(f"\n{told}")
    print(f"\nto run it, type:\n{command}")


def _each(stage: StageCount) -> float | None:
    """Return the seconds of one of a stage's executions; None where none was seen, or all are cached."""
    if stage.estimated_seconds is None or not stage.execute:
        return None
    return stage.estimated_seconds / stage.execute


def _sweep_seconds(sweep: SweepPlan) -> str:
    told = {stage.name: stage.estimated_seconds for stage in sweep.stages if stage.execute}
    known = [seconds for seconds in told.values() if seconds is not None]
    unknown = [name for name, seconds in told.items() if seconds is None]
    if not known:
        return NOT_KNOWN
    about = f"at least {_seconds(sum(known))}, with {', '.join(unknown)} not known" if unknown else ""
    return f"estimated: {about or 'about ' + _seconds(sum(known))}, with one worker"


def _lines(prepared: Prepared) -> Iterator[str]:
    plan, job = prepared.plan, prepared.job
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNCUT
    name = max([len(stage.name) for stage in plan.stages] + [5])
    yield f"{'stage':<{name}}  plan    seconds  why"
    for stage in plan.stages:
        yield from _stage_lines(stage, name, width)
    yield ""
    yield _sum(plan)
    if job.planner.past.run is not None:
        yield f"compared with run {job.planner.past.run}"
    yield from _unfollowed(plan)
    yield from _outcome(prepared)


def _stage_lines(stage: StagePlan, name: int, width: int) -> Iterator[str]:
    known = stage.estimated_seconds
    seconds = "-" if stage.state is State.CACHED else "?" if known is None else f"{known:.2f}"
    head = f"{stage.name:<{name}}  {stage.state:<6}  {seconds:>7}  "
    shown = list(stage.reasons[:REASONS_AT_MOST])
    if more := len(stage.reasons) - len(shown):
        shown.append(f"and {more} more")
    room = width - len(head)
    indent = " " * len(head)
    if room < 30:  # a narrow terminal: what is said goes below the name
        yield head.rstrip()
        head = indent = "    "
        room = max(width - len(indent), 20)
    for reason in shown:
        for line in textwrap.wrap(reason, room) or [""]:
            yield f"{head}{line}"
            head = indent


def _sum(plan: Plan) -> str:
    counts = {state: sum(stage.state is state for stage in plan.stages) for state in State}
    said = f"{counts[State.CACHED]} cached, {counts[State.RUN]} run, {counts[State.MAYBE]} may run"
    known = [stage.estimated_seconds for stage in plan.stages if stage.state is not State.CACHED]
    total = sum(seconds for seconds in known if seconds is not None)
    if not known:
        return said
    if None in known and not total:
        return f"{said}; how long that takes is not known yet"
    return f"{said}: {'at least ' if None in known else 'about '}{_seconds(total)}"


def _unfollowed(plan: Plan) -> Iterator[str]:
    """Name imports under computed names: what they reach is in no key."""
    for stage in plan.stages:
        for place in stage.key.unfollowed if stage.key else ():
            yield (
                f"warning: stage {stage.name}: the import at {place} cannot be followed; name its modules: "
                f"stages.{stage.name}.depends_on=[<module>]"
            )


def _outcome(prepared: Prepared) -> Iterator[str]:
    job = prepared.job
    spec = job.experiment.publish
    if prepared.nothing_to_do:
        runs = ", ".join(final_runs(job.graph, prepared.plan))
        yield f"nothing to do: made by run {runs}"
        return
    if rejection := prepared.rejected_by():
        yield f"nothing runs: {rejection}"
        return
    if spec is None:
        yield "publishes nothing"
    else:
        gate = ", if the gate passes" if spec.gate else ""
        yield f"publishes {spec.model} version {_version(prepared)}, alias {spec.alias}{gate}"
    yield f"\nto run it, type:\n{job.command}"


def _version(prepared: Prepared) -> int:
    """Return the number that the run's package gets if nobody else publishes meanwhile.

    A package that is a version already keeps its number.
    """
    job = prepared.job
    spec = job.experiment.publish
    assert spec is not None
    registry = read_registry(job.lake, MAIN, spec.model)
    stage = job.experiment.stage(job.graph.producer[spec.package])
    result = prepared.plan[stage.name].result
    if result is not None:
        known = find_version(registry, name_outputs(stage, result)[spec.package].digest)
        if known is not None:
            return int(known["version"])
    return 1 + max((int(version["version"]) for version in registry["versions"]), default=0)


def _document(prepared: Prepared) -> dict[str, Any]:
    job, plan = prepared.job, prepared.plan
    spec = job.experiment.publish
    rejection = None if prepared.nothing_to_do else prepared.rejected_by()
    publishes = None
    if spec is not None and rejection is None and not prepared.nothing_to_do:
        publishes = {
            "model": spec.model,
            "version": _version(prepared),
            "alias": spec.alias,
            "gate": spec.gate,
        }
    return {
        "experiment": job.experiment.name,
        "against": job.planner.past.run,
        "nothing_to_do": prepared.nothing_to_do,
        "rejected": None if rejection is None else str(rejection),
        "publishes": publishes,
        "command": job.command,
        "stages": [
            {
                "name": stage.name,
                "state": str(stage.state),
                "reasons": list(stage.reasons),
                "estimated_seconds": stage.estimated_seconds,
                "key": None if stage.key is None else stage.key.value,
                "made_by": None if stage.result is None else stage.result.run,
                "unfollowed": list(stage.key.unfollowed) if stage.key else [],
            }
            for stage in plan.stages
        ],
    }


def _seconds(value: float) -> str:
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"

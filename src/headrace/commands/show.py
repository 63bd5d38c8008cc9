"""`headrace show`: everything a person wants to know of one run, or of one stage of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from headrace.adapters.run_index import of_sweep
from headrace.commands.run_names import RUN_HELP, add_command, add_common, find_run
from headrace.commands.screen import Answer, Screen, plural, printable, short, size
from headrace.commands.words import Subparsers
from headrace.core.gate_line import short_line
from headrace.core.record import RunRecord, StageRecord
from headrace.errors import RunNotFound, did_you_mean

DIGEST_SHOWN = 19  # sha256: and twelve digits


def add_show(commands: Subparsers) -> None:
    """Add the command to a parser."""
    parser = add_command(commands, "show", "one run, or one stage of it", "show.show")
    parser.add_argument("run_id", metavar="RUN", help=RUN_HELP)
    parser.add_argument("stage", metavar="STAGE", nargs="?", help="a stage: its key, inputs and outputs")
    add_common(parser)


def show(arguments: argparse.Namespace) -> Answer:
    """Show a run or a stage."""
    record = find_run(arguments.headrace_dir, arguments.run_id)
    if arguments.stage is None:
        return Answer(record.to_json(), lambda screen: _run_lines(screen, record))
    names = [stage.name for stage in record.stages]
    if arguments.stage not in names:
        hint = did_you_mean(arguments.stage, names)
        raise RunNotFound(f"run {record.id} has no stage {arguments.stage!r}; {hint}")
    stage = record.stages[names.index(arguments.stage)]
    return Answer(stage.to_json(), lambda screen: _stage_lines(screen, stage))


def _run_lines(screen: Screen, record: RunRecord) -> Iterator[str]:
    yield f"run       {record.id}  ({record.state}, {record.seconds:.1f} s)"
    yield screen.fit("what      ", f"{record.experiment}, pipeline {record.pipeline}, seed {record.seed}")
    yield f"started   {record.started}"
    yield from map(printable, screen.wrap(f"command   {record.command}"))
    if commit := record.git.get("commit"):
        changed = ", with changes that are not committed" if record.git.get("dirty") else ""
        yield f"code      git commit {short(commit)}{changed}"
    source = record.source
    if source.get("commit"):
        where = f"{source.get('ref')}, lake {short(source['commit'])}"
        yield screen.fit("data      ", f"{source.get('dataset') or 'no data set'} at {where}")
    sweep, trial = of_sweep(record)
    if sweep:
        params = (record.sweep or {}).get("overrides")
        what = [f"{key}={value}" for key, value in params.items()] if isinstance(params, dict) else []
        yield screen.fit("sweep     ", f"{sweep}, job {trial}  {'  '.join(what)}").rstrip()
    yield ""
    name = max([len(stage.name) for stage in record.stages] + [5])
    yield f"{'stage':<{name}}  state    seconds  why"
    for stage in record.stages:
        seconds = f"{stage.seconds:7.2f}" if stage.state == "ran" else "      -"
        yield screen.fit(
            f"{stage.name:<{name}}  {stage.state:<7}  {seconds}  ", stage.reason.partition("\n")[0]
        )
    yield ""
    yield from _outcome(screen, record)
    yield from _artifact_lines(screen, record)
    yield from _ending(screen, record)


def _outcome(screen: Screen, record: RunRecord) -> Iterator[str]:
    if record.metrics:
        said = "  ".join(f"{name} {value:.4g}" for name, value in record.metrics.items())
        yield from screen.wrap(f"metrics   {said}")
    if record.gate is not None:
        yield f"gate      {'passed' if record.gate['passed'] else 'says no'}"
        for check in record.gate.get("checks", ()):
            mark = "✓" if check.get("passed") else "✗"
            yield screen.fit(f"          {mark} ", short_line(check))
    if record.published:
        p = record.published
        what = f"{p.get('model')} version {p.get('version')}, alias {p.get('alias')}"
        yield screen.fit("published ", what, f", lake {short(str(p.get('commit')))}")
    elif record.already:
        p = record.already
        what = f"{p.get('model')} version {p.get('version')} already"
        yield screen.fit("published ", what, f", lake {short(str(p.get('commit')))}")
    yield screen.fit("lake      branch ", record.branch)
    for name, where in (("W&B", record.wandb), ("Prefect", record.prefect)):
        if place := where.get("url") or where.get("dir"):
            yield f"{name:<9} {printable(str(place))}"


def _artifact_lines(screen: Screen, record: RunRecord) -> Iterator[str]:
    """Say where each artifact lies: commit and path of its URI, which `headrace lake show` takes."""
    made = [(name, artifact) for stage in record.stages for name, artifact in stage.outputs.items()]
    if not made:
        return
    yield "\nartifacts, by lake commit and path"
    width = max(len(name) for name, _ in made)
    for name, artifact in made:
        before = f"  {printable(name):<{width}}  {size(artifact.bytes):>8}  {short(artifact.commit)} "
        yield screen.fit_path(before, artifact.path)


def _ending(screen: Screen, record: RunRecord) -> Iterator[str]:
    if record.error:
        yield ""
        for line in screen.wrap(f"{record.state}: {record.error}"):
            yield printable(line)
    if record.state in ("failed", "interrupted") and record.resume:
        yield "\nto resume it, type:"
        yield printable(record.resume)


def _stage_lines(screen: Screen, stage: StageRecord) -> Iterator[str]:
    yield f"{stage.name}  ({stage.state}, {stage.seconds:.2f} s, {plural(stage.attempts, 'attempt')})"
    yield from map(printable, screen.wrap(f"why      {stage.reason}"))
    if stage.key:
        yield f"key      {stage.key}"
    for name, digest in stage.inputs.items():
        source = stage.sources.get(name, {})
        more = f"{source['uri']}, {size(source['bytes'])}" if source else ""
        yield screen.fit(f"input    {name}  {digest[:DIGEST_SHOWN]}  ", more).rstrip()
        files = source.get("files") or {}
        if len(files) > 1:
            yield f"         {plural(len(files), 'file')}"
    for name, artifact in stage.outputs.items():
        yield f"output   {name}  {artifact.digest[:DIGEST_SHOWN]}  {size(artifact.bytes)}  {artifact.codec}"
        yield screen.fit_path("         ", artifact.uri)
    parts: Mapping[str, Any] = stage.key_parts or {}
    for part in ("call", "params", "seed", "packages", "code"):
        if parts.get(part) not in (None, {}, []):
            yield f"\n{part}"
            yield from _part_lines(screen, parts[part])


def _part_lines(screen: Screen, part: Any) -> Iterator[str]:
    if not isinstance(part, Mapping):
        yield screen.fit("  ", str(part))
        return
    for name, value in part.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield screen.fit(f"  {name}: ", text)

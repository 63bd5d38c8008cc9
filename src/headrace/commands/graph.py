"""`headrace graph`: the picture of a pipeline, with what would run, or of a past run."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.commands.run_names import DEFAULT_ROOT, LATEST, add_command, add_common, find_run
from headrace.commands.screen import Answer, Screen, printable
from headrace.commands.words import Subparsers
from headrace.core.picture import Picture, picture_of_plan, picture_of_run, to_mermaid, to_svg, to_text
from headrace.core.secrets import redact_overrides
from headrace.errors import RunNotFound, WrongWord, did_you_mean

NO_TERMINAL = 100  # columns where nobody says how many there are
EXPERIMENT = "+experiment="
RUN_STATES = ("ran", "cached", "failed", "pruned", "skipped", "running")


def add_graph(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "the picture of a pipeline with what would run, or of a past run"
    parser = add_command(commands, "graph", summary, "graph.graph")
    what = (
        "the words of a run, such as +experiment=penguins model.C=3; or a run id, latest, latest:EXPERIMENT"
    )
    parser.add_argument("words", metavar="WHAT", nargs="*", help=what)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--mermaid", action="store_true", help="print it as Mermaid, for a Markdown page")
    how.add_argument("--svg", action="store_true", help="print it as SVG, for a file: --svg > pipeline.svg")
    add_common(parser)


def graph(arguments: argparse.Namespace) -> Answer:
    """Draw a pipeline, or a run."""
    words = arguments.words
    if not words:
        hint = f"type: headrace graph {EXPERIMENT}<name> (there are: {', '.join(_experiments()) or 'none'})"
        raise WrongWord(f"nothing says what to draw; {hint}, or: headrace graph {LATEST}")
    if any(_is_override(word) for word in words):
        picture, data, told = _planned(words, arguments.headrace_dir)
    else:
        picture, data, told = _past(words, arguments.headrace_dir)

    def lines(screen: Screen) -> Iterator[str]:
        if arguments.mermaid:
            yield from to_mermaid(picture).splitlines()
        elif arguments.svg:
            yield to_svg(picture)
        else:
            yield from _drawn(picture)
            yield ""
            yield from (printable(part) for line in told for part in screen.wrap(line))

    return Answer(data, lines)


def _drawn(picture: Picture) -> list[str]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((NO_TERMINAL, 24)).columns
    return to_text(picture, width, ascii_only=not encoding.startswith("utf"), colour=colour)


# --- what would run ---------------------------------------------------------------------------


def _planned(words: Sequence[str], root: Path) -> tuple[Picture, dict[str, Any], list[str]]:
    if strange := [word for word in words if not _is_override(word)]:
        hint = did_you_mean(strange[0], _experiments(), f"{EXPERIMENT}{{}}")
        raise WrongWord(f"{strange[0]!r} is no override, and stands among overrides; {hint}")
    from headrace.assemble import prepare
    from headrace.config.compose import compose

    overrides = list(words)
    if root != DEFAULT_ROOT:
        overrides.append("headrace_dir='{}'".format(str(root).replace("'", "\\'")))
    here = str(Path.cwd())
    sys.path.insert(0, here)  # as `python -m flows.train` has it
    try:
        prepared = prepare(compose("train", overrides), overrides, flow="train", dry=True)
    finally:
        sys.path.remove(here)
    job, plan = prepared.job, prepared.plan
    title = f"{job.experiment.name}, pipeline {job.experiment.pipeline}"
    picture = picture_of_plan(title, job.graph, plan, job.planner.past.seconds)
    shown = shlex.join(redact_overrides(words))
    data = {"experiment": job.experiment.name, "run": None, **picture.to_json(), "command": job.command}
    told = [
        f"{title}: {_count(picture, ('CACHED', 'RUN', 'MAYBE'))}",
        "~ is what a stage took when it last executed",
        f"why each would run: python -m flows.plan {shown}",
    ]
    return picture, data, told


# --- what ran ---------------------------------------------------------------------------------


def _past(words: Sequence[str], root: Path) -> tuple[Picture, dict[str, Any], list[str]]:
    if len(words) > 1:
        raise WrongWord(f"one run at a time, or overrides of one: found {' '.join(words)}")
    (word,) = words
    try:
        record = find_run(root, word)
    except RunNotFound as error:
        hint = did_you_mean(word, _experiments(), f"headrace graph {EXPERIMENT}{{}}")
        if LATEST in word or not hint.startswith("did you mean"):
            raise
        raise WrongWord(f"there is no run {word!r} here; {hint}") from error
    picture = picture_of_run(record)
    data = {"experiment": record.experiment, "run": record.id, **picture.to_json(), "command": record.command}
    told = [
        f"{record.experiment}, run {record.id} ({record.state}, {record.seconds:.1f} s): "
        f"{_count(picture, RUN_STATES)}",
        f"what it made, and its figures: headrace show {record.id}",
    ]
    return picture, data, told


def _count(picture: Picture, states: Sequence[str]) -> str:
    counts: Mapping[str, int] = {state: sum(b.state == state for b in picture.boxes) for state in states}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no stages"


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith(("+", "~"))


def _experiments() -> list[str]:
    from headrace.config.folders import packaged_conf, project_conf

    folders = {project_conf(), packaged_conf()}
    return sorted({path.stem for folder in folders for path in (folder / "experiment").glob("*.yaml")})

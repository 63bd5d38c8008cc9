"""`headrace check determinism`: an experiment run twice, and the first stage that comes out otherwise."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.commands.run_names import add_common
from headrace.commands.screen import Answer, Screen, plural
from headrace.commands.words import Subparsers
from headrace.errors import NotDeterministic

if TYPE_CHECKING:
    from headrace.reproduce import Verdict

# Two hash seeds: what depends on the order of a set shows.
HASH_SEEDS = ("1", "2")


def add_check(commands: Subparsers) -> None:
    """Add the command to a parser."""
    check = commands.add_parser("check", help="whether stages keep their promises")
    verbs = check.add_subparsers(dest="verb", required=True, metavar="verb")
    summary = "run an experiment twice and name the first stage whose output differs"
    parser = verbs.add_parser("determinism", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("experiment", metavar="EXPERIMENT", help="a name in conf/experiment/")
    parser.add_argument("overrides", metavar="OVERRIDE", nargs="*", help="as a run takes them: model.C=3")
    parser.set_defaults(run=_run)
    add_common(parser)


def _run(arguments: argparse.Namespace) -> int:
    verdicts = check_determinism([f"+experiment={arguments.experiment}", *arguments.overrides])
    differ = [verdict for verdict in verdicts if verdict.kind != "identical"]
    data: dict[str, Any] = {
        "deterministic": not differ,
        "first": differ[0].stage if differ else None,
        "artifacts": [verdict.to_json() for verdict in verdicts],
    }
    Answer(data, lambda screen: _lines(screen, verdicts, differ)).show(arguments.json)
    return NotDeterministic.exit_code if differ else 0


def check_determinism(overrides: Sequence[str]) -> list[Verdict]:
    """Run twice, in processes with different hash seeds, and compare every artifact.

    Raises `NotDeterministic` where a run does not succeed.
    """
    from omegaconf import OmegaConf

    from headrace.config.compose import compose
    from headrace.project import build_lake
    from headrace.reproduce import compare_artifacts, drop_branch, pinned, run_config

    cfg = compose("train", overrides)
    # The lake stays where it is, whatever becomes of the folder for state.
    node: Any = OmegaConf.to_container(cfg["lake"], resolve=True)
    config: Any = {**OmegaConf.to_container(cfg), "lake": node}  # type: ignore[dict-item]
    lake = build_lake(node)
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        records = []
        try:
            for number, seed in enumerate(HASH_SEEDS):
                folder = Path(name) / str(number)
                print(f"run {number + 1} of {len(HASH_SEEDS)}", file=sys.stderr)
                record = run_config(pinned(config, folder), folder, [Path.cwd()], {"PYTHONHASHSEED": seed})
                records.append(record)
                if record.state != "succeeded":
                    raise NotDeterministic(f"run {number + 1} {record.state}: {record.error}")
            return compare_artifacts(lake, records[0], records[1], 0.0)
        finally:
            for record in records:
                drop_branch(lake, record.branch)


def _lines(screen: Screen, verdicts: Sequence[Verdict], differ: Sequence[Verdict]) -> Iterator[str]:
    if not differ:
        yield f"deterministic: {plural(len(verdicts), 'artifact')} came out the same to the bit, twice"
        return
    first = differ[0]
    yield f"{first.stage} is not deterministic: the same inputs gave two outputs"
    for verdict in differ:
        if verdict.stage == first.stage:
            far = f", at most {verdict.farthest:.3g} apart" if verdict.farthest else ""
            yield screen.fit(f"  {verdict.artifact}: ", f"{verdict.detail}{far}" or "other bytes")
    later = list(dict.fromkeys(verdict.stage for verdict in differ if verdict.stage != first.stage))
    if later:
        yield screen.fit("what differs after it may do so for that reason alone: ", ", ".join(later))
    yield "draw from `context.seed`, and sort what comes out of a set or a folder"

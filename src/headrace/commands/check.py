"""`headrace check determinism`: an experiment run twice, and the first stage that comes out otherwise."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.commands.screen import Answer, Screen, plural
from headrace.commands.words import Subparsers
from headrace.errors import NotDeterministic

if TYPE_CHECKING:
    from headrace.config.load import Loaded
    from headrace.core.record import RunRecord
    from headrace.reproduce import Verdict

# Two hash seeds: what depends on the order of a set shows.
HASH_SEEDS = ("1", "2")
SHOWN = 8  # digits of a digest
WHOLE = ("succeeded", "rejected")  # a gate that says no is a result like any other


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs of one experiment, artifact by artifact in the order of the graph."""

    verdicts: Sequence[Verdict]
    digests: Mapping[str, tuple[str, str]]  # by artifact, of both runs
    read_other: Mapping[str, Sequence[str]]  # stage: arguments that were not the same in both runs

    @property
    def differ(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.kind != "identical"]

    @property
    def origins(self) -> list[str]:
        """The stages whose output differs although what they read does not; the first comes first."""
        return [stage for stage in _stages(self.differ) if stage not in self.read_other]


def add_check(commands: Subparsers) -> None:
    """Add the command to a parser."""
    check = commands.add_parser("check", help="whether stages keep their promises")
    verbs = check.add_subparsers(dest="verb", required=True, metavar="verb")
    summary = "run an experiment twice and name the first stage whose output differs"
    parser = verbs.add_parser("determinism", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("experiment", metavar="EXPERIMENT", help="a name in conf/experiment/")
    parser.add_argument("overrides", metavar="OVERRIDE", nargs="*", help="as a run takes them: model.C=3")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = check_determinism([f"+experiment={arguments.experiment}", *arguments.overrides])
    data: dict[str, Any] = {
        "deterministic": not found.differ,
        "first": next(iter(_stages(found.differ)), None),
        "origins": found.origins,
        "artifacts": [
            {**verdict.to_json(), "digests": found.digests.get(verdict.artifact)}
            for verdict in found.verdicts
        ],
    }
    Answer(data, lambda screen: _lines(screen, found)).show(arguments.json)
    return NotDeterministic.exit_code if found.differ else 0


def check_determinism(overrides: Sequence[str]) -> Comparison:
    """Run twice, in processes with different hash seeds, and compare every artifact.

    The runs have a lake of their own that goes with them, but where a stage reads the project's lake: there
    they leave no branch. Raises `ConfigError` before anything runs, and `NotDeterministic` where a run does
    not get to its end.
    """
    from headrace.config.compose import compose
    from headrace.project import build_lake
    from headrace.reproduce import compare_artifacts
    from headrace.reproduce.process import drop_branches

    cfg = compose("train", overrides)
    loaded = _load(cfg)
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        folders = [Path(name) / str(number) for number in range(len(HASH_SEEDS))]
        data = {"lake": dict(loaded.lake)} if _reads_lake(loaded) else _empty_lake(Path(name))
        lake = build_lake(data["lake"])
        records: list[RunRecord] = []
        try:
            for folder, seed in zip(folders, HASH_SEEDS, strict=True):
                print(f"run {len(records) + 1} of {len(folders)}", file=sys.stderr)
                records.append(_run_once(_config(cfg, data, folder, records), folder, seed))
                if records[-1].state not in WHOLE:
                    raise NotDeterministic(f"run {len(records)} {records[-1].state}: {records[-1].error}")
            return _compare(loaded, compare_artifacts(lake, records[0], records[1], 0.0), records)
        finally:
            for folder in folders:
                drop_branches(lake, folder)


def _load(cfg: Any) -> Loaded:
    """Check the config here, where an error is told as a run tells it."""
    from headrace.config.load import load_config
    from headrace.core.code import CodeIndex

    here = str(Path.cwd())
    sys.path.insert(0, here)  # as `python -m flows.train` has it
    try:
        return load_config(cfg, CodeIndex(lambda kind, file, compute: compute()))
    finally:
        sys.path.remove(here)


def _reads_lake(loaded: Loaded) -> bool:
    from headrace.core.plan import all_external

    return any(uri.startswith("lake:") for uri in all_external(loaded.experiment.stages))


def _empty_lake(folder: Path) -> dict[str, Any]:
    root = str(folder / "lake")
    node = {"_target_": "headrace.adapters.lake_embedded.EmbeddedLake", "root": root}
    return {"lake": node, "source_ref": "main"}


def _config(cfg: Any, data: Mapping[str, Any], folder: Path, earlier: Sequence[RunRecord]) -> dict[str, Any]:
    """Return the config of a run. What an earlier one read of a lake, a later one reads too."""
    from omegaconf import OmegaConf

    from headrace.reproduce import pinned

    composed: Any = OmegaConf.to_container(cfg)
    config = {**pinned(composed, folder), **data}
    if earlier:
        source = earlier[0].source
        config["source_ref"] = source.get("base") or source["commit"]
        if (config.get("dataset") or {}).get("at") is not None:
            config["dataset"]["at"] = source["commit"]
    return config


def _run_once(config: Mapping[str, Any], folder: Path, hash_seed: str) -> RunRecord:
    from headrace.reproduce import run_config

    return run_config(config, folder, [Path.cwd(), Path.cwd() / "src"], {"PYTHONHASHSEED": hash_seed})


def _compare(loaded: Loaded, verdicts: Sequence[Verdict], records: Sequence[RunRecord]) -> Comparison:
    order = [spec.name for spec in loaded.graph.order]
    made = [{n: a.digest for stage in r.stages for n, a in stage.outputs.items()} for r in records]
    read = [{stage.name: stage.inputs for stage in record.stages} for record in records]
    other = {
        name: [a for a, d in read[0].get(name, {}).items() if read[1].get(name, {}).get(a) != d]
        for name in order
    }
    return Comparison(
        verdicts=sorted(verdicts, key=lambda verdict: order.index(verdict.stage)),
        digests={name: (digest, made[1].get(name, "")) for name, digest in made[0].items()},
        read_other={name: arguments for name, arguments in other.items() if arguments},
    )


def _stages(verdicts: Sequence[Verdict]) -> list[str]:
    return list(dict.fromkeys(verdict.stage for verdict in verdicts))


def _lines(screen: Screen, found: Comparison) -> Iterator[str]:
    if not found.differ:
        count = plural(len(found.verdicts), "artifact")
        yield f"deterministic: {count} came out the same to the bit, twice"
        return
    first, *later = _stages(found.differ)
    if first in found.read_other:
        arguments = ", ".join(found.read_other[first])
        yield f"{first} read other data in the second run ({arguments}): the data changed; run this again"
    else:
        yield f"{first} is not deterministic: the same inputs gave two outputs"
    yield from _artifact_lines(screen, found, first)
    for stage in later:
        if stage in found.origins:
            yield f"{stage} is not deterministic either: its inputs were the same too"
            yield from _artifact_lines(screen, found, stage)
    if follows := [stage for stage in later if stage not in found.origins]:
        yield screen.fit("read what differs, and may differ for that reason alone: ", ", ".join(follows))
    yield "draw from `context.seed`, and sort what comes out of a set or a folder"


def _artifact_lines(screen: Screen, found: Comparison, stage: str) -> Iterator[str]:
    for verdict in found.differ:
        if verdict.stage == stage:
            before, now = (_short(digest) for digest in found.digests[verdict.artifact])
            far = f"{verdict.farthest:.3g} apart" if verdict.farthest else ""
            said = ", ".join(filter(None, [verdict.detail, far]))
            yield screen.fit(f"  {verdict.artifact} {before} → {now}: ", said or "other bytes")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:SHOWN] or "nothing"

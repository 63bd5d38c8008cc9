"""A past run once more: its own code, its config and data as recorded, without the cache."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from headrace.adapters.machine_state import read_machine_state
from headrace.adapters.record_files import RunRecords
from headrace.adapters.source_files import Sources
from headrace.adapters.source_models import SourceModels
from headrace.core.key import python_version
from headrace.core.ports import LakeStore
from headrace.core.record import RunRecord
from headrace.errors import CannotReproduce, ObjectNotFound, RefNotFound, StageError
from headrace.project import build_lake
from headrace.registry import read_current
from headrace.reproduce.checkout import code_of, compare_code
from headrace.reproduce.environment import environment_differences, machine_differences, stage_differences
from headrace.reproduce.process import drop_branches, run_config
from headrace.reproduce.secret import check_given, fill_in
from headrace.reproduce.verdict import Verdict, compare_artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which run is to be reproduced, and how far numbers may be apart.

    `given` are the run's secrets, by the key of the config where the record hides them.
    """

    root: Path  # of headrace's state
    record: RunRecord
    tolerance: float
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `causes` names recorded inputs that differ, where an artifact does."""

    verdicts: list[Verdict]
    differences: list[str]  # of environment, machine and code, known beforehand
    origin: str | None  # the first stage whose output differs
    causes: list[str]
    error: str | None = None  # why the run did not get through this time

    @property
    def reproduced(self) -> bool:
        return self.error is None and all(verdict.holds for verdict in self.verdicts)


def reproduce(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Run again and compare. Nothing is published, and the new run's branch goes again.

    Raises `CannotReproduce` naming what is missing, before anything runs.
    """
    record = request.record
    _refuse(record)
    check_given(record.config, request.given, record.id)
    node = lake_node(record.config, request.root)
    lake = build_lake(fill_lake(node, request.given))
    _check_data(record, lake)
    differences = [*environment_differences(record, read_machine_state(), _version), *compare_code(record)]
    for difference in differences:
        tell(f"differs from the run: {difference}")
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        folder = Path(name)
        try:
            kept = RunRecords(request.root / "runs").folder(record.id)
            config = _config(record, node, folder)
            with code_of(record, kept, folder / "code") as paths:
                now = run_config(fill_in(config, request.given), folder, paths)
            verdicts = compare_artifacts(lake, record, now, request.tolerance)
        finally:
            drop_branches(lake, folder)
    return _conclude(record, now, verdicts, differences)


def _conclude(record: RunRecord, now: RunRecord, verdicts: list[Verdict], differences: list[str]) -> Outcome:
    origin = next((verdict.stage for verdict in verdicts if not verdict.holds), None)
    error = None
    if now.state not in ("succeeded", "rejected"):
        error = f"{now.state}: {now.error}"
        origin = next((stage.name for stage in now.stages if stage.state == "failed"), origin)
    causes: list[str] = []
    if origin is not None:
        # What the machine is now was told beforehand; the worker that ran it is a child of this process.
        found = [*stage_differences(record, now, origin), *machine_differences(record.machine, now.machine)]
        causes = found or differences
    return Outcome(verdicts=verdicts, differences=differences, origin=origin, causes=causes, error=error)


def _refuse(record: RunRecord) -> None:
    if record.state not in ("succeeded", "rejected"):
        raise CannotReproduce(f"run {record.id} {record.state}: there is nothing whole to compare with")
    if record.config.get("only"):
        raise CannotReproduce(
            f"run {record.id} was one stage alone (only={record.config['only']}): reproduce the whole one"
        )
    if not record.config.get("lake") or not record.source.get("commit"):
        raise CannotReproduce(f"the record of run {record.id} does not say which data it read")


def _check_data(record: RunRecord, lake: LakeStore) -> None:
    """Raise `CannotReproduce` with every source that is not what the run read."""
    for commit in {record.source["commit"], record.source.get("base") or record.source["commit"]}:
        try:
            lake.resolve(commit)
        except RefNotFound as error:
            raise CannotReproduce(f"the data is gone: the lake has no commit {commit} any more") from error
    problems: list[str] = []
    # A version stays what it is: its digest is asked for by number, whatever an alias names by now.
    models = SourceModels(partial(read_current, lake), pinned_models(record))
    sources = Sources(lambda kind, path, compute: compute(), lake, record.source["commit"], models)
    for stage in record.stages:
        for argument, told in stage.sources.items():
            wanted = stage.inputs.get(argument, "")  # a model that there was none of has no digest
            try:
                found = sources.digest(told["uri"])
            except (StageError, ObjectNotFound) as error:
                problems.append(str(error))
                continue
            if found != wanted:
                digests = f"it was {_short(wanted)}, and is {_short(found)}"
                problems.append(f"{told['uri']} is not what {stage.name} read then ({digests})")
    if problems:
        raise CannotReproduce("\n  ".join(["the data is not there as the run read it:", *problems]))


def pinned_models(record: RunRecord) -> dict[str, int | None]:
    """Return which versions the models that a run read were, by URI; None where there was none yet."""
    sources = (source for stage in record.stages for source in stage.sources.values())
    return {source["uri"]: source["version"] for source in sources if source["uri"].startswith("model:")}


def _short(digest: str) -> str:
    return (digest or "nothing")[:19]


def lake_node(config: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the lake of a recorded config; what lay in the run's folder of state lies in `root` now.

    So a run can be reproduced from another checkout: `headrace_dir=../first/.headrace`.
    """
    before = str(config.get("headrace_dir") or ".headrace").rstrip("/")
    if Path(before) == root:
        return dict(config["lake"])
    return {
        name: str(root / value.removeprefix(f"{before}/"))
        if isinstance(value, str) and value.startswith(f"{before}/")
        else value
        for name, value in config["lake"].items()
    }


def fill_lake(node: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return a lake's config with its secrets, resolved."""
    from omegaconf import OmegaConf

    filled: Any = OmegaConf.to_container(
        OmegaConf.create(fill_in(dict(node), given, path="lake")), resolve=True
    )
    return dict(filled)


def pinned(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a config with which nothing is published, cached, tracked or sent to a server."""
    return {
        **deepcopy(dict(config)),
        "headrace_dir": str(folder / "state"),
        "publish": False,
        "cache": False,
        "force": [],
        "against": None,
        "tracker": {"_target_": "headrace.adapters.tracker_none.NoTracker"},
        "runtime": {"kind": "inline"},
    }


def _config(record: RunRecord, lake: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the recorded config, pinned to the run's data."""
    config = {**pinned(record.config, folder), "lake": dict(lake), "seed": record.seed}
    config["source_ref"] = record.source.get("base") or record.source["commit"]
    for stage in record.stages:
        for argument, source in stage.sources.items():
            if source["uri"].startswith("model:"):
                name = source["uri"].removeprefix("model:").partition("@")[0].partition("/")[0]
                version = source["version"]
                fixed = None if version is None else f"model:{name}/{version}"
                config["stages"][stage.name]["inputs"][argument] = fixed
    if (config.get("dataset") or {}).get("at") is not None:
        config["dataset"]["at"] = record.source["commit"]
    return config


def _version(package: str) -> str | None:
    if package == "python":
        return python_version()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None

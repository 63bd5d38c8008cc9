"""What a project has whatever the experiment: its lake, its folder of state, and its schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.adapters.stat_cache import StatCache
from headrace.config.build import build_node
from headrace.config.check import check_adapter
from headrace.config.check_schema import check_schema
from headrace.config.compose import compose
from headrace.config.resolve import resolve
from headrace.core.code import CodeIndex
from headrace.core.ports import LakeStore
from headrace.errors import ConfigError, HeadraceError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What a project has whatever the experiment: its lake, its folder of state, and a chosen schema."""

    lake: LakeStore
    lake_node: Mapping[str, Any]  # what it is built from, for another process to open it
    root: Path
    schema: Mapping[str, Any]  # empty where no override chooses one


def open_project(overrides: Sequence[str]) -> Project:
    """Open the lake that `conf/train.yaml` names, without an experiment. Raises `ConfigError`.

    `overrides` are those of a run: `lake=lakefs`, `lake.repository=demo`, `schema=penguins`.
    """
    # Most of the time goes into the pipeline, on which a lake hardly ever depends.
    for leave_out in (("pipeline",), ()):
        cfg = compose("train", overrides, for_experiment=False, leave_out=leave_out)
        problems: list[Problem] = []
        data = resolve(cfg, problems)
        # The rest of the config waits for an experiment, so what is missing there is no problem.
        problems = [p for p in problems if p.where.partition(".")[0] in ("lake", "schema", "headrace_dir")]
        if not problems:
            break
    if not data.get("headrace_dir", ".headrace"):  # where it is empty, `${headrace_dir}/lake` is `/lake`
        problems.append(Problem("headrace_dir", "has no value", "type: headrace_dir=.headrace"))
    root = Path(str(data.get("headrace_dir") or ".headrace")).absolute()
    index = CodeIndex(StatCache(root / "cache" / "files.json").remember)
    problems += [*check_adapter(index, "lake", data.get("lake")), *check_schema("schema", data.get("schema"))]
    if problems:
        raise ConfigError(problems)
    lake = build_lake(data["lake"])
    return Project(lake=lake, lake_node=data["lake"], root=root, schema=data.get("schema") or {})


def try_project(overrides: Sequence[str], problems: list[Problem]) -> Project | None:
    """Do the same, and add what is wrong to the problems of a command, which tells all of them at once."""
    try:
        return open_project(overrides)
    except ConfigError as error:
        problems += error.problems
        return None


def open_lake(overrides: Sequence[str] = ()) -> LakeStore:
    """Open the project's lake, as `open_project` does."""
    return open_project(overrides).lake


def build_lake(node: Mapping[str, Any]) -> LakeStore:
    """Build the lake of a config. Raises what its constructor does, `ConfigError` for one."""
    try:
        lake: LakeStore = build_node(node)
    except Exception as error:
        # Hydra wraps what a constructor raises; ours say more than the wrapper.
        if isinstance(error.__cause__, HeadraceError):
            raise error.__cause__ from None
        raise
    return lake

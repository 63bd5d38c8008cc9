"""A run in a process of its own, in which the run's own code is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.core.ports import LakeStore
from headrace.core.record import RunRecord, branch_of, parse_record
from headrace.errors import CannotReproduce, LakeError

RERUN = Path(__file__).with_name("rerun.py")
STOP_SECONDS = 20


def run_config(
    config: Mapping[str, Any], folder: Path, paths: list[Path], environ: Mapping[str, str] | None = None
) -> RunRecord:
    """Run a config in a process of its own that finds code in `paths` first; return its record."""
    folder.mkdir(parents=True, exist_ok=True)
    spec, made = folder / "spec.json", folder / "record.json"
    spec.write_text(json.dumps({"config": config, "record": str(made)}), encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    places = [str(path) for path in paths if path.is_dir()] + ([before] if before else [])
    command = [sys.executable, "-P", str(RERUN), str(spec)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places), **(environ or {})}
    code = _wait(command, env)
    if not made.is_file():
        raise CannotReproduce(f"the run did not get as far as a record; it left with {code}")
    return parse_record(json.loads(made.read_bytes()))


def _wait(command: list[str], env: Mapping[str, str]) -> int:
    """Run a command to its end. An interrupt is handed on once, and the command given time to tidy up."""
    # In a group of its own: Ctrl-C in a terminal would reach it too, and interrupt its tidying up.
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, process_group=0) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()
            raise


def drop_branches(lake: LakeStore, folder: Path) -> None:
    """Delete the branches of the runs whose state is in `folder`: they were only to be compared."""
    runs = folder / "state" / "runs"
    for run in runs.iterdir() if runs.is_dir() else ():
        drop_branch(lake, branch_of(run.name))


def drop_branch(lake: LakeStore, branch: str) -> None:
    """Delete the branch of a run that only was to be compared."""
    try:
        lake.delete_branch(branch)
    except LakeError:
        return  # the run had none, or `headrace lake gc` takes it one day

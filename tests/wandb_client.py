"""The real wandb client, in a process of its own: it keeps its settings and its core for a whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PRELUDE = """
import json, sys, warnings
import wandb

warnings.simplefilter("ignore")

QUIET = dict(
    silent=True, console="off", disable_code=True, disable_git=True, disable_job_creation=True,
    x_disable_meta=True, x_disable_stats=True, x_save_requirements=False,
)

# Short waits; in whole seconds, since the client drops fractions.
HASTY = dict(
    init_timeout=3,
    **{f"x_{what}_retry_max": 2 for what in ("graphql", "file_stream", "file_transfer")},
    **{f"x_{what}_retry_wait_{end}_seconds": 1
       for what in ("graphql", "file_stream", "file_transfer") for end in ("min", "max")},
)

def open_run(id="r1", project="demo", settings=(), **given):
    settings = wandb.Settings(**{**QUIET, **dict(settings)})
    return wandb.init(project=project, id=id, settings=settings, **given)

def write(name, text):
    with open(name, "w") as file:
        file.write(text)
    return name

def tell(**result):
    print("RESULT " + json.dumps(result), flush=True)
"""
TIMEOUT_SECONDS = 120


class Service(Protocol):
    """What a client can be led to."""

    @property
    def environment(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Outcome:
    """How a script ended; `result` is all that it gave to `tell`."""

    code: int
    output: str

    @property
    def result(self) -> dict[str, Any]:
        lines = [line for line in self.output.splitlines() if line.startswith("RESULT ")]
        assert lines, self.output
        found: dict[str, Any] = {}
        for line in lines:
            found.update(json.loads(line.removeprefix("RESULT ")))
        return found


class WandbClient:
    """Runs scripts and commands with the client, led to one service; what it writes lies in one folder."""

    def __init__(self, service: Service, folder: Path, extra: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "PYTHONPATH"))}
        self.environment = {
            **kept,
            **service.environment,
            "HOME": str(folder),
            "WANDB_DIR": str(folder),
            "WANDB_CACHE_DIR": str(folder / "cache"),
            "WANDB_CONFIG_DIR": str(folder / "config"),
            "WANDB_DATA_DIR": str(folder / "data"),
            **(extra or {}),
        }

    def script(self, text: str, *, head: str = "", **environment: str) -> Outcome:
        """Run a script, which may use the names of `PRELUDE` and what `head` defines."""
        return self._run([sys.executable, "-c", PRELUDE + head + textwrap.dedent(text)], environment)

    def command(self, *arguments: str, **environment: str) -> Outcome:
        """Run a `wandb` command."""
        return self._run([sys.executable, "-m", "wandb", *arguments], environment)

    def _run(self, command: list[str], environment: Mapping[str, str]) -> Outcome:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

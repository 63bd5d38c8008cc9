"""A job of a sweep in a process of a cluster, which may be on another machine and older than the sweep."""

from __future__ import annotations

import os
import socket
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError
from headrace.sweeps.job import forget, run_kept_job

API_URL = "PREFECT_API_URL"
OURS = ("headrace", "hydra_plugins", "flows", "__main__", "__mp_main__")
INSTALLED = {"site-packages", "dist-packages"}


class ProjectNotThere(HeadraceError):
    """A worker does not see the project's folder where the sweep has it."""

    @classmethod
    def at(cls, folder: Path) -> ProjectNotThere:
        return cls(
            f"{socket.gethostname()} does not see {folder}: all machines of the cluster need the project's "
            "folder, with its headrace_dir, at the same path"
        )


def run_job_away(payload: Mapping[str, Any], api_url: str | None) -> dict[str, Any]:
    """Run one job as `run_kept_job` does, with the code, the config and the Prefect API of its sweep.

    Raises `ProjectNotThere`.
    """
    for folder in (Path(payload["cwd"]), Path(payload["conf"])):
        if not folder.is_dir():
            raise ProjectNotThere.at(folder)
    if payload["cwd"] not in sys.path:
        sys.path.insert(0, payload["cwd"])  # as `python -m` has it
    if api_url is not None:
        os.environ[API_URL] = api_url
    _begin(payload["sweep"])
    return run_kept_job(payload)


_sweeps: list[str] = []  # the one that this process works for


def _begin(sweep: str) -> None:
    """Let the first job of a sweep import the project's code as it is now, not as an earlier one found it."""
    if _sweeps == [sweep]:
        return
    if _sweeps:
        forget()
        for name in [name for name, module in list(sys.modules.items()) if is_editable(module)]:
            del sys.modules[name]
    _sweeps[:] = [sweep]


def is_editable(module: Any) -> bool:
    """Tell whether a module's file is neither headrace's nor installed: somebody may be working on it."""
    file = Path(getattr(module, "__file__", None) or "")
    top = str(getattr(module, "__name__", "")).partition(".")[0]
    if file.suffix != ".py" or top in OURS or INSTALLED.intersection(file.parts):
        return False
    return not file.is_relative_to(sysconfig.get_path("stdlib"))

"""Open a run in W&B's client, so that it says nothing of the machine, the user or the command line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

ATTEMPTS = 5
LEAST_SECONDS = 5.0  # that a further attempt gets
DELETED = "previously created and deleted"  # what the server says of an id that it never gives again


def open_run(start: dict[str, Any], mode: str) -> Any:
    """Open a run. Where its id is one of a deleted run, `-2`, `-3` … is put behind it.

    Raises what the client does after `init_timeout` seconds, which the attempts share.
    """
    deadline = time.monotonic() + float(start["init_timeout"])
    for attempt in range(1, ATTEMPTS + 1):
        wandb_id = attempt_id(start["id"], attempt)
        left = max(deadline - time.monotonic(), LEAST_SECONDS if attempt > 1 else 1.0)
        try:
            return _init(start, mode, wandb_id, left)
        except Exception as error:
            if DELETED not in str(error) or attempt == ATTEMPTS:
                raise
    raise AssertionError  # the last attempt raises


def attempt_id(wandb_id: str, attempt: int) -> str:
    """Return the id of an attempt: the first one has none behind it."""
    return wandb_id if attempt == 1 else f"{wandb_id}-{attempt}"


def _init(start: dict[str, Any], mode: str, wandb_id: str, timeout: float) -> Any:
    import wandb

    settings = wandb.Settings(
        mode=mode,  # type: ignore[arg-type]
        root_dir=start["root_dir"],
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        program="headrace",  # else the path of this file
        host="headrace",
        init_timeout=timeout,
        finish_timeout=start["finish_timeout"],
        finish_timeout_raises=True,
        x_disable_meta=True,  # else sys.argv, the machine and the user
        x_disable_stats=True,
        x_save_requirements=False,
        x_transaction_log_flush_interval=1.0,  # what a killed run leaves
    )
    run = wandb.init(
        project=start["project"],
        entity=start["entity"],
        id=wandb_id,
        name=start["name"],
        group=start["group"],
        job_type=start["job_type"],
        config=start["config"],
        tags=start["tags"],
        resume="allow" if mode == "online" else None,
        settings=settings,
    )
    # W&B drops what is logged at an older step of its own counter, and two stages may both count
    # epochs from one: the step is a figure like the others.
    run.define_metric("step", hidden=True)
    run.define_metric("*", step_metric="step")
    return run


def describe(run: Any) -> dict[str, Any]:
    """Say what W&B calls the run, and where it is."""
    folder = str(Path(run.settings.sync_dir))
    found = {"id": run.id, "project": run.project, "entity": run.entity or None}
    return {**found, "url": run.url} if run.url else {**found, "dir": folder}

"""The process that holds the W&B client. Started by `tracker_wandb` as a script, never imported.

Commands come as JSON lines on standard input, reports go as JSON lines to standard output: what the
run is called and where it is (`info`), what went wrong (`warning`), and that all is written (`done`).
After a run it waits for the next one. It ends when its input ends, so a run that was killed is closed
as failed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

INIT_TIMEOUT_SECONDS = 20


def main() -> None:
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like a report
    commands = _commands(sys.stdin)
    while (start := next(commands, None)) is not None:
        try:
            run = _open_run(start, reports)
        except Exception as error:  # any trouble of a tracker is a warning, see the port
            _warn(reports, f"the run is not logged: {type(error).__name__}: {error}")
            _skip(commands)
        else:
            _tell(reports, {"info": _info(run)})
            _record(run, commands, reports)
        shutil.rmtree(start["spool"], ignore_errors=True)
        _tell(reports, {"done": True})


def _commands(stream: TextIO) -> Iterator[dict[str, Any]]:
    for line in stream:
        yield json.loads(line)


def _skip(commands: Iterator[dict[str, Any]]) -> None:
    for command in commands:
        if command["op"] == "finish":
            return


def _tell(reports: TextIO, report: dict[str, Any]) -> None:
    try:
        reports.write(json.dumps(report) + "\n")
        reports.flush()
    except OSError:
        pass  # the run has ended without waiting: go on writing for it


def _warn(reports: TextIO, text: str) -> None:
    _tell(reports, {"warning": text})


def _open_run(start: dict[str, Any], reports: TextIO) -> Any:
    try:
        return _init(start, start["mode"])
    except Exception as error:
        if start["mode"] != "online":
            raise
        _warn(reports, f"cannot go online, so the run is logged offline: {type(error).__name__}: {error}")
        import wandb

        wandb.teardown()  # else the id of the run counts as taken
        return _init(start, "offline")


def _init(start: dict[str, Any], mode: str) -> Any:
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
        init_timeout=INIT_TIMEOUT_SECONDS,
        x_disable_meta=True,  # else sys.argv, the machine and the user
        x_disable_stats=True,
        x_save_requirements=False,
    )
    run = wandb.init(
        project=start["project"],
        entity=start["entity"],
        id=start["id"],
        name=start["name"],
        group=start["group"],
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


def _info(run: Any) -> dict[str, Any]:
    folder = str(Path(run.settings.sync_dir))
    return {"id": run.id, "url": run.url} if run.url else {"id": run.id, "dir": folder}


def _record(run: Any, commands: Iterator[dict[str, Any]], reports: TextIO) -> None:
    exit_code = 1  # what it stays at when the input ends without a finish
    for command in commands:
        try:
            if command["op"] == "log":
                step = {} if command["step"] is None else {"step": command["step"]}
                run.log({**command["metrics"], **step})
            elif command["op"] == "attach":
                _attach(run, command)
            elif command["op"] == "finish":
                run.summary.update(command["summary"])
                exit_code = command["exit_code"]
                break
        except Exception as error:
            _warn(reports, f"{command['op']} is missing in the log: {type(error).__name__}: {error}")
    try:
        run.finish(exit_code=exit_code)
    except Exception as error:
        _warn(reports, f"the log may be incomplete: {type(error).__name__}: {error}")


def _attach(run: Any, command: dict[str, Any]) -> None:
    import wandb

    artifact = wandb.Artifact(command["name"], type=command["kind"], metadata=command["metadata"])
    for name, path in command["files"].items():
        # W&B copies the file now; its cache would keep another copy in the user's home.
        artifact.add_file(path, name=name, skip_cache=True, policy="mutable")
    run.log_artifact(artifact)


if __name__ == "__main__":
    main()

"""The process that holds the W&B client. Started by `recorder` as a program of its own.

Commands come as JSON lines on standard input, reports go as JSON lines to standard output: what the
run is called and where it is (`info`), that it could not be opened online (`offline`), what went wrong
(`warning`), how many entries of the list in `finish` are done (`did`), and that all is written (`done`),
with the reason where an online run is incomplete (`failed`). After a run it waits for the next one. It
ends when its input ends, so a run that was killed is closed as failed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from headrace.adapters.tracker_wandb import artifacts
from headrace.adapters.tracker_wandb.opening import describe, open_run

Command = dict[str, Any]


def main() -> None:
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not look like a report
    commands = read_commands(sys.stdin)
    while (start := next(commands, None)) is not None:
        recording = Recording(start, reports)
        failed = recording.go(commands)
        if not failed:
            shutil.rmtree(start["spool"], ignore_errors=True)
        recording.tell({"done": True, "failed": failed})


def read_commands(stream: TextIO) -> Iterator[Command]:
    for line in stream:
        yield json.loads(line)


class Recording:
    """One run, from its start to the last report."""

    def __init__(self, start: Command, reports: TextIO) -> None:
        self._start = start
        self._reports = reports
        self._online = start["mode"] == "online"
        self._logged: list[Any] = []  # artifacts that are on their way

    def go(self, commands: Iterator[Command]) -> str:
        """Record a run; return why it is incomplete online, '' where all is written."""
        try:
            run = self._open()
        except Exception as error:  # any trouble of a tracker is a warning, see the port
            self._warn(f"the run is not logged: {type(error).__name__}: {error}")
            _skip(commands)
            return ""
        self.tell({"info": describe(run)})
        for command in commands:
            if command["op"] == "finish":
                return self._finish(run, command)
            try:
                self._take(run, command)
            except Exception as error:
                self._warn(f"{command['op']} is missing in the log: {type(error).__name__}: {error}")
        return self._finish(run, {"summary": {}, "exit_code": 1, "todo": []})  # nobody said how it ended

    def tell(self, report: dict[str, Any]) -> None:
        try:
            self._reports.write(json.dumps(report) + "\n")
            self._reports.flush()
        except OSError:
            pass  # the run has ended without waiting: go on writing for it

    def _warn(self, text: str) -> None:
        self.tell({"warning": text})

    def _open(self) -> Any:
        try:
            return open_run(self._start, self._start["mode"])
        except Exception as error:
            if not self._online:
                raise
            said = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
            later = f"later, type: headrace sync {self._start['name']}"
            self._warn(f"cannot go online, so the run is logged offline; {later}. {said}")
            self.tell({"offline": True})
            self._online = False
            import wandb

            wandb.teardown()  # else the id of the run counts as taken
            return open_run(self._start, "offline")

    def _take(self, run: Any, command: Command) -> None:
        match command["op"]:
            case "log":
                step = {} if command["step"] is None else {"step": command["step"]}
                run.log({**command["metrics"], **step})
            case "use":
                self._logged.append(artifacts.use(run, command["reference"]))
            case "attach":
                self._logged.append(artifacts.attach(run, command))
                if pictures := artifacts.pictures(command):
                    run.log(pictures)
            case "model":
                self._logged.append(artifacts.make_model(run, command))
            case "alert":
                run.alert(command["title"], command["text"], level="ERROR")

    def _finish(self, run: Any, command: Command) -> str:
        deadline = time.monotonic() + float(self._start["finish_timeout"])
        path = f"{run.entity}/{run.project}/{run.id}" if self._online else ""
        try:
            run.summary.update(command["summary"])
            if self._online:
                for artifact in self._logged:
                    artifact.wait(timeout=max(1, int(deadline - time.monotonic())))
            run.finish(exit_code=command["exit_code"])
            if self._online:
                self._finish_there(path, command)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            if self._online:
                return said
            self._warn(f"the log may be incomplete: {said}")
        return ""

    def _finish_there(self, path: str, command: Command) -> None:
        """Ask the server whether it has the run, then do there what comes after it."""
        from headrace.adapters.tracker_wandb import there

        api = there.open_api()
        there.check_run(api, path, command["summary"].get("state"))
        for count, entry in enumerate(command["todo"], start=1):
            try:
                there.carry_out(api, path, entry)
            except Exception as error:
                later = f"later, type: headrace sync {self._start['name']}"
                said = f"{type(error).__name__}: {error}".partition("\n")[0]
                self._warn(f"{entry['kind']} is left to do; {later}. {said}")
                return
            self.tell({"did": count})


def _skip(commands: Iterator[Command]) -> None:
    for command in commands:
        if command["op"] == "finish":
            return


if __name__ == "__main__":
    main()

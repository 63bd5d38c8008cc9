"""Reports in W&B, for a process that does not hold its client."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headrace.adapters.report_wandb.document import Document, Place, Saved
from headrace.errors import SharedReportError

WAIT_SECONDS = 45.0
REQUEST_SECONDS = 15  # of the client, for one of its requests
SERVER = [sys.executable, "-P", "-m", "headrace.adapters.report_wandb.there"]
SWITCHES = ("WANDB_MODE", "WANDB_DISABLED", "WANDB_CORE_DEBUG", "WANDB_DEBUG")
INSTALL = "pip install 'headrace[reports]'"


def has_extra() -> bool:
    """Tell whether the library that makes W&B's reports is installed."""
    return find_spec("wandb_workspaces") is not None


class WandbReports:
    """Saves, shares and revokes reports. Every call ends within `seconds`. Close it, or use it with `with`.

    Its process starts with the first call, and leaves no file: W&B's logs and caches lie in a folder that
    goes with it. Not for several threads at a time.

    Args:
        seconds: how long a call may take; the first also starts the client, which takes some.

    Raises:
        SharedReportError: by every call, where the server refuses or does not answer in time, and where
            the extra `reports` is not installed.
    """

    def __init__(self, seconds: float = WAIT_SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listening: threading.Thread | None = None

    def __enter__(self) -> WandbReports:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def save(
        self,
        document: Document,
        home: Place,
        places: Mapping[str, Place],
        known: Mapping[str, str] | None = None,
        share: bool = False,
    ) -> Saved:
        """Save a document as a report: over the one of the same name, where there is one.

        Args:
            document: what it says.
            home: the run in whose project the report lies.
            places: where W&B has the runs that the document names.
            known: `id` and `url` of an earlier save; without, the server is searched.
            share: whether a link is made that lets anybody read it; one that is there stays the same.
        """
        request = {
            "ask": "save",
            "document": document.to_json(),
            "places": {name: asdict(place) for name, place in places.items()},
            "share": share,
        }
        return Saved(**self._ask({**request, **_where(home, known)}))

    def revoke(self, name: str, home: Place, known: Mapping[str, str] | None = None) -> bool | None:
        """Revoke the links of a report; tell whether it had one, or None where there is no such report."""
        found = self._ask({"ask": "revoke", "name": name, **_where(home, known)})
        return bool(found["revoked"]) if found["found"] else None

    def close(self) -> None:
        """End the process. W&B's service, its child, ends with it."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._listening is not None:
            self._listening.join()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if not has_extra():
            raise SharedReportError(f"reports in W&B need wandb-workspaces; type: {INSTALL}")
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({**request, "timeout": REQUEST_SECONDS}) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=self._seconds)
        except (OSError, queue.Empty) as error:
            process.kill()
            raise SharedReportError(f"W&B's server did not answer in {self._seconds:g} s") from error
        if line is None:
            raise SharedReportError("W&B's client ended early")
        answer = json.loads(line)
        if "error" in answer:
            raise SharedReportError(f"W&B: {answer['error']}")
        found: dict[str, Any] = answer["answer"]
        return found

    def _start(self) -> subprocess.Popen[str]:
        self._folder = tempfile.TemporaryDirectory(
            prefix="headrace-report-",
            ignore_cleanup_errors=True,  # of a process that had to be killed, the service may still write
        )
        self._answers = queue.SimpleQueue()
        self._process = subprocess.Popen(
            SERVER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=_environment(self._folder.name),
        )
        self._listening = threading.Thread(
            target=self._listen, args=(self._process, self._answers), daemon=True
        )
        self._listening.start()
        return self._process

    def _listen(self, process: subprocess.Popen[str], answers: queue.SimpleQueue[str | None]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for line in stream:
                answers.put(line)
        answers.put(None)


def _where(home: Place, known: Mapping[str, str] | None) -> dict[str, Any]:
    return {"entity": home.entity, "project": home.project, "known": dict(known) if known else None}


def _environment(folder: str) -> dict[str, str]:
    """Return an environment in which the client is online, says nothing, and writes into `folder`."""
    source = str(Path(__file__).parents[3])
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    places = dict.fromkeys(("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR"), folder)
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    # A report of an error to W&B's makers could hold what the client was just doing.
    return {**kept, **places, "PYTHONPATH": path, "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}

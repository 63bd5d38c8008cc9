"""One run in W&B, as the port `Tracker` says."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from headrace.adapters.tracker_wandb.mode import choose_mode
from headrace.adapters.tracker_wandb.pending import todo_of, use_of
from headrace.adapters.tracker_wandb.recorder import Recorder, find_recorder, warm_recorder
from headrace.adapters.tracker_wandb.refusal import refuse_values
from headrace.adapters.tracker_wandb.tables import read_parquet, write_table
from headrace.core.lineage import Reference, fit_name
from headrace.core.ports import Table
from headrace.core.secrets import without_secrets

log = logging.getLogger(__name__)

OFFLINE_WAIT_SECONDS = 20.0  # for files on this machine
GRACE_SECONDS = 5.0  # to start the client, and to say what came of it

_unreachable: set[Path] = set()  # folders for which W&B did not answer this process: it was said


class WandbTracker:
    """Logs one run to W&B, offline where there is no key. No call but `finish` waits for anything.

    `log` and `attach` may be called from several threads. A server that does not answer, or not well,
    costs a run at most the two timeouts and a few seconds: then the run is logged offline, for later.

    Args:
        project: the W&B project.
        entity: the user or team; None is the key's own.
        mode: `auto` is online where a key is found (`WANDB_API_KEY`, or netrc), else offline;
            `disabled` logs nothing. The environment's `WANDB_MODE` wins over it.
        dir: the folder for runs; below it also lie the files of offline artifacts.
        init_timeout_seconds: how long the server may take to open a run; the run does not wait for it.
        finish_timeout_seconds: how long a run waits at its end for what is still to be sent.
        tables: whether tables go there: they hold rows of the data.
        upload_models: whether the files of models go there, up to 50 MB; else only where they lie.
        registry: of W&B, to which published models are linked: `model` is `wandb-registry-model`.
    """

    def __init__(
        self,
        project: str,
        entity: str | None = None,
        mode: Literal["auto", "online", "offline", "disabled"] = "auto",
        dir: str | Path = ".headrace/wandb",  # noqa: A002 - W&B's own word for it
        init_timeout_seconds: float = 20.0,
        finish_timeout_seconds: float = 30.0,
        tables: bool = True,
        upload_models: bool = False,
        registry: str | None = None,
    ) -> None:
        self._project = project
        self._entity = entity
        self._folder = Path(dir).absolute()
        self._mode = choose_mode(mode, os.environ)
        self._init_timeout = init_timeout_seconds
        self._finish_timeout = finish_timeout_seconds
        self._tables = tables
        self._upload_models = upload_models
        self._registry = registry
        self._recorder: Recorder | None = None
        self._start: dict[str, Any] = {}
        self._began = 0.0
        self._todo: list[dict[str, Any]] = []
        self._finished = False

    def warm_up(self) -> None:
        if self._mode != "disabled":
            warm_recorder(self._folder)

    def start(
        self,
        run_id: str,
        experiment: str,
        config: Mapping[str, Any],
        tags: Sequence[str],
        group: str | None = None,
        job_type: str = "train",
    ) -> None:
        if self._mode == "disabled" or self._recorder is not None:
            return
        if self._mode == "online" and self._folder in _unreachable:
            self._mode = "offline"
        wandb_id = re.sub(r"[^\w.-]", "-", run_id)[:60]  # W&B's limit is 64, and attempts are numbered
        named_by_wandb = self._folder.name == "wandb"  # the client appends this name to its root
        self._start = {
            "mode": self._mode,
            "project": self._project,
            "entity": self._entity,
            "id": wandb_id,
            "name": run_id,
            "config": without_secrets(dict(config)),
            "tags": [tag[:64] for tag in tags],  # W&B's limit
            "group": group or experiment,
            "job_type": job_type,
            "root_dir": str(self._folder.parent if named_by_wandb else self._folder),
            "spool": str(self._folder / "spool" / wandb_id),
            "init_timeout": self._init_timeout,
            "finish_timeout": self._finish_timeout,
        }
        self._recorder = self._open()

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._send({"op": "log", "metrics": self._clean(metrics, "the metrics"), "step": step})

    def use(self, reference: Reference) -> None:
        if self._recorder is not None and self._upload_models and reference.kind == "model":
            self._todo.append(use_of(reference))  # a version with files, which only the server knows
            return
        self._send({"op": "use", "reference": self._clean(reference.to_json(), reference.name)})

    def attach(
        self,
        name: str,
        kind: str,
        files: Mapping[str, Path],
        metadata: Mapping[str, Any],
        tables: Mapping[str, Table | Path] | None = None,
    ) -> None:
        if self._recorder is None:
            return
        try:
            copies = self._recorder.keep(name, files)
            for inside, table in (tables or {}).items() if self._tables else ():
                copies |= self._keep_table(name, inside, table)
        except Exception as error:  # a table that cannot be read is no reason to fail
            log.warning("W&B: %s is missing in the log: %s", name, error)
            return
        if copies:
            about = self._clean(metadata, f"the metadata of {name}")
            named = {"name": fit_name(name), "kind": kind, "files": copies, "metadata": about}
            self._send({"op": "attach", **named})

    def model(self, reference: Reference, files: Callable[[], Mapping[str, Path]]) -> None:
        if self._recorder is None:
            return
        copies: dict[str, str] = {}
        if self._upload_models:
            try:
                copies = self._recorder.keep(f"model-{reference.name}", files())
            except Exception as error:
                log.warning("W&B: the files of %s are missing in the log: %s", reference.name, error)
        told = self._clean(reference.to_json(), reference.name)
        self._send({"op": "model", "reference": told, "files": copies})

    def published(self, reference: Reference, version: int, aliases: Sequence[str]) -> None:
        if self._recorder is not None:
            self._todo += todo_of(reference, version, aliases, self._registry)

    def alert(self, title: str, text: str) -> None:
        self._send({"op": "alert", "title": title[:60], "text": without_secrets(text)[:1000]})

    def finish(self, state: str, summary: Mapping[str, Any]) -> None:
        if self._recorder is None or self._finished:
            return
        self._finished = True
        figures = self._clean({**summary, "state": state}, "the summary")
        exit_code = 0 if state in ("succeeded", "rejected", "pruned") else 1
        self._send({"op": "finish", "summary": figures, "exit_code": exit_code, "todo": self._todo})
        if self._mode == "online":
            self._finish_online(self._recorder)
        else:
            self._finish_offline(self._recorder)

    def info(self) -> dict[str, Any]:
        if self._recorder is None:
            return {}
        found = {"project": self._project, "entity": self._entity, **self._recorder.info}
        offline = [{"kind": "run", "dir": found["dir"]}] if "dir" in found else []
        done = self._todo[: self._recorder.did]
        return {**found, "pending": [*offline, *self._todo[self._recorder.did :]], "done": done}

    def _send(self, command: Mapping[str, Any]) -> None:
        if self._recorder is not None:
            self._recorder.send(command)

    def _open(self) -> Recorder | None:
        try:
            Path(self._start["spool"]).mkdir(parents=True, exist_ok=True)
            recorder = find_recorder(self._folder)
            self._began = time.monotonic()
            recorder.begin(self._start)
        except OSError as error:
            log.warning("W&B: the run is not logged, its recorder does not start: %s", error)
            return None
        return recorder

    def _finish_online(self, recorder: Recorder) -> None:
        opening = self._began + self._init_timeout + GRACE_SECONDS - time.monotonic()
        still = max(opening, 0.0) if "entity" not in recorder.info else 0.0
        why = recorder.finish(still + self._finish_timeout + GRACE_SECONDS)
        if recorder.offline or why:
            _unreachable.add(self._folder)
        if why:
            self._tell_again_offline(recorder, why)

    def _finish_offline(self, recorder: Recorder) -> None:
        if why := recorder.finish(OFFLINE_WAIT_SECONDS):
            goes_on = f"; process {recorder.pid} ends by itself when it is done" if recorder.alive else ""
            log.warning("W&B: the log is incomplete: %s%s.", why.rstrip("."), goes_on)

    def _tell_again_offline(self, failed: Recorder, why: str) -> None:
        """Log the whole run once more, offline: what the server has of it, nobody knows."""
        log.warning(
            "W&B: the run could not be sent (%s), so it is logged offline; later, type: headrace sync %s",
            why, self._start["name"],
        )  # fmt: skip
        failed.kill()
        self._start |= {"mode": "offline", "id": failed.info["id"]}
        commands = list(failed.replay())
        self._recorder = self._open()
        if self._recorder is not None:
            for command in commands:
                self._recorder.send(command)
            self._finish_offline(self._recorder)

    def _keep_table(self, name: str, inside: str, table: Table | Path) -> dict[str, str]:
        assert self._recorder is not None
        columns, rows = read_parquet(table) if isinstance(table, Path) else (table.columns, table.rows)
        place = self._recorder.room(name, f"{inside}.table.json")
        self._tell_refused(write_table(place, columns, rows), f"the table {name}")
        return {place.name: str(place)}

    def _clean(self, values: Mapping[str, Any], where: str) -> dict[str, Any]:
        kept, refused = refuse_values(values)
        self._tell_refused(refused, where)
        return kept

    def _tell_refused(self, names: Sequence[str], where: str) -> None:
        if names:
            log.warning("W&B: refused %s of %s: the name says secret.", ", ".join(names), where)

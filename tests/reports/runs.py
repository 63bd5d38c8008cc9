"""Runs to report on: records whose artifacts lie in a lake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from headrace.adapters.codec_table import TableCodec
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.artifact import Artifact
from headrace.core.ports import MAIN
from headrace.core.record import RunRecord, StageRecord

PIXEL = b"\x89PNG\r\n\x1a\n"


class Bench:
    """A lake, and runs that have left something in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = EmbeddedLake(folder / "lake")
        self.lake.init()
        self._runs = 0

    def run(self, artifacts: Mapping[str, Any], **changes: Any) -> RunRecord:
        """Store a table, figures (bytes: one, or several by name) or JSON, as the outputs of one stage."""
        self._runs += 1
        stored = {name: self._put(f"r{self._runs}/{name}", value) for name, value in artifacts.items()}
        commit = self.lake.commit(MAIN, "artifacts", {"n": str(self._runs)}).id if artifacts else ""
        outputs = {
            name: Artifact(digest=digest, bytes=1, codec=codec, uri=f"lake://{commit}/{path}")
            for name, (digest, codec, path) in stored.items()
        }
        stage = StageRecord(name="all", state="ran", seconds=0.5, outputs=outputs)
        started = f"2026-11-24T00:00:{self._runs:02}+00:00"
        return self.record(**{"id": f"run-{self._runs}", "started": started, "stages": [stage], **changes})

    @staticmethod
    def record(**changes: Any) -> RunRecord:
        """Return a run of which nothing is stored."""
        known: dict[str, Any] = {
            "id": "run-0",
            "experiment": "toy",
            "pipeline": "train",
            "command": "python -m flows.train",
            "state": "succeeded",
            "started": "2026-11-24T00:00:00+00:00",
            "seconds": 1.0,
            "seed": 0,
            "config": {},
            "git": {},
            "packages": {},
            "source": {},
            "resume": "",
        }
        return RunRecord(**{**known, **changes})

    def _put(self, path: str, value: Any) -> tuple[str, str, str]:
        if isinstance(value, bytes):
            return self._put(path, {"roc": value})
        if isinstance(value, dict) and value and all(isinstance(one, bytes) for one in value.values()):
            for name, picture in value.items():
                told = {"title": name.upper(), "alt": "a curve", "caption": "c"}
                spec = json.dumps({"usermeta": {"headrace": told}})
                self.lake.put(MAIN, f"{path}/{name}.png", picture)
                self.lake.put(MAIN, f"{path}/{name}.json", spec.encode())
            return _digest(b"".join(value.values())), "figure", path
        if isinstance(value, pd.DataFrame):
            file = self.folder / "table.parquet"
            TableCodec().write(value, file)
            data, codec, path = file.read_bytes(), "parquet", f"{path}.parquet"
            file.unlink()
        else:
            data, codec, path = json.dumps(value).encode(), "json", f"{path}.json"
        self.lake.put(MAIN, path, data)
        return _digest(data), codec, path


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"

"""The command `headrace` in a project of its own, on its embedded lake."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.cli import main
from headrace.core.ports import MAIN, LakeStore


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ask = Callable[..., Said]


@pytest.fixture
def ask(project: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `headrace <words>` in the project folder."""

    def run(*words: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(words)
        printed = capsys.readouterr()
        return Said(int(left.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def lake(project: Path) -> LakeStore:
    """The project's lake, as the command opens it."""
    return EmbeddedLake(project / ".headrace" / "lake")


@pytest.fixture
def commit(lake: LakeStore) -> Callable[..., str]:
    """Commit texts by path to a branch, None to delete one; returns the commit's id."""

    def make(
        files: Mapping[str, str | None],
        branch: str = MAIN,
        message: str = "change files",
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        for path, text in files.items():
            if text is None:
                lake.delete(branch, [path])
            else:
                lake.put(branch, path, text.encode())
        return lake.commit(branch, message, metadata).id

    return make

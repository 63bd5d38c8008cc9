"""What the parts of the contract share: the fixture to override, and short ways to write and read."""

from __future__ import annotations

import pytest

from headrace.core.ports import LakeStore


def commit_files(lake: LakeStore, branch: str, files: dict[str, str | None]) -> str:
    """Put (or with None delete) files on a branch, commit, and return the commit's id."""
    for path, text in files.items():
        if text is None:
            lake.delete(branch, [path])
        else:
            lake.put(branch, path, text.encode())
    return lake.commit(branch, "commit files").id


def text_at(lake: LakeStore, ref: str, path: str) -> str:
    with lake.open(ref, path) as file:
        return file.read().decode()


def paths_at(lake: LakeStore, ref: str, prefix: str = "", delimiter: str = "", after: str = "") -> list[str]:
    return [found.path for found in lake.list(ref, prefix, delimiter, after)]


class LakeFixture:
    """Where a subclass hands in its adapter."""

    @pytest.fixture
    def lake(self) -> LakeStore:
        raise NotImplementedError("override the fixture `lake` to return a fresh lake")

"""What a plan says of sources and code that changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.code_store import CodeStore
from headrace.adapters.machine_state import THREADS, read_machine_state
from headrace.past import tell_source
from tests.toy import Toy, toy

__all__ = ["toy"]


def source(uri: str = "file:data/flights.csv", size: int = 412_000_000, **files: str) -> dict[str, Any]:
    return {"uri": uri, "bytes": size, "files": files or None}


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (source(), None, "data/flights.csv changed (412 MB)"),
        (source(), source(), "data/flights.csv changed (412 MB)"),
        (source(), source(size=400_000_000), "data/flights.csv changed (412 MB, was 400 MB)"),
        (
            source(a="1", b="2", c="3"),
            source(a="1", b="0", d="4"),
            "data/flights.csv changed (412 MB, 2 of 3 files, 1 gone)",
        ),
        (source(), source("file:old.csv"), "source file:old.csv → file:data/flights.csv (412 MB)"),
    ],
)
def test_a_source_that_changed(now: dict[str, Any], before: dict[str, Any] | None, said: str) -> None:
    """Its size, what it was, and how many of its files are others."""
    assert tell_source(now, before) == said


def test_code_that_changed_is_named_to_the_function(toy: Toy) -> None:
    """What a run kept of its modules tells which function of which is another one now."""
    toy.run()
    toy.helper = "def scale(x, factor):\n    return factor * x\n"
    toy.write()
    reason = toy.prepare().plan["load"].reason
    assert reason.startswith("code of toy_helper changed (function scale, ")


def test_a_file_of_many_that_changed(toy: Toy) -> None:
    """A glob says how many of its files changed."""
    for name in ("a", "b", "c"):
        (toy.folder / f"{name}.txt").write_text("1")
    words = ["stages.load.inputs.source=file:*.txt"]
    toy.code = toy.code.replace("source: Path", "source: list").replace(
        "source.read_text().split()", "[p.read_text() for p in source]"
    )
    toy.code = toy.code.replace("int(x) for x in [p.read_text() for p in source]", "len(source) for _ in [1]")
    toy.run(*words)
    (toy.folder / "b.txt").write_text("22")
    assert "1 of 4 files" in toy.prepare(*words).plan["load"].reason


def test_the_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    """The first entry stays; a damaged one and one that nobody made are None."""
    store = CodeStore(tmp_path)
    assert store.get("abc") is None
    store.put("abc", {"one": "1"})
    store.put("abc", {"one": "2"})
    assert store.get("abc") == {"one": "1"}
    (tmp_path / "abc.json").write_text("{")
    assert store.get("abc") is None


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU, cores, threads as the environment sets them, system and Python."""
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = read_machine_state()
    assert found["threads"] == {"OMP_NUM_THREADS": "3"}
    assert found["cores"] >= 1
    assert set(found) == {"cpu", "cores", "threads", "system", "libc", "python"}

"""What modules defined stays known by the digest of the module, and is never half there."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from headrace.adapters.code_store import FORMAT, CodeStore

DIGEST = "a" * 64
DEFINITIONS = {"module level": "0123456789ab", "function fit": "ba9876543210"}


def test_what_is_put_is_there_for_every_later_store(tmp_path: Path) -> None:
    """Definitions come back as they were put, and one that nobody put is not known."""
    CodeStore(tmp_path / "code").put(DIGEST, DEFINITIONS)
    assert CodeStore(tmp_path / "code").get(DIGEST) == DEFINITIONS
    assert CodeStore(tmp_path / "code").get("b" * 64) is None


def test_asking_writes_nothing(tmp_path: Path) -> None:
    """A plan may ask a store that is not there."""
    assert CodeStore(tmp_path / "code").get(DIGEST) is None
    assert not (tmp_path / "code").exists()


def test_an_entry_is_written_once(tmp_path: Path) -> None:
    """A digest names one content, so a second put leaves the file alone and nothing beside it."""
    CodeStore(tmp_path).put(DIGEST, DEFINITIONS)
    before = (tmp_path / f"{DIGEST}.json").stat()
    CodeStore(tmp_path).put(DIGEST, {})
    after = (tmp_path / f"{DIGEST}.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [file.name for file in tmp_path.iterdir()] == [f"{DIGEST}.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"format": 2, "defi',
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({"fit": "ba9876543210"}).encode(),
        json.dumps({"format": FORMAT}).encode(),
        json.dumps({"format": FORMAT, "definitions": {"function fit": 1}}).encode(),
        json.dumps({"format": FORMAT + 1, "definitions": DEFINITIONS}).encode(),
    ],
)
def test_a_damaged_entry_counts_as_absent_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    """Half a file, a foreign one and one of another format are not known, and a put mends them."""
    (tmp_path / f"{DIGEST}.json").write_bytes(content)
    store = CodeStore(tmp_path)
    assert store.get(DIGEST) is None
    store.put(DIGEST, DEFINITIONS)
    assert store.get(DIGEST) == DEFINITIONS


def test_a_place_that_takes_no_files_is_no_error(tmp_path: Path) -> None:
    """Losing the store costs words in a reason, never a run."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = CodeStore(tmp_path / "file" / "code")
    store.put(DIGEST, DEFINITIONS)
    assert store.get(DIGEST) is None


def test_threads_may_put_the_same_at_once(tmp_path: Path) -> None:
    """Every reader finds all of an entry, and no temporary file is left."""
    ready = threading.Barrier(4)
    seen: list[dict[str, str] | None] = []

    def work() -> None:
        store = CodeStore(tmp_path)
        ready.wait()
        store.put(DIGEST, DEFINITIONS)
        seen.append(store.get(DIGEST))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [DEFINITIONS] * 4
    assert [file.name for file in tmp_path.iterdir()] == [f"{DIGEST}.json"]

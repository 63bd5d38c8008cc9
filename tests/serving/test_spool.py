"""The spool: what was written whole is read back, whoever died, and one process at a time deals with it."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from headrace.serving.spool import Spool, claim_dead, read_segment, segment_id, writers


def batch(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"value": list(values)})


def values(path: Path) -> list[int]:
    table = read_segment(path)
    return [] if table is None else table["value"].to_pylist()


def die(spool: Spool) -> None:
    """Let go of everything as the kernel does for a killed process."""
    for segment in spool._open.values():
        os.close(segment.descriptor)
    os.close(spool._lock)


def test_segment_cut_anywhere_gives_its_whole_batches(tmp_path: Path) -> None:
    """A writer killed at any byte leaves every batch readable that was written before."""
    spool = Spool(tmp_path / "spool", 1 << 20)
    ends = []
    for number in range(3):
        spool.append("birds", "2026-01-02", batch(number, number))
        ends.append(next(spool.folder.rglob("*.open")).stat().st_size)
    spool.seal()
    data = spool.sealed()[0].read_bytes()
    for cut in range(len(data) + 1):
        file = tmp_path / "cut.arrows"
        file.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert values(file) == [number for number in range(whole) for _ in range(2)]


def test_sealed_segment_takes_nothing_more(tmp_path: Path) -> None:
    """What is sealed may be committed; rows that come later go to another segment."""
    spool = Spool(tmp_path, 1 << 20)
    spool.append("birds", "2026-01-02", batch(1))
    assert spool.sealed() == []
    spool.seal()
    spool.append("birds", "2026-01-02", batch(2))
    (sealed,) = spool.sealed()
    assert values(sealed) == [1]
    assert segment_id(sealed) == f"birds/2026-01-02/{sealed.stem}"


def test_bound_holds_for_all_writers(tmp_path: Path) -> None:
    """A writer counts what others left there, and takes nothing beyond the bound."""
    first = Spool(tmp_path, 1 << 20)
    assert first.append("birds", "2026-01-02", batch(*range(100)))
    assert not Spool(tmp_path, 900).append("birds", "2026-01-02", batch(1))


def test_full_disk_leaves_whole_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch for which the disk has no place leaves nothing in the segment, which goes on after it."""
    spool = Spool(tmp_path, 1 << 20)
    spool.append("birds", "2026-01-02", batch(1))
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    assert not spool.append("birds", "2026-01-02", batch(2))
    monkeypatch.undo()
    assert spool.append("birds", "2026-01-02", batch(3))
    spool.seal()
    assert values(spool.sealed()[0]) == [1, 3]


def test_living_writer_is_left_alone(tmp_path: Path) -> None:
    """Nobody takes the segments of a writer that lives, and one process at a time those of a dead one."""
    spool = Spool(tmp_path, 1 << 20)
    spool.append("birds", "2026-01-02", batch(1))
    with claim_dead(tmp_path, spool.id) as segments:
        assert segments == []
    die(spool)
    with claim_dead(tmp_path, spool.id) as segments, claim_dead(tmp_path, spool.id) as others:
        assert [values(path) for path in segments] == [[1]]
        assert others == []
        segments[0].unlink()
    assert writers(tmp_path) == []
    assert not spool.folder.exists()


def test_what_is_not_dealt_with_stays(tmp_path: Path) -> None:
    """Segments that nobody removed are there for the next one who looks."""
    spool = Spool(tmp_path, 1 << 20)
    spool.append("birds", "2026-01-02", batch(1))
    spool.close()
    for _ in range(2):
        with claim_dead(tmp_path, spool.id) as segments:
            assert len(segments) == 1

"""Killed at any moment, and shared by many processes: nothing committed is lost, nothing blocks."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import headrace.errors
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN
from headrace.errors import MergeConflict

# Says `commit <id> <count>` once a commit is made, so that a test knows what may not be lost.
WRITER = """
import sys
from pathlib import Path
from headrace.adapters.lake_embedded import EmbeddedLake
root, branch, rounds, work = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
lake = EmbeddedLake(root)
lake.create_branch(branch, "main", exist_ok=True)
start = len(list(lake.list(f"{branch}@", prefix=branch)))
lake.reset(branch)
for count in range(start, start + rounds):
    file = work / f"{branch}-{count}"
    file.write_bytes(f"{branch} {count} ".encode() * 5000)
    lake.put(branch, f"{branch}/{count}", file, consume=count % 2 == 0)
    many = {f"many/{part}": work / f"{branch}-{count}-{part}" for part in range(3)}
    for part in many.values():
        part.write_bytes(f"{branch} {count}".encode())
    lake.put_many(branch, many, consume=count % 3 == 0)
    lake.put(branch, "shared" if rounds > 1000 else f"{branch}-last", b"%d" % count)
    made = lake.commit(branch, f"commit {count}")
    print("commit", made.id, count, flush=True)
    if count % 5 == 4:
        lake.merge(branch, "main", f"merge {branch} {count}", strategy="source-wins")
        print("merge", made.id, count, flush=True)
    if count % 7 == 6:
        lake.create_branch(f"{branch}-old", branch, exist_ok=True)
        lake.put(f"{branch}-old", "old", f"{branch} {count}".encode() * 2)
        lake.gc(lake.branches(f"{branch}-old"))
"""


def start_writer(root: Path, branch: str, rounds: int, work: Path) -> subprocess.Popen[str]:
    package = str(Path(headrace.errors.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), branch, str(rounds), str(work)],
        env={**os.environ, "PYTHONPATH": package},
        stdout=subprocess.PIPE,
        text=True,
    )


def check_branch(lake: EmbeddedLake, branch: str, count: int) -> None:
    """Every object up to `count` is there, with its bytes."""
    for number in range(count + 1):
        with lake.open(f"{branch}@", f"{branch}/{number}") as file:
            assert file.read() == f"{branch} {number} ".encode() * 5000


def test_killed_writer_loses_nothing(tmp_path: Path) -> None:
    """Killed at random moments, a writer's commits are all there, and the next writer just goes on."""
    lake = EmbeddedLake(tmp_path / "lake", busy_seconds=5)
    moments = random.Random(20261109)  # where to kill
    last = -1
    for _ in range(8):
        writer = start_writer(tmp_path / "lake", "work", 100_000, tmp_path)
        assert writer.stdout is not None
        for _ in range(moments.randrange(1, 12)):
            said, identity, count = writer.stdout.readline().split()
            last = int(count)
        for _ in range(moments.randrange(20_000)):
            pass  # so that the blow falls anywhere between two lines
        os.kill(writer.pid, signal.SIGKILL)
        rest, _ = writer.communicate()
        for line in rest.splitlines():
            if line.count(" ") == 2:
                said, identity, count = line.split()
                last = int(count)
        assert said in ("commit", "merge")
        assert identity in {commit.id for commit in lake.log("work")}
        check_branch(lake, "work", last)
        lake.put(MAIN, "after", identity.encode())
        lake.commit(MAIN, "not blocked")
    lake.gc(lake.branches("work-"))
    check_branch(lake, "work", last)
    lake.close()
    connection = sqlite3.connect(tmp_path / "lake" / "lake.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_killed_while_creating(tmp_path: Path) -> None:
    """A lake whose maker was killed is made by the next one."""
    for turn in range(5):
        root = tmp_path / f"lake{turn}"
        writer = start_writer(root, "work", 1, tmp_path)
        while not root.exists():
            assert writer.poll() is None
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        lake = EmbeddedLake(root, busy_seconds=5)
        lake.put(MAIN, "x", b"1")
        assert lake.log(lake.commit(MAIN, "first").id)[-1].parents == ()


def test_eight_processes_lose_nothing(tmp_path: Path) -> None:
    """Eight processes on eight branches, merging into one main: every commit and merge is there."""
    writers = [start_writer(tmp_path / "lake", f"b{count}", 10, tmp_path) for count in range(8)]
    said = [writer.communicate()[0].splitlines() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    lake = EmbeddedLake(tmp_path / "lake")
    merged = {commit.id for commit in lake.log(MAIN)}
    for count, lines in enumerate(said):
        branch = f"b{count}"
        ids = [line.split()[1] for line in lines if line.startswith("commit")]
        assert len(ids) == 10
        assert ids[::-1] == [commit.id for commit in lake.log(branch)][:10]
        check_branch(lake, branch, 9)
        assert set(ids) <= merged
    assert len(list(lake.list(MAIN))) == 8 * 11 + 3


@pytest.mark.parametrize("turn", range(3))
def test_two_merges_at_once(tmp_path: Path, turn: int) -> None:
    """Two processes that merge the same path into main: one lands, the other is told of the conflict."""
    lake = EmbeddedLake(tmp_path / "lake")
    for branch in ("left", "right"):
        lake.create_branch(branch, MAIN)
        lake.put(branch, "x", f"{branch} {turn}".encode())
        lake.put(branch, branch, b"1")
        lake.commit(branch, branch)
    code = (
        "import sys; from pathlib import Path; from headrace.adapters.lake_embedded import EmbeddedLake\n"
        "from headrace.errors import MergeConflict\n"
        "try: EmbeddedLake(Path(sys.argv[1])).merge(sys.argv[2], 'main', 'merge'); print('landed')\n"
        "except MergeConflict as conflict: print(*conflict.paths)"
    )
    package = str(Path(headrace.errors.__file__).parents[1])
    mergers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "lake"), branch],
            env={**os.environ, "PYTHONPATH": package},
            stdout=subprocess.PIPE,
            text=True,
        )
        for branch in ("left", "right")
    ]
    said = [merger.communicate()[0].strip() for merger in mergers]
    assert sorted(said) == ["landed", "x"]
    winner, loser = ("left", "right") if said[0] == "landed" else ("right", "left")
    assert [entry.path for entry in lake.list(MAIN)] == sorted([winner, "x"])
    with pytest.raises(MergeConflict):
        lake.merge(loser, MAIN, "still")

"""Killed with SIGKILL at any point, the log loses nothing that reached the spool, and nothing comes twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import headrace
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN
from headrace.serving.prediction_commits import commit_dead, read_predictions
from headrace.serving.prediction_log import LakePredictionLog
from headrace.serving.settings import LogSettings
from headrace.serving.spool import read_segment
from tests.serving.predictions import Counts, predict

# One child a point: it kills itself just before or just after a call that changes the lake.
EACH_POINT = """
import os, signal, sys
from pathlib import Path
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.serving.prediction_commits import commit_segments
from headrace.serving.prediction_table import Slice, make_layout
from headrace.serving.spool import Spool
from tests.serving.predictions import SIGNATURE, predict

CALLS = ("resolve", "delete_branch", "create_branch", "put_many", "commit", "merge")
root = Path(sys.argv[1])

class DeadlyLake(EmbeddedLake):
    left = 0

for _name in CALLS:
    def _call(self, *args, _name=_name, **named):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        done = getattr(EmbeddedLake, _name)(self, *args, **named)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(DeadlyLake, _name, _call)

def die_at(point):
    spool = Spool(root / "state" / "predictions", 1 << 30)
    layout = make_layout(SIGNATURE, b"salt")
    for part in range(2):
        batch = layout.build([Slice(predict(f"p{point}-{part}", rows=2), 0, 2)])
        assert spool.append("birds", "2026-01-02", batch)
        spool.seal()
    lake = DeadlyLake(root / "lake")
    lake.left = point
    commit_segments(lake, spool.id, spool.sealed())
    os._exit(0)

point = 1
while True:
    child = os.fork()
    if child == 0:
        die_at(point)
    status = os.waitpid(child, 0)[1]
    print(point, flush=True)
    if os.WIFEXITED(status):
        sys.exit(os.WEXITSTATUS(status))
    point += 1
"""

WRITER = """
import sys, time
from pathlib import Path
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.serving.prediction_log import LakePredictionLog
from headrace.serving.settings import LogSettings
from tests.serving.predictions import Counts, predict

root, name = Path(sys.argv[1]), sys.argv[2]
log = LakePredictionLog(
    EmbeddedLake(root / "lake"), root / "state", LogSettings(commit_rows=20, commit_seconds=0.3), Counts()
)
for number in range(100_000):
    log.write(predict(f"{name}-{number}", rows=2))
    if number % 50 == 0:
        print(number, flush=True)
        time.sleep(0.05)
"""


def start(script: str, *args: object) -> subprocess.Popen[str]:
    paths = [str(Path(headrace.__file__).parents[1]), str(Path(__file__).parents[2])]
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    )


def kept(lake: EmbeddedLake) -> list[tuple[str, int]]:
    table = read_predictions(lake, "birds")
    return (
        [] if table is None else sorted(zip(table["id"].to_pylist(), table["row"].to_pylist(), strict=True))
    )


def has_segments(spool: Path) -> bool:
    return any(path.suffix in (".open", ".arrows") for path in spool.rglob("*"))


def test_killed_at_each_call_to_the_lake(tmp_path: Path) -> None:
    """Killed before or after any call to the lake, each row is committed exactly once in the end."""
    lake = EmbeddedLake(tmp_path / "lake")
    lake.init()
    process = start(EACH_POINT, tmp_path)
    assert process.stdout is not None
    points = [int(line) for line in process.stdout]
    assert process.wait() == 0
    process.stdout.close()
    commit_dead(lake, tmp_path / "state" / "predictions")
    wanted = [(f"p{point}-{part}", row) for point in points for part in range(2) for row in range(2)]
    assert len(points) > 10
    assert kept(lake) == sorted(wanted)
    assert [branch.name for branch in lake.branches()] == [MAIN]
    assert list((tmp_path / "state" / "predictions").iterdir()) == []


def test_killed_services_lose_nothing_that_was_spooled(tmp_path: Path) -> None:
    """Services killed at random moments leave what they spooled to the next ones, which commit it once."""
    lake = EmbeddedLake(tmp_path / "lake")
    lake.init()
    spool = tmp_path / "state" / "predictions"
    moments = random.Random(7)
    spooled: set[tuple[str, int]] = set()
    for turn in range(3):
        process = start(WRITER, tmp_path, f"s{turn}")
        assert process.stdout is not None
        before = lake.resolve(MAIN)
        while lake.resolve(MAIN) == before and not has_segments(spool):
            assert process.stdout.readline()  # until it has begun, which takes what its imports take
        for _ in range(moments.randrange(30)):
            process.stdout.readline()
        threading.Event().wait(moments.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in [*spool.rglob("*.open"), *spool.rglob("*.arrows")]:
            if (table := read_segment(path)) is not None:
                spooled |= set(zip(table["id"].to_pylist(), table["row"].to_pylist(), strict=True))
        spooled |= set(kept(lake))
    counts = Counts()
    log = LakePredictionLog(lake, tmp_path / "state", LogSettings(), counts)
    log.write(predict("last"))
    log.close()
    commit_dead(lake, spool)  # what the log had no time to look for
    assert kept(lake) == sorted([*spooled, ("last", 0)])
    assert spooled

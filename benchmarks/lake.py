"""How fast the embedded lake is, as figures and as ratios.

    python benchmarks/lake.py [--large-gigabytes 2] [--folder DIR]

Every figure stands beside what it is to be measured against on the same machine at the same time: bare
files written the same way, bare sha256, the same operation on fewer files. `FAIL` marks a missed limit,
and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN

failed: list[str] = []


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def tell(name: str, value: float, unit: str, limit: float | None = None, note: str = "") -> None:
    verdict = ""
    if limit is not None:
        verdict = f"  limit {limit:g}" + ("" if value <= limit else "  FAIL")
        if value > limit:
            failed.append(name)
    print(f"{name:<58}{value:>10.2f} {unit}{verdict}{'  ' + note if note else ''}", flush=True)


def bench_small_files(folder: Path) -> None:
    """10,000 files of 4 KB, put one by one and committed."""
    contents = [hashlib.sha256(b"%d" % count).digest() * 128 for count in range(10_000)]
    bare = folder / "bare"
    bare.mkdir()

    def write_bare() -> None:
        for count, data in enumerate(contents):
            name = hashlib.sha256(data).hexdigest()
            with (bare / f"{count}.tmp").open("wb") as file:
                file.write(data)
            os.replace(bare / f"{count}.tmp", bare / name)
        os.sync()

    baseline = seconds(write_bare)
    lake = EmbeddedLake(folder / "small")

    def put_all() -> None:
        for count, data in enumerate(contents):
            lake.put(MAIN, f"images/{count:05d}.png", data)

    lake.resolve(MAIN)
    cpu = time.process_time()
    put = seconds(put_all)
    cpu = time.process_time() - cpu
    commit = seconds(lambda: lake.commit(MAIN, "10,000 files"))
    tell("10,000 x 4 KB: put", put, "s", note=f"{cpu:.2f} s of CPU")
    tell("10,000 x 4 KB: commit, synced to disk", commit, "s")
    tell("10,000 x 4 KB: put and commit", put + commit, "s", limit=3)
    tell("  as a multiple of hashing and writing bare files", (put + commit) / baseline, "x")
    lake.close()


def bench_large_file(folder: Path, gigabytes: float) -> None:
    """One large output, moved in."""
    file = folder / "large.bin"
    block = os.urandom(1 << 22)
    with file.open("wb") as target:
        target.writelines(block for _ in range(int(gigabytes * 256)))
    os.sync()

    def hash_bare() -> None:
        with file.open("rb") as source:
            hashlib.file_digest(source, "sha256")

    hash_bare()  # both runs find the file in memory as far as it fits
    baseline = seconds(hash_bare)
    lake = EmbeddedLake(folder / "large")
    lake.resolve(MAIN)
    put = seconds(lambda: lake.put(MAIN, "large.bin", file, consume=True))
    tell(f"{gigabytes:g} GB moved in", put, "s", note=f"{gigabytes / put:.2f} GB/s")
    tell("  as a multiple of bare sha256", put / baseline, "x", limit=1.15)
    tell("  commit", 1000 * seconds(lambda: lake.commit(MAIN, "large")), "ms")
    tell("  local_path, known to be good", 1000 * seconds(lambda: lake.local_path(MAIN, "large.bin")), "ms")
    lake.close()


def make_tree(folder: Path, files: int) -> EmbeddedLake:
    lake = EmbeddedLake(folder / f"tree{files}")
    for count in range(files):
        lake.put(MAIN, f"data/{count:06d}", b"%d" % (count % 7))
    lake.commit(MAIN, "many files")
    return lake


def work_on(lake: EmbeddedLake, turn: int) -> dict[str, float]:
    """Branch, change 10 files, commit, diff and merge, in milliseconds; each with cold caches."""
    files = [f"data/{count * 97:06d}" for count in range(10)]
    name = f"work{turn}"
    cold = EmbeddedLake(lake.root)
    found = {"branch": seconds(lambda: cold.create_branch(name, MAIN))}
    for path in files:
        cold.put(name, path, b"turn %d" % turn)
    cold.put(MAIN, f"other/{turn}", b"1")
    cold.commit(MAIN, "the other side")
    found["commit"] = seconds(lambda: cold.commit(name, "10 files"))
    cold.close()
    cold = EmbeddedLake(lake.root)
    cold.resolve(MAIN)
    found["diff"] = seconds(lambda: cold.diff(MAIN, name))
    cold.close()
    cold = EmbeddedLake(lake.root)
    cold.resolve(MAIN)
    found["merge"] = seconds(lambda: cold.merge(name, MAIN, "merge"))
    cold.close()
    return {key: 1000 * value for key, value in found.items()}


def bench_growth(folder: Path) -> None:
    """The same ten changes among 1,000 and among 50,000 files."""
    medians: dict[int, dict[str, float]] = {}
    lakes = {files: make_tree(folder, files) for files in (1_000, 50_000)}
    for files, lake in lakes.items():
        turns = [work_on(lake, turn) for turn in range(9)]
        medians[files] = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        lake.close()
    for key, small in medians[1_000].items():
        large = medians[50_000][key]
        tell(f"{key}, 10 changes among 1,000 files", small, "ms")
        # 50 times the files; a level more in the tree is the growth that is allowed.
        tell(f"{key}, 10 changes among 50,000 files", large, "ms")
        tell("  as a multiple", large / small, "x", limit=3)


def bench_stage_commit(folder: Path) -> None:
    """What a pipeline does at the end of each stage: one output put and committed."""
    lake = EmbeddedLake(folder / "stage")
    lake.create_branch("run", MAIN)
    puts, commits = [], []
    for count in range(40):
        data = os.urandom(20_000)
        puts.append(seconds(lambda count=count, data=data: lake.put("run", f"out/{count}", data)))
        commits.append(seconds(lambda count=count: lake.commit("run", f"stage {count}")))
    file = folder / "fsync"

    def sync_one() -> None:
        with file.open("wb") as target:
            target.write(b"1" * 20_000)
            os.fsync(target.fileno())

    baseline = statistics.median(seconds(sync_one) for _ in range(40))
    tell("one output of 20 KB: put", 1000 * statistics.median(puts), "ms")
    tell("one output of 20 KB: commit, synced to disk", 1000 * statistics.median(commits), "ms")
    tell("  as a multiple of one fsync", statistics.median(commits) / baseline, "x")
    lake.close()


def bench_opening(folder: Path) -> None:
    """What a command that finds nothing to do pays: import, open, resolve, one stat."""
    lake = EmbeddedLake(folder / "open")
    lake.put(MAIN, "x", b"1")
    lake.commit(MAIN, "x")
    lake.close()
    light = "import sqlite3, json, hashlib, pathlib, dataclasses, difflib, threading, re"
    use = (
        "from pathlib import Path; from headrace.adapters.lake_embedded import EmbeddedLake; "
        f"lake = EmbeddedLake(Path({str(lake.root)!r})); lake.stat(lake.resolve('main'), 'x')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def start(code: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], env=environment, check=True))

    start(use)
    pairs = [(start("pass"), start(light), start(use)) for _ in range(15)]
    # The smallest of each: what other work on the machine adds says nothing about the lake.
    bare, standard, used = (1000 * min(times) for times in zip(*pairs, strict=True))
    tell("import, open, resolve, stat (beyond bare Python)", used - bare, "ms")
    tell("  of which beyond the standard library's modules", used - standard, "ms", limit=30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--large-gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a local disk")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="headrace-lake-", dir=options.folder))
    try:
        bench_opening(folder)
        bench_stage_commit(folder)
        bench_small_files(folder)
        bench_growth(folder)
        bench_large_file(folder, options.large_gigabytes)
    finally:
        shutil.rmtree(folder)
    if failed:
        print(f"missed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

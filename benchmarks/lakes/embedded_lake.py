"""What only the embedded lake has: no server, so it is held against the disk itself."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN
from lakes.every_lake import content_of, path_of, write_bare
from lakes.figures import Figures, seconds


def measure(folder: Path, small_files: int, grown_files: int, gigabytes: float, figures: Figures) -> None:
    """Measure opening, what a stage pays, many small files, growth, and a large file moved in."""
    figures.begin("the embedded lake, against the disk")
    bench_opening(folder, figures)
    bench_stage_commit(folder, figures)
    bench_small_files(folder, small_files, figures)
    bench_growth(folder, grown_files, figures)
    bench_large_file(folder, gigabytes, figures)


def bench_small_files(folder: Path, files: int, figures: Figures) -> None:
    """Many files of 4 KB, put one by one and committed."""
    counts = range(files)
    baseline = seconds(lambda: write_bare(folder / "bare-many", counts))
    lake = EmbeddedLake(folder / "small")
    contents = [content_of(count) for count in counts]

    def put_all() -> None:
        for count, data in enumerate(contents):
            lake.put(MAIN, path_of(count), data)

    lake.resolve(MAIN)
    cpu = time.process_time()
    put = seconds(put_all)
    cpu = time.process_time() - cpu
    commit = seconds(lambda: lake.commit(MAIN, "many files"))
    figures.tell(f"{files:,} x 4 KB: put", put, "s", note=f"{cpu:.2f} s of CPU")
    figures.tell(f"{files:,} x 4 KB: commit, synced to disk", commit, "s")
    limit = 3 * files / 10_000
    figures.tell(f"{files:,} x 4 KB: put and commit", put + commit, "s", limit)
    figures.tell("  as a multiple of hashing and writing bare files", (put + commit) / baseline, "x")
    lake.close()


def bench_large_file(folder: Path, gigabytes: float, figures: Figures) -> None:
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
    figures.tell(f"{gigabytes:g} GB moved in", put, "s", note=f"{gigabytes / put:.2f} GB/s")
    figures.tell("  as a multiple of bare sha256", put / baseline, "x", limit=1.15)
    figures.tell("  commit", 1000 * seconds(lambda: lake.commit(MAIN, "large")), "ms")
    figures.tell(
        "  local_path, known to be good", 1000 * seconds(lambda: lake.local_path(MAIN, "large.bin")), "ms"
    )
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


def bench_growth(folder: Path, grown_files: int, figures: Figures) -> None:
    """The same ten changes among 1,000 files and among many, with cold caches."""
    medians: dict[int, dict[str, float]] = {}
    lakes = {files: make_tree(folder, files) for files in (1_000, grown_files)}
    for files, lake in lakes.items():
        turns = [work_on(lake, turn) for turn in range(7)]
        medians[files] = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        lake.close()
    for key, small in medians[1_000].items():
        large = medians[grown_files][key]
        figures.tell(f"{key}, 10 changes among 1,000 files", small, "ms")
        # Many times the files; a level more in the tree is the growth that is allowed.
        figures.tell(f"{key}, 10 changes among {grown_files:,} files", large, "ms")
        figures.tell(f"  {key}: growth", large / small, "x", limit=3)


def bench_stage_commit(folder: Path, figures: Figures) -> None:
    """What a pipeline does at the end of each stage: one output put and committed."""
    lake = EmbeddedLake(folder / "stage")
    lake.create_branch("run", MAIN)
    puts, commits = [], []
    for count in range(40):
        data = os.urandom(20_000)
        puts.append(seconds(partial(lake.put, "run", f"out/{count}", data)))
        commits.append(seconds(partial(lake.commit, "run", f"stage {count}")))
    file = folder / "fsync"

    def sync_one() -> None:
        with file.open("wb") as target:
            target.write(b"1" * 20_000)
            os.fsync(target.fileno())

    baseline = statistics.median(seconds(sync_one) for _ in range(40))
    figures.tell("one output of 20 KB: put", 1000 * statistics.median(puts), "ms")
    figures.tell("one output of 20 KB: commit, synced to disk", 1000 * statistics.median(commits), "ms")
    figures.tell("  as a multiple of one fsync", statistics.median(commits) / baseline, "x")
    lake.close()


def bench_opening(folder: Path, figures: Figures) -> None:
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
    pairs = [(start("pass"), start(light), start(use)) for _ in range(10)]
    # The smallest of each: what other work on the machine adds says nothing about the lake.
    bare, standard, used = (1000 * min(times) for times in zip(*pairs, strict=True))
    figures.tell("import, open, resolve, stat (beyond bare Python)", used - bare, "ms")
    figures.tell("  of which beyond the standard library's modules", used - standard, "ms", limit=30)

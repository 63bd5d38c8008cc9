"""What is measured of every lake, by the same code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time

from headrace.core.ports import MAIN, LakeStore
from lakes.bare_http import BareServer
from lakes.figures import Figures, seconds
from lakes.targets import Target

CHANGES = 10
GROWTH_LIMIT = 3.0
CONCURRENCY_LIMIT = 0.5
MEMORY_LIMIT_MEGABYTES = 100.0


Timings = dict[str, tuple[float, float]]
"""Milliseconds by the clock, and of this process's CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    few: int = 1_000
    many: int = 10_000
    turns: int = 9
    large_bytes: int = 1_000_000_000


def measure(target: Target, folder: Path, sizes: Sizes, figures: Figures) -> None:
    """Measure one lake that is empty."""
    figures.begin(target.name)
    lake = target.open()
    lake.resolve(MAIN)
    for branch in ("few", "many"):
        lake.create_branch(branch, MAIN)
    _measure_one_file(lake, figures)
    baseline = _bare_small_files(target, folder, sizes.few)
    _measure_small_files(lake, folder, sizes, baseline, figures)
    _measure_growth(target, lake, sizes, figures)
    _measure_large_file(target, folder, sizes.large_bytes, figures)


def measure_concurrency(target: Target, folder: Path, count: int, figures: Figures) -> None:
    """Put many small files on a server that is some way off, where waiting is what takes the time."""
    lake = target.open()
    lake.resolve(MAIN)
    files = write_files(folder / "far", range(count))

    def put_each() -> None:
        for path, file in files.items():
            lake.put(MAIN, path, file)

    each = seconds(put_each)
    lake.reset(MAIN)
    together = seconds(lambda: lake.put_many(MAIN, files))
    figures.tell(f"{count:,} files of 4 KB: put one by one", each, "s")
    figures.tell(f"{count:,} files of 4 KB: put_many", together, "s")
    figures.tell("  as a share of one by one", together / each, "x", limit=CONCURRENCY_LIMIT)


def content_of(count: int) -> bytes:
    """Return 4 KB that no other count has."""
    return hashlib.sha256(b"%d" % count).digest() * 128


def path_of(count: int) -> str:
    """Return a path in a folder of ten."""
    return f"data/{count // 10:05d}/{count:06d}"


def write_files(folder: Path, counts: range) -> dict[str, Path]:
    folder.mkdir()
    files = {path_of(count): folder / str(count) for count in counts}
    for count, file in zip(counts, files.values(), strict=True):
        file.write_bytes(content_of(count))
    return files


def write_bare(folder: Path, counts: range) -> None:
    """Hash, write and rename files, as any store of files by their digest must."""
    folder.mkdir()
    for count in counts:
        data = content_of(count)
        name = hashlib.sha256(data).hexdigest()
        (folder / f"{count}.tmp").write_bytes(data)
        os.replace(folder / f"{count}.tmp", folder / name)
    os.sync()


def _bare_small_files(target: Target, folder: Path, few: int) -> float:
    counts = range(1_000_000, 1_000_000 + few)
    if not target.is_server:
        return seconds(lambda: write_bare(folder / "bare", counts))
    server = BareServer(target)

    def send() -> None:
        for count in counts:
            server.put(path_of(count), content_of(count))

    return seconds(send)


def _measure_one_file(lake: LakeStore, figures: Figures) -> None:
    turns = range(20)
    lake.create_branch("one", MAIN)
    puts = [seconds(partial(lake.put, "one", f"one/{turn}", content_of(-turn))) for turn in turns]
    commits = []
    for turn in turns:
        lake.put("one", "one/more", b"%d" % turn)
        commits.append(seconds(lambda: lake.commit("one", "one file")))
    figures.tell("1 file of 4 KB: put", 1000 * statistics.median(puts), "ms")
    figures.tell("1 file of 4 KB: commit", 1000 * statistics.median(commits), "ms")


def _measure_small_files(
    lake: LakeStore, folder: Path, sizes: Sizes, baseline: float, figures: Figures
) -> None:
    few, many = sizes.few, sizes.many

    def put_each(branch: str, counts: range) -> None:
        for count in counts:
            lake.put(branch, path_of(count), content_of(count))

    each = seconds(lambda: put_each("few", range(few)))
    figures.tell(f"{few:,} files: put one by one", each, "s")
    figures.tell("  as a multiple of the bare baseline", each / baseline, "x")
    figures.tell(f"{few:,} files: commit", 1000 * seconds(lambda: lake.commit("few", "few files")), "ms")
    files = write_files(folder / "together", range(2_000_000, 2_000_000 + few))
    lake.create_branch("together", MAIN)
    together = seconds(lambda: lake.put_many("together", files))
    figures.tell(f"{few:,} files: put_many", together, "s")
    figures.tell("  one by one, as a multiple of that", each / together, "x")
    files = write_files(folder / "many", range(3_000_000, 3_000_000 + many))
    files = dict(zip(map(path_of, range(many)), files.values(), strict=True))
    figures.tell(f"{many:,} files: put_many", seconds(lambda: lake.put_many("many", files)), "s")
    figures.tell(f"{many:,} files: commit", 1000 * seconds(lambda: lake.commit("many", "many files")), "ms")
    whole = seconds(lambda: sum(1 for _ in lake.list("many")))
    figures.tell(f"{many:,} files: list all", 1000 * whole, "ms")


def _measure_growth(target: Target, lake: LakeStore, sizes: Sizes, figures: Figures) -> None:
    """Ten changes among few files and among many: what a run does must not grow with the lake."""
    found: dict[str, Timings] = {}
    for branch, total in (("few", sizes.few), ("many", sizes.many)):
        turns = [_change_some(lake, branch, total, turn) for turn in range(sizes.turns)]
        found[branch] = {key: _median([turn[key] for turn in turns]) for key in turns[0]}
    for key, (small, small_own) in found["few"].items():
        large, large_own = found["many"][key]
        note = f"{small:.2f} among {sizes.few:,}"
        figures.tell(f"{key}, among {sizes.many:,} files", large, "ms", note=note)
        if target.is_stand_in:
            # How the stand-in grows says nothing of lakeFS; how the adapter does shows in this process's CPU.
            note = f"{small_own:.2f} to {large_own:.2f} ms of CPU here; all of it {large / small:.2f} x"
            figures.tell(f"  {key}: growth", large_own / small_own, "x", GROWTH_LIMIT, note)
        else:
            figures.tell(f"  {key}: growth", large / small, "x", GROWTH_LIMIT)


def _median(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def _change_some(lake: LakeStore, base: str, total: int, turn: int) -> Timings:
    """Branch, change ten files, commit, compare, merge, look."""
    work = f"{base}-{turn}"
    found: Timings = {}

    def time(key: str, action: Callable[[], object]) -> None:
        cpu = process_time()
        wall = seconds(action)
        found[key] = (1000 * wall, 1000 * (process_time() - cpu))

    time("branch", lambda: lake.create_branch(work, base))
    for change in range(CHANGES):
        lake.put(work, path_of(change * (total // CHANGES)), b"%s %d" % (base.encode(), turn))
    time("commit of 10 changes", lambda: lake.commit(work, "ten changes"))
    time("diff of 10 changes", lambda: lake.diff(base, work))
    time("merge of 10 changes", lambda: lake.merge(work, base, "merge"))
    time("log of 20 commits", lambda: lake.log(base, limit=20))
    time("list of a folder of 10", lambda: [*lake.list(base, prefix="data/00012/")])
    return found


def _measure_large_file(target: Target, folder: Path, size: int, figures: Figures) -> None:
    file = folder / "large.bin"
    block = os.urandom(1 << 20)
    with file.open("wb") as out:
        for start in range(0, size, len(block)):
            out.write(block[: size - start])
    os.sync()
    bare = dict(zip(("up", "down"), _bare_large_file(target, folder, file), strict=True))
    if not target.is_server:
        _tell_transfer(_transfer(target, file, "large", {}), bare, size, "", figures)
    else:
        for presigned, how in ((True, ", presigned"), (False, ", through the server")):
            cache = folder / f"cache-large-{presigned}".lower()
            changes = {"presigned": presigned, "cache_dir": str(cache)}
            found = _transfer(target, file, f"large-{presigned}".lower(), changes)
            _tell_transfer(found, bare, size, how, figures)
            shutil.rmtree(cache)
    file.unlink()


def _tell_transfer(
    found: Mapping[str, float], bare: Mapping[str, float], size: int, how: str, figures: Figures
) -> None:
    for way in ("up", "down"):
        note = f"{size / 1e9 / found[way]:.2f} GB/s, {found[way] / bare[way]:.2f} x bare"
        if found[way] < 0.01:
            note = "nothing is copied"
        figures.tell(f"{size / 1e9:g} GB {way}{how}", found[way], "s", note=note)
    more = f"{found['peak'] - found['before']:.0f} more than before"
    figures.tell(f"  memory at most{how}", found["peak"], "MB", limit=MEMORY_LIMIT_MEGABYTES, note=more)


def _bare_large_file(target: Target, folder: Path, file: Path) -> tuple[float, float]:
    """Time the bare baseline both ways: plain requests for a server, else hashing a copy and a read."""
    there = folder / "large.copy"
    if target.is_server:
        server = BareServer(target)
        up = seconds(lambda: server.put("bare/large.bin", file))
        down = seconds(lambda: server.get("bare/large.bin", there))
    else:

        def copy() -> None:
            digest = hashlib.sha256()
            with file.open("rb") as source, there.open("wb") as copy:
                while block := source.read(1 << 20):
                    digest.update(block)
                    copy.write(block)
                os.fsync(copy.fileno())

        def read() -> None:
            with there.open("rb") as source:
                hashlib.file_digest(source, "sha256")

        up, down = seconds(copy), seconds(read)
    there.unlink()
    return up, down


def _transfer(target: Target, file: Path, branch: str, changes: Mapping[str, object]) -> dict[str, float]:
    arguments = json.dumps({**target.arguments, **changes})
    command = [sys.executable, "-m", "lakes.transfer", str(file), branch, arguments]
    env = {**os.environ, **target.keys, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found

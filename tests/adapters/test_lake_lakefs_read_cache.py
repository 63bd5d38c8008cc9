"""The read cache of the lakeFS adapter: bounded, verified, and never in the way of who reads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.adapters.lake_lakefs.read_cache import ReadCache

KILOBYTE = 1000

TAKE = """
import sys
from pathlib import Path
from headrace.adapters.lake_lakefs.read_cache import ReadCache
cache = ReadCache(Path(sys.argv[1]), int(sys.argv[2]))
for word in sys.argv[3:]:
    digest, size = word.rsplit("/", 1)
    assert cache.find(digest, int(size)), digest
print("ready", flush=True)
sys.stdin.read()
"""


def keep(cache: ReadCache, data: bytes) -> tuple[str, Path]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with cache.receive() as file:
        file.write(data)
        return digest, cache.keep(file, digest)


def fill(cache: ReadCache, count: int, first: int = 0) -> list[tuple[str, Path]]:
    return [keep(cache, b"%04d" % number + b"x" * (KILOBYTE - 4)) for number in range(first, first + count)]


def fill_elsewhere(folder: Path, bound: int, count: int) -> None:
    """Fill a cache in a process that has ended when this returns."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; "
        "from test_lake_lakefs_read_cache import fill, ReadCache; "
        f"fill(ReadCache(Path(sys.argv[1]), {bound}), {count})"
    )
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", code, str(folder), here], check=True, env=_environment())


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """A kept file is found by digest and size, read-only."""
    cache = ReadCache(tmp_path, 1_000_000)
    digest, path = keep(cache, b"water")
    assert cache.find(digest, 5) == path
    assert path.read_bytes() == b"water"
    assert path.stat().st_mode & 0o777 == 0o444
    assert cache.find(f"sha256:{'0' * 64}", 5) is None


def test_a_file_that_was_changed_is_no_hit(tmp_path: Path) -> None:
    """Whoever writes into the cache has thrown that file away, even with the same size."""
    cache = ReadCache(tmp_path, 1_000_000)
    digest, path = keep(cache, b"water")
    path.chmod(0o600)
    path.write_bytes(b"WATER")
    assert cache.find(digest, 5) is None
    assert not path.exists()


def test_what_was_not_kept_is_removed(tmp_path: Path) -> None:
    """A transfer that fails leaves no file behind."""
    cache = ReadCache(tmp_path, 1_000_000)

    def fail() -> None:
        with cache.receive() as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_file_that_is_given_away_is_adopted(tmp_path: Path) -> None:
    """A file is moved in without a copy; one with another name is only removed."""
    cache = ReadCache(tmp_path / "cache", 1_000_000)
    given, linked = tmp_path / "given", tmp_path / "linked"
    given.write_bytes(b"water")
    inode = given.stat().st_ino
    digest = f"sha256:{hashlib.sha256(b'water').hexdigest()}"
    cache.adopt(given, digest)
    found = cache.find(digest, 5)
    assert found is not None
    assert (found.stat().st_ino, given.exists()) == (inode, False)
    linked.write_bytes(b"stone")
    (tmp_path / "mine").hardlink_to(linked)
    cache.adopt(linked, "sha256:other")
    assert not linked.exists()
    assert (tmp_path / "mine").stat().st_mode & 0o200
    assert cache.find("sha256:other", 5) is None


def test_the_bound_holds_for_what_nobody_uses(tmp_path: Path) -> None:
    """Files of finished processes go, the least recently used first, until the rest fits."""
    bound = 10 * KILOBYTE
    fill_elsewhere(tmp_path, bound, 10)
    old = sorted((tmp_path / "objects").rglob("sha256-*"), key=lambda path: path.stat().st_atime_ns)
    assert len(old) == 10
    cache = ReadCache(tmp_path, bound)
    fill(cache, 2, first=10)
    left = set((tmp_path / "objects").rglob("sha256-*"))
    assert sum(path.stat().st_size for path in left) <= bound
    assert old[0] not in left
    assert old[-1] in left


def test_what_this_process_was_given_stays(tmp_path: Path) -> None:
    """Beyond the bound, nothing that was handed out disappears while its reader lives."""
    cache = ReadCache(tmp_path, 3 * KILOBYTE)
    given = [path for _, path in fill(cache, 12)]
    assert all(path.exists() for path in given)


def test_what_another_process_was_given_stays(tmp_path: Path) -> None:
    """A sweep spares what a living process holds, and takes it when that process was killed."""
    bound = 3 * KILOBYTE
    fill_elsewhere(tmp_path, bound, 1)
    (path,) = (tmp_path / "objects").rglob("sha256-*")
    digest = path.name.replace("-", ":")
    reader = subprocess.Popen(
        [sys.executable, "-c", TAKE, str(tmp_path), str(bound), f"{digest}/{KILOBYTE}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"ready\n"
    fill(ReadCache(tmp_path, bound), 5, first=10)
    assert path.exists()
    reader.kill()
    reader.communicate()
    fill(ReadCache(tmp_path, bound), 5, first=20)
    assert not path.exists()


def test_many_threads_share_a_cache(tmp_path: Path) -> None:
    """Threads that keep and find at once lose nothing."""
    cache = ReadCache(tmp_path, 20 * KILOBYTE)
    lost: list[str] = []

    def work(number: int) -> None:
        for digest, _ in fill(cache, 20, first=number * 20):
            if cache.find(digest, KILOBYTE) is None:
                lost.append(digest)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}

"""The stage cache of files, alone and together with Prefect."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headrace.adapters.cache_files import FileStageCache, cache_folder

KEY = "ab" * 32
RECORD = {"outputs": {"features": {"digest": "sha256:00", "bytes": 12}}, "seconds": 0.25, "who": "Zoë"}


@pytest.fixture
def cache(tmp_path: Path) -> FileStageCache:
    return FileStageCache(tmp_path / "results")


def test_each_lake_has_a_folder(tmp_path: Path) -> None:
    """The lake inside the project's own folder has the plain name, each other one a name of its own."""
    here, there = f"embedded:{tmp_path}/lake", f"embedded:{tmp_path}/lake2"
    folders = [cache_folder(tmp_path, lake) for lake in (here, there, "lakefs:https://h/api/v1/demo")]
    assert folders[0] == tmp_path / "cache" / "stages"
    assert len(set(folders)) == 3
    assert cache_folder(tmp_path, there) == folders[1]


def test_what_is_put_is_got(cache: FileStageCache) -> None:
    """A record comes back as it was, and a second one replaces it."""
    assert cache.get(KEY) is None
    cache.put(KEY, RECORD)
    assert cache.get(KEY) == RECORD
    cache.put(KEY, {})
    assert cache.get(KEY) == {}


def test_forget_drops_a_record_and_minds_no_absence(cache: FileStageCache) -> None:
    """A forgotten key is absent, however often it is forgotten."""
    cache.put(KEY, RECORD)
    cache.forget(KEY)
    cache.forget(KEY)
    assert cache.get(KEY) is None


def test_damage_counts_as_absence(cache: FileStageCache) -> None:
    """A record cut at any byte, or replaced by other JSON, is a miss and never an error."""
    cache.put(KEY, RECORD)
    path = cache.root / KEY
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.get(KEY) is None, length
    for other in (b"[]", b"null", b'{"result": 3}', b'{"result": "[1]"}', b"\xff\xfe", b"[" * 100_000):
        path.write_bytes(other)
        assert cache.get(KEY) is None, other[:20]


@pytest.mark.parametrize("key", ["", "ab", KEY.upper(), "../" + KEY[3:], KEY + "\n"])
def test_only_digests_are_keys(cache: FileStageCache, key: str) -> None:
    """Anything that is not 64 hexadecimal digits is refused, so no key can leave the folder."""
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.get(key)


def test_what_json_cannot_say_is_refused(cache: FileStageCache) -> None:
    """A record with NaN or an object raises, and leaves nothing behind."""
    with pytest.raises(ValueError, match="Out of range"):
        cache.put(KEY, {"loss": float("nan")})
    with pytest.raises(TypeError):
        cache.put(KEY, {"path": Path()})
    assert cache.get(KEY) is None


def test_prefect_reads_what_we_put(cache: FileStageCache) -> None:
    """Prefect's own result store finds and reads a record that this cache wrote."""
    from prefect.filesystems import LocalFileSystem
    from prefect.results import ResultStore

    cache.put(KEY, RECORD)
    store = ResultStore(result_storage=LocalFileSystem(basepath=str(cache.root)))
    assert store.exists(KEY)
    assert store.read(KEY).result == RECORD


def test_we_read_what_prefect_writes(cache: FileStageCache) -> None:
    """This cache reads a record that Prefect's result store wrote with its JSON serializer."""
    from prefect.filesystems import LocalFileSystem
    from prefect.results import ResultStore
    from prefect.serializers import JSONSerializer

    store = ResultStore(result_storage=LocalFileSystem(basepath=str(cache.root)), serializer=JSONSerializer())
    store.write(RECORD, key=KEY)
    assert cache.get(KEY) == RECORD


def test_half_a_record_is_a_miss_for_prefect_too(cache: FileStageCache) -> None:
    """A record cut short, as a killed writer leaves it, is no hit for Prefect and no error."""
    from prefect.filesystems import LocalFileSystem
    from prefect.results import ResultStore

    cache.put(KEY, RECORD)
    path = cache.root / KEY
    path.write_bytes(path.read_bytes()[:-9])
    store = ResultStore(result_storage=LocalFileSystem(basepath=str(cache.root)))
    assert not store.exists(KEY)


def test_one_thread_at_a_time_holds_a_key(cache: FileStageCache) -> None:
    """Eight threads that add to a number under the lock lose no step."""
    counter = cache.root.parent / "counter"
    counter.write_text("0")

    def add() -> None:
        for _ in range(25):
            with cache.lock(KEY):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "200"
    assert list((cache.root / "locks").iterdir()) == []


HOLDER = """
import os, sys
from pathlib import Path
from headrace.adapters.cache_files import FileStageCache
with FileStageCache(Path(sys.argv[1])).lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_holder_frees_the_key(cache: FileStageCache) -> None:
    """The lock of a process that is killed goes with it: the next one gets the key."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(cache.root), KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    got = threading.Event()

    def take() -> None:
        with cache.lock(KEY):
            got.set()

    waiter = threading.Thread(target=take)
    waiter.start()
    assert not got.wait(0.2)
    holder.kill()
    holder.communicate()
    waiter.join(10)
    assert got.is_set()


def test_different_keys_do_not_wait_for_each_other(cache: FileStageCache) -> None:
    """Two keys can be held at once by one thread."""
    with cache.lock(KEY), cache.lock("cd" * 32):
        pass

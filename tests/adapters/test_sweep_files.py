"""Sweep records on disk, and who holds a sweep."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from headrace.adapters.sweep_files import SweepFiles, SweepRuns
from headrace.core.record import UnreadableRecord
from headrace.core.sweep import SweepRecord, TrialRecord

ID = "20260101-000000-aaaaaaa"
LATER = "20260102-000000-bbbbbbb"

HOLD = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from headrace.adapters.sweep_files import SweepFiles\n"
    "with SweepFiles(Path(sys.argv[1])).hold(sys.argv[2]):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


def record(sweep_id: str = ID, trials: int = 0) -> SweepRecord:
    return SweepRecord(
        id=sweep_id, experiment="toy", flow="train", command="c", overrides=[], state="running",
        started="2026-01-01T00:00:00+00:00", seconds=1.0, objective={},
        trials=[TrialRecord(number=n, overrides=["a=1"], params={"a": "1"}) for n in range(trials)],
    )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> SweepFiles:
    return SweepFiles(tmp_path / "sweeps")


def hold_elsewhere(files: SweepFiles) -> subprocess.Popen[str]:
    """Hold the sweep in a process of its own, which has it when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(files.root), ID],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_what_is_written_is_read(files: SweepFiles) -> None:
    """The record comes back, and nothing lies beside it."""
    files.write(record(trials=2))
    assert files.read(ID) == record(trials=2)
    assert [file.name for file in files.folder(ID).iterdir()] == ["sweep.json"]


def test_a_reader_sees_the_old_record_or_the_new_one(files: SweepFiles) -> None:
    """While one thread writes records of two sizes, each that is read is whole."""
    small, large = record(), record(trials=300)
    files.write(small)
    over = Event()

    def write() -> None:
        for _ in range(40):
            files.write(large)
            files.write(small)
        over.set()

    writer = Thread(target=write)
    writer.start()
    seen = 0
    while not over.is_set():
        assert files.read(ID) in (small, large)
        seen += 1
    writer.join()
    assert seen


def test_a_write_that_fails_leaves_the_old_record(files: SweepFiles) -> None:
    """What cannot be encoded never reaches the file."""
    files.write(record())
    broken = record(trials=1)
    broken.trials[0].params = {1j: "a key that JSON does not have"}  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        files.write(broken)
    assert files.read(ID) == record()


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000, '{"format": 99}', "\x00", '{"format": 1}'])
def test_what_is_no_record(files: SweepFiles, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Read by id it is `UnreadableRecord`, which names the file; a list tells it and goes on."""
    files.write(record(LATER))
    files.file(ID).parent.mkdir()
    files.file(ID).write_text(text)
    with pytest.raises(UnreadableRecord, match=rf"{ID}/sweep\.json"):
        files.read(ID)
    with caplog.at_level(logging.WARNING):
        assert [found.id for found in files.newest_first()] == [LATER]
    assert ID in caplog.text


def test_a_record_in_the_folder_of_another_sweep(files: SweepFiles) -> None:
    """A copied folder is not a second sweep that would write into the first."""
    files.write(record())
    shutil.copytree(files.folder(ID), files.folder(LATER))
    with pytest.raises(UnreadableRecord, match="in the folder of another"):
        files.read(LATER)


def test_ids_are_the_newest_first(files: SweepFiles) -> None:
    """What holds no record is no sweep, and no folder at all has none."""
    assert files.ids() == []
    for sweep_id in (ID, LATER):
        files.write(record(sweep_id))
    (files.root / "20990101-000000-ccccccc").mkdir()
    assert files.ids() == [LATER, ID]


def test_a_file_of_the_project_hides_that_of_the_package(files: SweepFiles, tmp_path: Path) -> None:
    """Earlier folders go before later ones, file by file, as in Hydra's search path."""
    for folder, names in (("project", ("model/a.yaml",)), ("package", ("model/a.yaml", "model/b.yaml"))):
        for name in names:
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(folder)
    files.freeze(ID, [tmp_path / "project", tmp_path / "package"])
    frozen = files.conf(ID)
    assert (frozen / "model" / "a.yaml").read_text() == "project"
    assert (frozen / "model" / "b.yaml").read_text() == "package"
    (tmp_path / "project" / "model" / "a.yaml").write_text("changed meanwhile")
    assert (frozen / "model" / "a.yaml").read_text() == "project"


def test_a_sweep_is_held_by_one_process(files: SweepFiles) -> None:
    """A second one gets `SweepRuns`; when the first lets go, it may."""
    files.write(record())
    process = hold_elsewhere(files)
    assert files.is_running(ID)
    with pytest.raises(SweepRuns, match=ID), files.hold(ID):
        pass
    process.communicate("")
    assert process.returncode == 0
    assert not files.is_running(ID)
    with files.hold(ID):
        assert files.is_running(ID)


def test_a_kill_lets_go(files: SweepFiles) -> None:
    """After SIGKILL nobody holds the sweep, although its record says that it runs."""
    files.write(record())
    process = hold_elsewhere(files)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert files.read(ID).state == "running"
    assert not files.is_running(ID)
    with files.hold(ID):
        pass


def test_asking_leaves_no_trace(files: SweepFiles) -> None:
    """Whoever looks writes nothing, and keeps nobody from holding the sweep."""
    files.write(record())
    assert not files.is_running(ID)
    assert not files.is_running("20990101-000000-ccccccc")
    assert [file.name for file in files.folder(ID).iterdir()] == ["sweep.json"]
    over = Event()

    def look() -> None:
        while not over.is_set():
            files.is_running(ID)

    looking = Thread(target=look)
    looking.start()
    try:
        for _ in range(50):
            with files.hold(ID):
                pass
    finally:
        over.set()
        looking.join()


def test_a_record_is_json_that_others_can_read(files: SweepFiles) -> None:
    """Format and jobs stand in the file under their names."""
    files.write(record(trials=1))
    data = json.loads(files.file(ID).read_text())
    assert (data["format"], data["trials"][0]["params"]) == (1, {"a": "1"})

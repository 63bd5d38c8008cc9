"""What a service tells of itself counts for as long as that very process runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from headrace.serving.status import SERVICE, live_services, open_service, tell_worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = open_service(tmp_path, "8000-a", "http://127.0.0.1:8000", ["birds@production"])
    tell_worker(made, {"birds": {"stable": 1}})
    return made


def change(file: Path, **about: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | about))


def test_a_service_of_this_process_is_there_with_its_worker(tmp_path: Path, folder: Path) -> None:
    """It is told as it told itself."""
    (found,) = live_services(tmp_path)
    assert found.about["url"] == "http://127.0.0.1:8000"
    assert [worker["models"] for worker in found.workers] == [{"birds": {"stable": 1}}]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nothing tells when a process began")
def test_another_process_with_the_same_number_is_no_service(tmp_path: Path, folder: Path) -> None:
    """A number is given again, after a restart of a container to the first process that comes."""
    change(folder / f"worker-{os.getpid()}.json", born=1)
    (found,) = live_services(tmp_path)
    assert found.workers == ()
    change(folder / SERVICE, born=1)
    assert list(live_services(tmp_path)) == []
    assert not folder.exists()


def test_a_service_of_another_host_is_left_alone_until_it_is_silent(tmp_path: Path, folder: Path) -> None:
    """Containers may share the folder and know nothing of each other's processes."""
    change(folder / SERVICE, host="another", pid=2**22 + 1)
    assert list(live_services(tmp_path)) == []
    assert folder.exists()
    for file in (*folder.iterdir(), folder):
        os.utime(file, (0, 0))
    assert list(live_services(tmp_path)) == []
    assert not folder.exists()

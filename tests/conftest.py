"""What every test gets: no account, no network, nothing of the developer's own set-up."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Libraries read these when they are imported, so they are set before any test module is.
_HOME = Path(tempfile.mkdtemp(prefix="headrace-tests-"))
_FOREIGN = ("HEADRACE_", "LAKECTL_", "PREFECT_", "WANDB_", "HYDRA_")
for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    if not _name.startswith("HEADRACE_TEST_"):
        del os.environ[_name]
os.environ.update(
    DO_NOT_TRACK="1",
    # Tests run side by side, and threads of OpenMP that wait for a core take one from somebody else.
    OMP_NUM_THREADS="1",
    HOME=str(_HOME),
    PREFECT_HOME=str(_HOME / "prefect"),
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    WANDB_CACHE_DIR=str(_HOME / "wandb" / "cache"),
    WANDB_CONFIG_DIR=str(_HOME / "wandb" / "config"),
    WANDB_DATA_DIR=str(_HOME / "wandb" / "data"),
    WANDB_ERROR_REPORTING="false",
    WANDB_MODE="offline",
    WANDB_SILENT="true",
    XDG_CACHE_HOME=str(_HOME / "cache"),
    XDG_CONFIG_HOME=str(_HOME / "config"),
)

# A suite that was started in the background inherits that Ctrl-C is ignored, and so would all it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline measures a busy machine, not the code.
settings.register_profile("headrace", deadline=None, print_blob=True)
settings.load_profile("headrace")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, and the current one: what a run writes lands there and nowhere else."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def pytest_sessionfinish() -> None:
    """Remove this worker's home; what a test left running there is that test's fault."""
    shutil.rmtree(_HOME, ignore_errors=True)

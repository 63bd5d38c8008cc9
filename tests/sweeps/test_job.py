"""What a worker does for one job, here and on another machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.tracker_wandb import recorder
from headrace.sweeps import away
from headrace.sweeps.away import ProjectNotThere, is_editable, run_job_away
from headrace.sweeps.job import run_sweep_job, warm_up
from headrace.sweeps.lake_place import lake_place

from .lab import Lab, lab

__all__ = ["lab"]

TELLS = """
import json
from hydra.core.hydra_config import HydraConfig
hydra = HydraConfig.get()
print("from Python")
os.system("echo from a child")
Path(f"told-{C}.json").write_text(json.dumps({
    "num": hydra.job.num,
    "id": hydra.job.id,
    "dirname": hydra.job.override_dirname,
    "task": list(hydra.overrides.task),
    "output_dir": hydra.runtime.output_dir,
    "pid": os.getpid(),
}))
"""


def test_a_job_knows_which_one_it_is(lab: Lab) -> None:
    """Hydra's config is the job's own, as under Hydra's launchers; what it prints is in its log."""
    lab.write(TELLS)
    told = lab.sweep("model.C=1,2", "seed=3", "hydra.launcher.n_jobs=1")
    assert told.code == 0, told.err
    assert "from" not in told.out
    record = lab.record
    found = [json.loads((lab.folder / f"told-{C}.json").read_text()) for C in (1, 2)]
    assert found[0]["pid"] == found[1]["pid"]
    for number, one in enumerate(found):
        folder = lab.files.job(record.id, number)
        assert one["num"] == number
        assert one["id"] == f"{record.id}_{number}"
        assert one["dirname"] == f"model.C={number + 1}"
        assert one["task"] == ["+experiment=lab", f"model.C={number + 1}", "seed=3", "++publish=False"]
        assert one["output_dir"] == str(folder)
        log = (folder / "job.log").read_text()
        assert "from Python" in log
        assert "from a child" in log
        run = json.loads(
            (lab.folder / ".headrace" / "runs" / str(record.trials[number].run) / "run.json").read_bytes()
        )
        assert run["sweep"] == {"id": record.id, "trial": number, "overrides": {"model.C": str(number + 1)}}


def payload(lab: Lab, *words: str) -> dict[str, Any]:
    lake = lake_place(EmbeddedLake(lab.folder / ".headrace" / "lake"))
    return {
        "flow": "train", "overrides": ["+experiment=lab", "++publish=False", *words], "params": {},
        "sweep": "20260101-000000-aaaaaaa", "trial": 0, "flow_run": None, "conf": str(lab.folder / "conf"),
        "folder": str(lab.folder / "job"), "cwd": str(lab.folder), "reports": None, "lake": lake,
    }  # fmt: skip


def test_a_config_error_fails_the_job(lab: Lab) -> None:
    """The worker lives on: the result says what is wrong, and is small JSON."""
    result = json.loads(json.dumps(run_sweep_job(payload(lab, "model.no_such=1"))))
    assert result["state"] == "failed"
    assert "model.no_such" in result["error"]
    assert result["seconds"] >= 0


@pytest.mark.parametrize("key", ["cwd", "conf"])
def test_a_machine_without_the_project_is_named(lab: Lab, key: str) -> None:
    """A worker elsewhere that does not see a folder says which, before anything runs."""
    gone = str(lab.folder / "elsewhere")
    with pytest.raises(ProjectNotThere, match="elsewhere"):
        run_job_away({**payload(lab), key: gone}, None)


@pytest.mark.parametrize(
    ("name", "file", "editable"),
    [
        ("lab_stages", "/home/me/project/lab_stages.py", True),
        ("shop.models", "/home/me/project/src/shop/models.py", True),
        ("headrace.run", "/home/me/headrace/src/headrace/run.py", False),
        ("flows.train", "/home/me/headrace/flows/train.py", False),
        ("numpy", "/opt/venv/lib/python3.11/site-packages/numpy/__init__.py", False),
        ("apt", "/usr/lib/python3/dist-packages/apt/__init__.py", False),
        ("json", json.__file__, False),
        ("_speedups", "/home/me/project/_speedups.so", False),
        ("sys", None, False),
    ],
)
def test_which_modules_somebody_may_be_working_on(name: str, file: str | None, editable: bool) -> None:
    """The project's own are imported anew by the next sweep on a worker that is kept; no others are."""
    module = ModuleType(name)
    module.__file__ = file
    assert is_editable(module) is editable


@pytest.fixture
def own_modules() -> Iterator[None]:
    """Give back what a worker forgets, and let it forget its sweep."""
    known = dict(sys.modules)
    away._sweeps.clear()
    yield
    away._sweeps.clear()
    sys.modules.update(known)


@pytest.mark.usefixtures("own_modules")
def test_a_later_sweep_imports_edited_code(lab: Lab) -> None:
    """A worker that is kept runs the code of its sweep, not of the one before."""
    lab.write("note('first')")
    assert run_job_away(payload(lab), None)["state"] == "succeeded"
    lab.write("note('second')")
    assert run_job_away({**payload(lab), "sweep": "20260102-000000-bbbbbbb"}, None)["state"] == "succeeded"
    assert (lab.calls()["first"], lab.calls()["second"]) == (1, 1)


def test_warming_up_leaves_the_job_to_be_done(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process imports the stages and runs none; what is wrong with a job is left for the job to say."""
    monkeypatch.setattr(recorder, "_waiting", None)  # to be restored
    lab.write("note('done')")
    warm_up(payload(lab, "model.no_such=1"))
    warm_up(payload(lab))
    assert lab.calls() == {}
    assert run_sweep_job(payload(lab))["state"] == "succeeded"
    assert lab.calls()["done"] == 1

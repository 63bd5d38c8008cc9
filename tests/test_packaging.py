"""The wheel: what is in it, and that it runs without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
RUN = ["-m", "flows.train", "+experiment=penguins", "runtime=inline", "tracker=none"]


def run(*command: str, cwd: Path) -> str:
    """Run a command as a user's shell would: no Python path, no virtual environment."""
    leaks = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_CONSTRAINT")
    env = {name: value for name, value in os.environ.items() if name not in leaks}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the backend that is installed, so that no network is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), ".", cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a clean environment and return its Python.

    The dependencies are borrowed from this environment: a path named in a .pth file is searched,
    but .pth files inside it are not read, so the editable install of the checkout stays out.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"),
        *("--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)),
        cwd=folder,
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_ships_config_flows_and_plugins(wheel: Path) -> None:
    """Every file of conf/ and every module of src/ and flows/ is in the wheel, and nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {f"headrace/conf/{path.relative_to(ROOT / 'conf')}" for path in ROOT.glob("conf/**/*.yaml")}
    wanted |= {
        str(path.relative_to(ROOT / "src"))
        for path in ROOT.glob("src/**/*")
        if path.is_file() and path.suffix != ".pyc"
    }
    wanted |= {str(path.relative_to(ROOT)) for path in ROOT.glob("flows/**/*.py")}
    assert {"headrace/conf/experiment/penguins.yaml", "flows/train.py"} <= wanted
    assert wanted - shipped == set()
    assert shipped - wanted == set()
    assert "hydra_plugins/__init__.py" not in shipped


def test_the_wheel_runs_an_experiment_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """From an empty folder, code and config come from the wheel, and a run ends well."""
    code = "import flows, headrace; print(*flows.__path__, *headrace.__path__, sep='\\n')"
    origins = [Path(line) for line in run(str(installed), "-c", code, cwd=tmp_path).split()]
    environment = installed.parents[1]
    assert len(origins) == 2
    assert all(path.is_relative_to(environment) for path in origins), origins
    run(str(installed), *RUN, cwd=tmp_path)
    assert len(list(tmp_path.glob(".headrace/runs/*/run.json"))) == 1
    assert not list(environment.glob("**/.headrace"))


def test_the_headrace_command_is_installed(installed: Path, tmp_path: Path) -> None:
    """`headrace` is on the path of the environment and lists its commands."""
    assert "server" in run(str(installed.with_name("headrace")), "--help", cwd=tmp_path)


def test_every_import_is_a_declared_dependency() -> None:
    """What src/ and flows/ import is named in pyproject.toml, so a clean install has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    declared = {canonical(line) for line in lines}
    graph = grimp.build_graph("headrace", "flows", include_external_packages=True, cache_dir=None)
    owners = packages_distributions()
    external = {name for name in graph.modules if graph.is_module_squashed(name)} - sys.stdlib_module_names
    undeclared = {
        name: owners.get(name, ["not installed"])
        for name in external
        if not declared & {canonical(owner) for owner in owners.get(name, [])}
    }
    assert undeclared == {}


def canonical(requirement: str) -> str:
    """Return the bare, normalised name of a requirement such as `pandera[io]>=0.26`."""
    name = requirement
    for mark in "[<>=!~; ":
        name = name.partition(mark)[0]
    return name.lower().replace("_", "-")

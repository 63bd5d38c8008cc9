"""The import layers of the design, and what an import may cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "sklearn",
    "pandas",
    "numpy",
    "prefect",
    "wandb",
    "pandera",
    "pyarrow",
    "polars",
    "optuna",
    "distributed",
    "ray",
    "altair",
    "vl_convert",
    "fairlearn",
)
SERVICES = {
    *("prefect", "wandb", "pandera", "lakefs_client", "sqlalchemy", "skops", "torch", "optuna"),
    *("distributed", "ray"),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("headrace", "flows", include_external_packages=True, cache_dir=None)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_import_linter_keeps_every_contract() -> None:
    """Every contract in pyproject.toml holds."""
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_an_adapter_knows_one_vendor(graph: grimp.ImportGraph) -> None:
    """No adapter imports two of the services that ports exist for."""
    adapters = graph.find_children("headrace.adapters")
    assert adapters
    vendors = {
        module: sorted(graph.find_modules_directly_imported_by(module) & SERVICES) for module in adapters
    }
    assert {module: found for module, found in vendors.items() if len(found) > 1} == {}


# Imported by who has rows to check, and by nothing else: every line of it is about them.
WHERE_THERE_ARE_ROWS = "headrace.adapters.schema_pydantic"


def test_importing_headrace_loads_nothing_heavy() -> None:
    """`import headrace` loads no library that a plan can do without."""
    code = "import sys, headrace; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    done = run(sys.executable, "-c", code, *HEAVY)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


@pytest.mark.parametrize(
    "layer",
    [
        "core",
        "config",
        "stages",
        "adapters",
        "data_import",
        "project",
        "assemble",
        "run",
        "reports",
        "commands",
        "cli",
    ],
)
def test_no_module_of_a_layer_imports_anything_heavy(layer: str, graph: grimp.ImportGraph) -> None:
    """Each module of the layer can be imported without a data, model or tracking library."""
    package = f"headrace.{layer}"
    found = {package} | graph.find_descendants(package)
    modules = sorted(name for name in found if not name.startswith(WHERE_THERE_ARE_ROWS))
    code = (
        "import importlib, sys\n"
        "names, heavy = sys.argv[1].split(','), sys.argv[2].split(',')\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    found = [heavy_name for heavy_name in heavy if heavy_name in sys.modules]\n"
        "    assert not found, f'{name} loads {found}'\n"
    )
    done = run(sys.executable, "-c", code, ",".join(modules), ",".join(HEAVY))
    assert done.returncode == 0, done.stderr

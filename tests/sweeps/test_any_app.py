"""headrace's launcher under Hydra's own suites for launchers."""

from __future__ import annotations

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite
from hydra.version import VersionBase
from packaging.version import Version

from hydra_plugins.headrace_launcher import HeadraceLauncher


@pytest.fixture(autouse=True)
def no_version_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Hydra have the defaults that its suites count on, whatever a test before has asked for."""
    monkeypatch.setattr(VersionBase.instance(), "version_base", Version("1.1"))


def test_the_launcher_is_found() -> None:
    """Hydra discovers the launcher by itself."""
    names = [plugin.__name__ for plugin in Plugins.instance().discover(Launcher)]
    assert HeadraceLauncher.__name__ in names


@pytest.mark.parametrize(("launcher_name", "overrides"), [("headrace", ["hydra.launcher.n_jobs=2"])])
class TestHeadraceLauncher(LauncherTestSuite):
    """The suite that Hydra ships for launchers, on two workers."""


@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", "hydra/launcher=headrace", "hydra.launcher.n_jobs=1"])],
)
class TestHeadraceLauncherIntegration(IntegrationTestSuite):
    """The suite that Hydra ships for apps that are started in a shell."""

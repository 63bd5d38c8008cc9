"""Deploy: an alias of a model names another version, in the lake, in W&B and in running services.

    python -m flows.deploy model=flights run=latest
    python -m flows.deploy model=flights version=3 alias=staging
    python -m flows.deploy model=flights rollback=true
    python -m flows.deploy model=flights version=4 alias=canary share=0.1
    python -m flows.deploy model=flights promote=canary
    python -m flows.deploy model=flights remove=canary

Before production moves, the run's gate is asked again against what production names today; force="why" goes
on against its no. A lake other than the project's is chosen as for a run: lake=lakefs lake.repository=demo.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from headrace import entry
from headrace.adapters.record_files import RunRecords
from headrace.adapters.stat_cache import StatCache
from headrace.assemble import codecs
from headrace.commands.run_names import find_run
from headrace.config.command import compose_command, split_project
from headrace.core.code import CodeIndex
from headrace.core.record import RunRecord
from headrace.core.secrets import redact_overrides
from headrace.deploy.checks import Checks
from headrace.deploy.deployer import Deployer
from headrace.deploy.journal import Deployment, Journal
from headrace.deploy.late import read_lake_record
from headrace.deploy.mirror import mirror_of
from headrace.deploy.services import Services
from headrace.deploy.settings import DeployNode, DeploySettings, load_settings
from headrace.deploy.step import Step, folder_of
from headrace.errors import Problem, RunNotFound
from headrace.project import Project, open_project

_WHOLE_ID = re.compile(r"[0-9]{8}-[0-9]{6}-\w+")
_WIDTH = 8


def parse(words: Sequence[str]) -> tuple[DeploySettings, list[str]]:
    """Return what is asked for, and the words that choose the project's lake. Raises `ConfigError`."""
    own, of_project = split_project(words)
    problems: list[Problem] = []
    cfg = compose_command("deploy", DeployNode, own, problems)
    return load_settings(cfg, problems), of_project


def make_deployer(project: Project, settings: DeploySettings) -> Deployer:
    """Put together what deploys in a project."""

    def find(name: str) -> RunRecord:
        try:
            return find_run(project.root, name)
        except RunNotFound:
            if not _WHOLE_ID.fullmatch(name):
                raise
            return read_lake_record(project.lake, name)  # of another machine

    services = Services(project.root)
    checks = Checks(
        lake=project.lake,
        codecs=codecs(),
        services=services,
        find_run=find,
        index=CodeIndex(StatCache(project.root / "cache" / "files.json").remember),
        scratch=project.root / "scratch",
        tell=tell,
    )
    step = Step(
        lake=project.lake,
        journal=Journal(folder_of(project.root)),
        services=services,
        mirror=mirror_of(project.root, project.lake.identity, settings.wandb_seconds),
        records=RunRecords(project.root / "runs"),
        wait_seconds=settings.wait_seconds,
        tell=tell,
    )
    return Deployer(step=step, checks=checks, find_run=find)


def tell(what: str, text: str) -> None:
    """Print one part of a deployment."""
    first, *rest = text.splitlines()
    print(f"{what:<{_WIDTH}} {first}", flush=True)
    for line in rest:
        print(f"{'':<{_WIDTH}} {line}", flush=True)


def run_deploy(words: Sequence[str]) -> int:
    """Deploy, and say how to undo it."""
    settings, of_project = parse(words)
    project = open_project(of_project)
    project.lake.require()
    done = make_deployer(project, settings).deploy(settings)
    if done is not None:
        print("\nto undo this, type:\n" + undo_command(done, of_project))
    return 0


def undo_command(done: Deployment, of_project: Sequence[str]) -> str:
    """Return the command that takes a deployment back."""
    where = [] if done.alias == "production" else [f"alias={done.alias}"]
    share = [] if done.share_before is None else [f"share={done.share_before:g}"]
    if done.start is None:
        reason = ["force=why it is right"] if done.alias == "production" else []
        what = [f"remove={done.alias}", *reason]
    elif done.to is None or done.why == "rollback" or done.start == done.to:
        what = [f"version={done.start}", *where, *share]
    else:
        what = ["rollback=true", *where, *share]
    words = [f"model={done.model}", *what, *redact_overrides(of_project)]
    return shlex.join(["python", "-m", "flows.deploy", *words])


def main() -> None:
    """Deploy from the shell: 0 when done, 1 where a service refuses, 2 for a wrong word, 3 for a no."""
    entry.run_words("deploy", __doc__, run_deploy)


if __name__ == "__main__":
    main()

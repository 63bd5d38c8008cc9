"""Everything the stand-in remembers, in memory; tests read it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass

from headrace.testing.wandb.artifacts import Artifact, Collection, Manifest, Membership
from headrace.testing.wandb.refusal import not_found
from headrace.testing.wandb.reports import View
from headrace.testing.wandb.runs import Project, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose key it is: a user in one team, which belongs to an organization with its registries."""

    username: str = "stand-in-user"
    email: str = "user@stand-in.invalid"
    team: str = "stand-in-team"
    organization: str = "Stand-in Organization"
    organization_entity: str = "stand-in-org"

    @property
    def entities(self) -> tuple[str, ...]:
        return (self.team, self.username, self.organization_entity)


class Store:
    """The account's projects, with runs, artifacts and reports. Hold `lock` while requests may run.

    The registries `model` and `dataset` are there from the start, as W&B makes them for an organization.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.lock = threading.RLock()
        self.projects: dict[tuple[str, str], Project] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.manifests: dict[str, Manifest] = {}
        self.collections: dict[str, Collection] = {}
        self.views: dict[str, View] = {}
        self.deleted: set[str] = set()  # ids of runs that were deleted, which are never given again
        self._numbers = itertools.count(1)
        for registry in ("model", "dataset"):
            self.make_project(account.organization_entity, f"wandb-registry-{registry}")

    def next_number(self) -> int:
        return next(self._numbers)

    # --- for tests ----------------------------------------------------------------------------

    @property
    def runs(self) -> dict[str, Run]:
        """Every run by its id; two projects with one id show the later one."""
        with self.lock:
            return {run.name: run for project in self.projects.values() for run in project.runs.values()}

    def run(self, name: str) -> Run:
        """Return a run by its id. Raises `KeyError`."""
        return self.runs[name]

    def collection(self, path: str) -> Collection:
        """Return a collection by `entity/project/name`, or `project/name` of the team. Raises `KeyError`."""
        *entity, project, name = path.split("/")
        with self.lock:
            found = self.projects[(entity[0] if entity else self.account.team, project)]
            return found.collections[name]

    def artifact(self, path: str) -> Artifact:
        """Return a version by `[entity/]project/name:alias`. Raises `KeyError`."""
        collection, _, alias = path.partition(":")
        with self.lock:
            version = self.collection(collection).find(alias or "latest")
            if version is None:
                raise KeyError(path)
            return version.artifact

    @property
    def reports(self) -> list[View]:
        with self.lock:
            return list(self.views.values())

    # --- for the parts of the server ----------------------------------------------------------

    def project(self, entity: str | None, name: str | None) -> Project | None:
        return self.projects.get((entity or self.account.team, name or "uncategorized"))

    def make_project(self, entity: str | None, name: str | None) -> Project:
        """Return a project, which a first run or report makes. Raises `Refusal` for another's entity."""
        entity, name = entity or self.account.team, name or "uncategorized"
        if entity not in self.account.entities:
            raise not_found(f"entity {entity}")
        if (entity, name) not in self.projects:
            self.projects[(entity, name)] = Project(entity=entity, name=name, number=self.next_number())
        return self.projects[(entity, name)]

    def find_run(self, entity: str | None, project: str | None, name: str) -> Run:
        """Return a run. Raises `Refusal`."""
        found = self.project(entity, project)
        if found is None or name not in found.runs:
            raise not_found(f"run {entity}/{project}/{name}")
        return found.runs[name]

    def find_artifact(self, artifact_id: str) -> Artifact:
        """Return a version by its id. Raises `Refusal`."""
        if artifact_id not in self.artifacts:
            raise not_found(f"artifact with the id {artifact_id}")
        return self.artifacts[artifact_id]

    def make_collection(
        self, project: Project, name: str, type_name: str, *, is_portfolio: bool
    ) -> Collection:
        """Return a project's collection, made where it is new."""
        found = project.collections.get(name)
        if found is None:
            found = Collection(
                project=project,
                name=name,
                number=self.next_number(),
                type_name=type_name,
                is_portfolio=is_portfolio,
            )
            project.collections[name] = self.collections[found.id] = found
        return found

    def add_version(self, collection: Collection, artifact: Artifact) -> Membership:
        return collection.add(artifact, self.next_number())

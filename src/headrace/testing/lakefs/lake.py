"""Everything that the stand-in remembers: repositories, bodies, uploads, hooks and settings."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field

from headrace.testing.lakefs.bodies import Body, BodyStore
from headrace.testing.lakefs.names import NAMESPACE, check_repository
from headrace.testing.lakefs.presign import Signer
from headrace.testing.lakefs.refusal import Refusal, conflict, invalid, not_found
from headrace.testing.lakefs.repository import Repository

HOOK_EVENTS = ("pre-merge", "pre-commit")


@dataclass(kw_only=True)
class Upload:
    """A multipart upload that has begun: parts by number."""

    physical_address: str
    body_id: str
    branch: str
    path: str
    parts: dict[int, Body] = field(default_factory=dict)


@dataclass(kw_only=True)
class Settings:
    """What the server offers, and what it is called."""

    presign: bool
    multipart: bool
    min_part_bytes: int
    committer: str


class Lake:
    """The state behind the routes. `lock` guards what is not inside one repository."""

    def __init__(self, bodies: BodyStore, signer: Signer, settings: Settings) -> None:
        self.bodies = bodies
        self.signer = signer
        self.settings = settings
        self.lock = threading.RLock()
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, Upload] = {}
        self.links: set[str] = set()  # addresses handed out, each good for one link
        self.hooks: list[tuple[str, str, str]] = []

    def repository(self, name: str) -> Repository:
        with self.lock:
            if name not in self.repositories:
                raise not_found("repository")
            return self.repositories[name]

    def create_repository(self, name: str, namespace: str, default_branch: str = "main") -> Repository:
        check_repository(name)
        if not NAMESPACE.fullmatch(namespace):
            raise invalid("storage namespace")
        namespace = namespace.rstrip("/")
        with self.lock:
            if name in self.repositories:
                raise conflict("repository already exists")
            if any(namespace == other.namespace for other in self.repositories.values()):
                raise Refusal(400, f"storage namespace already in use: {namespace}")
            repository = Repository(name, namespace, default_branch, self.settings.committer)
            self.repositories[name] = repository
            return repository

    def new_address(self, repository: Repository) -> tuple[str, str]:
        """Return a body id and the physical address that names it."""
        body_id = self.bodies.new_id()
        return body_id, self.address(repository, body_id)

    def address(self, repository: Repository, body_id: str) -> str:
        return f"{repository.namespace}/data/{body_id}"

    def body_id(self, address: str) -> str:
        return address.rsplit("/", 1)[-1]

    def take_link(self, address: str) -> None:
        """Use up an address that was handed out; a second link of it is refused, as lakeFS does."""
        with self.lock:
            if address not in self.links:
                raise Refusal(400, "link address invalid")
            self.links.remove(address)

    def run_hooks(self, event: str, branch: str) -> None:
        """Raise lakeFS's 412 where a hook says no."""
        for hook_event, hook_branch, message in list(self.hooks):
            if (hook_event, hook_branch) == (event, branch):
                head = f"update branch {branch}: " if event == "pre-merge" else ""
                run = uuid.uuid4().hex[:20]
                failed = "hook run id '0000_0000' failed on action 'check' hook 'check'"
                text = f"{event} hook aborted, run id '{run}': 1 error occurred:\n\t* {failed}: {message}\n\n"
                raise Refusal(412, head + text)

"""The two lakes side by side: what one does and says, the other does and says.

The lakeFS adapter runs against the stand-in. Where both differ on purpose, the machine says so and why.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN, Branch, MergeStrategy, ObjectInfo
from headrace.errors import (
    RefNotFound,
    UncommittedChanges,
)
from headrace.testing.lakefs import StandInServer, find_spec
from tests.lakefs_server import connect
from tests.two_lakes import Ref, TwoLakes, plain

T = TypeVar("T")

# Few names and values, so that branches meet at the same paths; some are prefixes of others.
PATHS = st.sampled_from(["a", "a/b", "é"])
DATA = st.sampled_from([b"", b"1"])
METADATA = st.sampled_from([None, None, {"owner": "ann"}, {"Größe": "1 €"}])
# No name is a hex number, which would name a commit as well.
BRANCHES = st.sampled_from([MAIN, MAIN, "work", "work", "side"])
TAGS = st.sampled_from(["t1", "t2"])
PREFIXES = st.sampled_from(["", "a", "a/", "x"])
STRATEGIES: st.SearchStrategy[MergeStrategy | None] = st.sampled_from(
    [None, None, "source-wins", "dest-wins"]
)

NUMBERS = st.integers(0, 11)
COMMITS: st.SearchStrategy[Ref] = st.tuples(
    st.one_of(BRANCHES, TAGS, NUMBERS), st.sampled_from(["", "", "~1", "^1", "^2", "~2", "~1^2", "^0"])
)
REFS: st.SearchStrategy[Ref] = st.one_of(COMMITS, st.tuples(BRANCHES, st.just("@")))

Edits = list[tuple[str, bytes | None]]
EDITS: st.SearchStrategy[Edits] = st.lists(st.tuples(PATHS, st.none() | DATA), min_size=1, max_size=3)
Mode = Literal["two_dot", "three_dot"]
MODES: st.SearchStrategy[Mode] = st.sampled_from(["two_dot", "three_dot"])

names = count(1)


class LakesMachine(TwoLakes, RuleBasedStateMachine):
    """Every rule does the same to both lakes; the invariant compares all that can be read."""

    def __init__(self, server: StandInServer) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        repository = f"agree-{next(names)}"
        server.create_repository(repository)
        self.ours = EmbeddedLake(self.folder / "lake")
        self.theirs = connect(server, self.folder / "cache", repository=repository)
        self.commits: list[tuple[str, str]] = []  # the same commit in either lake
        self.equal: set[object] = set()  # what cannot change any more and has been compared
        self._pair(self.ours.resolve(MAIN), self.theirs.resolve(MAIN))

    def teardown(self) -> None:
        self.ours.close()
        shutil.rmtree(self.folder)

    @initialize()
    def start(self) -> None:
        self.put(MAIN, "a", b"1", None, False)
        self.commit(MAIN, False, None)
        self.create_branch("work", (MAIN, ""), False)
        self.create_branch("side", (MAIN, ""), False)
        self.tag("t1", (MAIN, ""))

    # Few rules, each with a choice inside: Hypothesis leaves some rules out of every example, and
    # without commits on several branches there is nothing to merge.

    @rule(
        branch=BRANCHES,
        edits=EDITS,
        commit=st.sampled_from([True, True, True, False]),
        metadata=METADATA,
    )
    def change(
        self,
        branch: str,
        edits: Edits,
        commit: bool,
        metadata: dict[str, str] | None,
    ) -> None:
        for path, data in edits:
            if data is None:
                self.delete(branch, [path])
            else:
                self.put(branch, path, data, None, False)
        if commit:
            self.commit(branch, False, metadata)

    @rule(
        source=BRANCHES,
        dest=BRANCHES,
        theirs=EDITS,
        ours=EDITS,
        strategy=STRATEGIES,
        undone=st.sampled_from([0, 0, 1, 2]),
    )
    def meet(
        self,
        source: str,
        dest: str,
        theirs: Edits,
        ours: Edits,
        strategy: MergeStrategy | None,
        undone: int,
    ) -> None:
        self.change(source, theirs, True, None)
        self.change(dest, ours, True, None)
        self.merge((source, ""), dest, strategy, {"run": "1"})
        if undone:
            self.revert(dest, (dest, ""), undone)

    @rule(
        act=st.sampled_from(["put", "put_many", "link", "reset", "delete", "commit"]),
        branch=BRANCHES,
        files=st.dictionaries(PATHS, DATA, max_size=3),
        path=PATHS,
        source=REFS,
        prefix=PREFIXES,
        metadata=METADATA,
        flag=st.booleans(),
    )
    def write(
        self,
        act: str,
        branch: str,
        files: dict[str, bytes],
        path: str,
        source: Ref,
        prefix: str,
        metadata: dict[str, str] | None,
        flag: bool,
    ) -> None:
        match act:
            case "put":
                self.put(branch, path, next(iter(files.values()), b"2"), metadata, flag)
            case "put_many":
                self.put_many(branch, files)
            case "link":
                self.link(branch, path, source, next(iter(files), "a"))
            case "reset":
                self.reset(branch, prefix)
            case "delete":
                self.delete(branch, list(files))
            case "commit":
                self.commit(branch, flag, metadata)

    @rule(
        act=st.sampled_from(["branch", "branch", "delete branch", "tag", "delete tag"]),
        branch=BRANCHES,
        tag=TAGS,
        source=REFS,
        exist_ok=st.booleans(),
    )
    def name(self, act: str, branch: str, tag: str, source: Ref, exist_ok: bool) -> None:
        match act:
            case "branch":
                self.create_branch(branch, source, exist_ok)
            case "delete branch":
                self.delete_branch(branch)
                self.create_branch(branch, (MAIN, "~1"), True)  # else little happens from here on
            case "tag":
                self.tag(tag, _committed(source))
            case "delete tag":
                self.delete_tag(tag)

    @rule(
        ref=REFS,
        other=COMMITS,
        path=PATHS,
        prefix=PREFIXES,
        delimiter=st.sampled_from(["", "/", "/b"]),
        mode=MODES,
        number=st.integers(1, 63),
    )
    def read(
        self, ref: Ref, other: Ref, path: str, prefix: str, delimiter: str, mode: Mode, number: int
    ) -> None:
        self.resolve(ref)
        self.resolve_prefix(number, max(24, number))
        self.stat(ref, path)
        self.list(ref, prefix, delimiter, path if number % 2 else prefix)
        self.diff(_committed(other), ref, prefix, mode)
        self.log(other, number % 4 + 1)

    # --- objects ------------------------------------------------------------------------------

    def put(
        self, branch: str, path: str, data: bytes, metadata: dict[str, str] | None, if_absent: bool
    ) -> None:
        if if_absent:  # else the server's mark makes a difference where the bytes make none
            data += b" %d" % next(names)
        self._same(lambda lake, _: lake.put(branch, path, data, metadata, if_absent))

    def put_many(self, branch: str, files: dict[str, bytes]) -> None:
        sources = {path: self.folder / f"source{number}" for number, path in enumerate(files)}
        for path, source in sources.items():
            source.write_bytes(files[path])
        self._same(lambda lake, _: list(lake.put_many(branch, sources)))

    def delete(self, branch: str, paths: list[str]) -> None:
        self._same(lambda lake, _: lake.delete(branch, paths))

    def link(self, branch: str, path: str, source: Ref, source_path: str) -> None:
        self._same(lambda lake, ref: lake.link(branch, path, ref(source), source_path))

    def reset(self, branch: str, prefix: str) -> None:
        self._same(lambda lake, _: lake.reset(branch, prefix))

    # --- commits ------------------------------------------------------------------------------

    def commit(self, branch: str, allow_empty: bool, metadata: dict[str, str] | None) -> None:
        message = f"commit {len(self.commits)}"
        self._made(lambda lake, _: lake.commit(branch, message, metadata, allow_empty))

    @rule(source=COMMITS, dest=BRANCHES, strategy=STRATEGIES, metadata=METADATA)
    def merge(
        self, source: Ref, dest: str, strategy: MergeStrategy | None, metadata: dict[str, str] | None
    ) -> None:
        message = f"merge {len(self.commits)}"
        self._made(lambda lake, ref: lake.merge(ref(source), dest, message, metadata, strategy))

    @rule(branch=BRANCHES, undone=COMMITS, parent=st.sampled_from([1, 1, 2]))
    def revert(self, branch: str, undone: Ref, parent: int) -> None:
        # Where the branch is dirty and the commit or parent is not there, either may be told first.
        both = {UncommittedChanges, RefNotFound}
        self._made(lambda lake, ref: lake.revert(branch, ref(undone), parent), either=both)

    # --- refs ---------------------------------------------------------------------------------

    def create_branch(self, name: str, source: Ref, exist_ok: bool) -> None:
        self._same_commit(lambda lake, ref: lake.create_branch(name, ref(source), exist_ok))

    def delete_branch(self, name: str) -> None:
        self._same(lambda lake, _: lake.delete_branch(name))

    def tag(self, name: str, commit: Ref) -> None:
        self._same_commit(lambda lake, ref: lake.tag(name, ref(commit)))

    def delete_tag(self, name: str) -> None:
        self._same(lambda lake, _: lake.delete_tag(name))

    @rule(
        drawn=st.lists(st.tuples(BRANCHES, NUMBERS, st.booleans()), max_size=3),
        dry_run=st.booleans(),
    )
    def collect(self, drawn: list[tuple[str, int, bool]], dry_run: bool) -> None:
        places = {ours: place for place, (ours, _) in enumerate(self.commits)}
        heads = {found.name: places[found.commit] for found in self.ours.branches()}
        doomed = [
            (name, heads.get(name, number) if is_head else number)
            for name, number, is_head in drawn
            if name != MAIN or number == 0  # else most collections would only be refused
        ]

        def branches(ref: Callable[[Ref], str]) -> list[Branch]:
            return [Branch(name, ref((place, ""))) for name, place in doomed]

        # What was removed is not compared: a lakeFS server keeps the bytes until its own collection.
        self._same(lambda lake, ref: lake.gc(branches(ref), dry_run).branches)
        if not dry_run:
            for name, *_ in drawn:
                self.create_branch(name, (MAIN, ""), True)
            # The embedded lake forgets the commits that nothing reaches; a server keeps them.
            starts = [found.commit for found in (*self.ours.branches(), *self.ours.tags())]
            reachable = {commit.id for start in starts for commit in self.ours.log(start)}
            self.commits = [pair for pair in self.commits if pair[0] in reachable]

    # --- reading ------------------------------------------------------------------------------

    def resolve(self, ref: Ref) -> None:
        self._same_commit(lambda lake, own: lake.resolve(own(ref)))

    def resolve_prefix(self, number: int, length: int) -> None:
        self._same_commit(lambda lake, own: lake.resolve(own((number, ""))[:length]))

    def stat(self, ref: Ref, path: str) -> None:
        self._same(lambda lake, own: lake.stat(own(ref), path))

    def list(self, ref: Ref, prefix: str, delimiter: str, after: str) -> None:
        self._same(lambda lake, own: [*lake.list(own(ref), prefix, delimiter, after)])

    def diff(self, left: Ref, right: Ref, prefix: str, mode: Mode) -> None:
        self._same(lambda lake, own: lake.diff(own(left), own(right), prefix, mode))

    def log(self, ref: Ref, limit: int) -> None:
        # In full order along the first parents only: times on a server are whole seconds, so commits
        # of one second that do not descend from each other may stand either way round.
        ours, theirs = self._run(lambda lake, own: lake.log(own(ref), limit, first_parent=True), set())
        if ours is not None:
            assert list(map(self._told, ours)) == list(map(plain, theirs))

    @invariant()
    def everything_agrees(self) -> None:
        known = dict(self.commits)
        for kind in ("branches", "tags"):
            ours, theirs = (getattr(lake, kind)() for lake in (self.ours, self.theirs))
            assert [Branch(found.name, known[found.commit]) for found in ours] == list(theirs)
        for branch in self.ours.branches():
            self._same_objects(branch.name, branch.name)
            self._same_objects(branch.name, f"{branch.name}@")
            if branch.commit not in self.equal:
                self._same_history(branch)

    def _same_objects(self, branch: str, ref: str) -> None:
        listed = self._same(lambda lake, _: [*lake.list(ref)])
        self._same(lambda lake, _: [*lake.list(ref, delimiter="/")])
        for info in listed:
            assert isinstance(info, ObjectInfo)
            seen = (ref, info.path, info.digest, tuple(info.metadata.items()))
            if seen not in self.equal:
                self.equal.add(seen)
                assert self._same(lambda lake, _, info=info: lake.stat(ref, info.path)) == info
                self._same(lambda lake, _, info=info: lake.local_path(ref, info.path).read_bytes())

    def _same_history(self, branch: Branch) -> None:
        self.equal.add(branch.commit)
        ours, theirs = self.ours.log(branch.name), self.theirs.log(branch.name)
        assert {commit.id: commit for commit in map(plain, theirs)} == {
            commit.id: commit for commit in map(self._told, ours)
        }
        assert len(ours) == len(theirs)
        self.log((branch.name, ""), 100)
        for other in self.ours.branches():
            self.diff((other.name, "@"), (branch.name, "@"), "", "two_dot")
            self.diff((other.name, "@"), (branch.name, "@"), "", "three_dot")


def _committed(ref: Ref) -> Ref:
    """Leave out what is staged: a server sees it on the right of two dots only, the embedded lake on both."""
    return (ref[0], "@") if ref[0] in ("work", "side", MAIN) and not ref[1] else ref


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInServer]:
    """One stand-in for all the lakes of this module; each has a repository of its own."""
    with StandInServer(tmp_path_factory.mktemp("server"), spec=find_spec()) as started:
        yield started
        assert started.violations == []


def test_lakes_agree(server: StandInServer) -> None:
    """Whatever is done in whatever order, both lakes answer the same and hold the same."""
    run_state_machine_as_test(
        lambda: LakesMachine(server),
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )

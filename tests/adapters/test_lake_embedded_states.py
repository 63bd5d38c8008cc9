"""The embedded lake against a model made of plain dicts, under Hypothesis."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.lake_embedded.database import Database
from headrace.adapters.lake_embedded.nodes import Entry, Nodes
from headrace.adapters.lake_embedded.trees import diff, edit, lookup, walk
from headrace.core.ports import MAIN, Branch
from headrace.errors import MergeConflict, NoChanges, ObjectNotFound, UncommittedChanges
from headrace.testing.lake import objects_at

Files = dict[str, bytes]

# Few names and values, so that branches meet at the same paths; some are prefixes of others.
PATHS = st.sampled_from(["a", "a/b", "a/b/c", "a-b", "b", "dir/x", "dir/y", "é"])
DATA = st.sampled_from([b"", b"1", b"2", b"3"])


def three_way(base: Files, ours: Files, theirs: Files) -> tuple[Files, list[str]]:
    merged, conflicts = dict(ours), []
    for path in sorted(base.keys() | theirs.keys()):
        if theirs.get(path) == base.get(path) or theirs.get(path) == ours.get(path):
            continue
        if ours.get(path) != base.get(path):
            conflicts.append(path)
        elif path in theirs:
            merged[path] = theirs[path]
        else:
            merged.pop(path, None)
    return merged, conflicts


class LakeMachine(RuleBasedStateMachine):
    """Every rule does the same to the lake and to dicts; every invariant compares them."""

    branches = Bundle("branches")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.lake = EmbeddedLake(self.folder / "lake")
        root = self.lake.resolve(MAIN)
        self.commits: dict[str, Files] = {root: {}}
        self.parents: dict[str, tuple[str, ...]] = {root: ()}
        self.heads = {MAIN: root}
        self.working: dict[str, Files] = {MAIN: {}}

    def teardown(self) -> None:
        self.lake.close()
        shutil.rmtree(self.folder)

    @initialize(target=branches)
    def start(self) -> str:
        return MAIN

    @rule(target=branches, source=branches)
    def branch(self, source: str) -> str:
        name = f"b{len(self.commits)}-{len(self.heads)}-{len(self.working)}"
        if name in self.heads:
            return name
        assert self.lake.create_branch(name, source) == self.heads[source]
        self.heads[name] = self.heads[source]
        self.working[name] = dict(self.commits[self.heads[source]])
        return name

    @rule(branch=branches, path=PATHS, data=DATA)
    def put(self, branch: str, path: str, data: bytes) -> None:
        self.lake.put(branch, path, data)
        self.working[branch][path] = data

    @rule(branch=branches, files=st.dictionaries(PATHS, DATA), consume=st.booleans())
    def put_many(self, branch: str, files: Files, consume: bool) -> None:
        sources = {path: self.folder / f"source{count}" for count, path in enumerate(files)}
        for path, source in sources.items():
            source.write_bytes(files[path])
        found = self.lake.put_many(branch, sources, consume)
        assert [(info.path, info.bytes) for info in found] == [(p, len(data)) for p, data in files.items()]
        assert [source.exists() for source in sources.values()] == [not consume] * len(files)
        self.working[branch].update(files)

    @rule(branch=branches, path=PATHS)
    def delete(self, branch: str, path: str) -> None:
        self.lake.delete(branch, [path])
        self.working[branch].pop(path, None)

    @rule(branch=branches, path=PATHS, source=branches, source_path=PATHS)
    def link(self, branch: str, path: str, source: str, source_path: str) -> None:
        if source_path in self.working[source]:
            self.lake.link(branch, path, source, source_path)
            self.working[branch][path] = self.working[source][source_path]
            return
        try:
            self.lake.link(branch, path, source, source_path)
        except ObjectNotFound:
            return
        raise AssertionError("linked an object that is not there")

    @rule(branch=branches, prefix=st.sampled_from(["", "a", "a/", "dir/"]))
    def reset(self, branch: str, prefix: str) -> None:
        self.lake.reset(branch, prefix)
        committed, working = self.commits[self.heads[branch]], self.working[branch]
        kept = {path: data for path, data in working.items() if not path.startswith(prefix)}
        self.working[branch] = kept | {p: data for p, data in committed.items() if p.startswith(prefix)}

    @rule(branch=branches)
    def commit(self, branch: str) -> None:
        changed = self.working[branch] != self.commits[self.heads[branch]]
        try:
            made = self.lake.commit(branch, "commit")
        except NoChanges:
            assert not changed
            return
        assert changed
        assert made.parents == (self.heads[branch],)
        self._advance(branch, made.id, made.parents, dict(self.working[branch]))

    @rule(source=branches, dest=branches)
    def merge(self, source: str, dest: str) -> None:
        dirty = self.working[dest] != self.commits[self.heads[dest]]
        ours, theirs = self.heads[dest], self.heads[source]
        bases = self._best_ancestors(ours, theirs)
        paths: list[str] = []
        try:
            made = self.lake.merge(source, dest, "merge")
        except UncommittedChanges:
            assert dirty
        except NoChanges:
            assert any(self.commits[base] == self.commits[theirs] for base in bases)
        except MergeConflict as conflict:
            paths = conflict.paths
        else:
            assert not dirty
            assert made.parents == (ours, theirs)
            files = self._files(made.id)
            assert (files, []) in [self._merged(base, ours, theirs) for base in bases]
            self._advance(dest, made.id, made.parents, files)
        if paths:
            assert paths in [self._merged(base, ours, theirs)[1] for base in bases]

    @rule(branch=branches)
    def revert(self, branch: str) -> None:
        head = self.heads[branch]
        if not self.parents[head] or self.working[branch] != self.commits[head]:
            return
        before = self.commits[self.parents[head][0]]
        try:
            made = self.lake.revert(branch, branch)
        except NoChanges:
            assert before == self.commits[head]
            return
        self._advance(branch, made.id, (head,), dict(before))

    @rule(branch=consumes(branches))
    def delete_branch(self, branch: str) -> None:
        if branch != MAIN and branch in self.heads:
            self.lake.delete_branch(branch)
            # The name stays usable for the copies of it that other rules may still draw.
            self.lake.create_branch(branch, MAIN)
            self.heads[branch] = self.heads[MAIN]
            self.working[branch] = dict(self.commits[self.heads[MAIN]])

    @rule(drawn=st.sets(branches, max_size=3), moved=branches)
    def collect(self, drawn: set[str], moved: str) -> None:
        doomed = {name for name in drawn if name not in (MAIN, moved)}
        given = [Branch(name, self.heads[name]) for name in doomed]
        if moved != MAIN:
            given.append(Branch(moved, "0" * 64))
        planned = self.lake.gc(given, dry_run=True)
        assert planned.branches == tuple(sorted(doomed))
        assert self.lake.gc(given) == planned
        assert self.lake.gc(dry_run=True).objects == 0
        for name in doomed:
            # The name stays usable for the copies of it that other rules may still draw.
            self.lake.create_branch(name, MAIN)
            self.heads[name] = self.heads[MAIN]
            self.working[name] = dict(self.commits[self.heads[MAIN]])
        reachable = set().union(*(self._ancestors(head) for head in self.heads.values()))
        self.commits = {commit: files for commit, files in self.commits.items() if commit in reachable}

    @rule()
    def reopen(self) -> None:
        self.lake.close()
        self.lake = EmbeddedLake(self.folder / "lake")

    @rule(left=branches, right=branches)
    def diff(self, left: str, right: str) -> None:
        before, after = self.working[left], self.working[right]
        wanted = {
            path: "added" if path not in before else "removed" if path not in after else "changed"
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path)
        }
        found = self.lake.diff(left, right)
        assert {change.path: change.kind for change in found} == wanted
        assert [change.path for change in found] == sorted(wanted)

    @invariant()
    def branches_agree(self) -> None:
        assert {branch.name: branch.commit for branch in self.lake.branches()} == self.heads
        for branch, files in self.working.items():
            assert self._files(branch) == files
            assert [found.path for found in self.lake.list(branch)] == sorted(files, key=str.encode)

    @invariant()
    def commits_never_change(self) -> None:
        for commit, files in list(self.commits.items())[-3:]:
            assert self._files(commit) == files

    def _files(self, ref: str) -> Files:
        objects = objects_at(self.lake, ref)
        files = self.lake.local_paths(ref, objects)
        return {info.path: file.read_bytes() for info, file in zip(objects, files, strict=True)}

    def _advance(self, branch: str, commit: str, parents: tuple[str, ...], files: Files) -> None:
        self.commits[commit] = files
        self.parents[commit] = parents
        self.heads[branch] = commit
        self.working[branch] = dict(files)

    def _ancestors(self, commit: str) -> set[str]:
        found, queue = set(), [commit]
        while queue:
            commit = queue.pop()
            if commit not in found:
                found.add(commit)
                queue.extend(self.parents[commit])
        return found

    def _best_ancestors(self, ours: str, theirs: str) -> list[str]:
        common = self._ancestors(ours) & self._ancestors(theirs)
        return [base for base in common if not any(base != c and base in self._ancestors(c) for c in common)]

    def _merged(self, base: str, ours: str, theirs: str) -> tuple[Files, list[str]]:
        merged, conflicts = three_way(self.commits[base], self.commits[ours], self.commits[theirs])
        return merged, conflicts


TestLakeMachine = LakeMachine.TestCase
TestLakeMachine.__doc__ = "Whatever is done in whatever order, the lake and the dicts hold the same."
TestLakeMachine.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 4000), st.one_of(st.none(), st.integers(0, 3)), max_size=30),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 4000),
)
def test_tree_depends_on_content_only(edits: list[dict[int, int | None]], size: int) -> None:
    """However a tree came about, it equals the one built at once, and a diff finds what differs."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "lake.db", lambda connection: None, 1.0)
        nodes = Nodes(database)
        model = {f"path/{count}": _entry(0) for count in range(size)}
        with database.write():
            empty = nodes.save(0, [], [])
            first = root = edit(nodes, empty, model)
            start = dict(model)
            for step in edits:
                changes = {f"path/{key}": None if v is None else _entry(v) for key, v in step.items()}
                root = edit(nodes, root, changes)
                model.update({path: entry for path, entry in changes.items() if entry is not None})
                for path in [path for path, entry in changes.items() if entry is None]:
                    model.pop(path, None)
            assert root == edit(nodes, empty, model)
            assert dict(walk(nodes, root)) == model
            assert list(walk(nodes, root, "path/2")) == sorted(i for i in model.items() if i[0] >= "path/2")
            wanted = {p for p in start.keys() | model.keys() if start.get(p) != model.get(p)}
            assert diff(nodes, first, root) == {p: (start.get(p), model.get(p)) for p in wanted}
            assert all(lookup(nodes, root, path) == model.get(path) for path in wanted)
        database.close()


def _entry(value: int) -> Entry:
    return Entry(f"{value:064x}", value, {})

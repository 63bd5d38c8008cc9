"""One lake in several hands: threads, and other instances for the same lake."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

from headrace.core.ports import MAIN, LakeStore
from headrace.testing.lake.fixture import LakeFixture, commit_files, paths_at, text_at


def open_again(lake: LakeStore) -> LakeStore:
    """Return another instance for the same lake: what a worker process gets."""
    again: LakeStore = pickle.loads(pickle.dumps(lake))  # noqa: S301  made in the same line
    return again


class SharingContract(LakeFixture):
    """Threads and instances."""

    def test_init_keeps_what_is_there(self, lake: LakeStore) -> None:
        """`init` on a lake that exists makes nothing and says so."""
        head = commit_files(lake, MAIN, {"x": "1"})
        assert lake.init() is False
        assert open_again(lake).init() is False
        assert lake.resolve(MAIN) == head

    def test_instances_share_an_identity(self, lake: LakeStore) -> None:
        """What is remembered about a lake is found again by whoever opens it, whatever it holds by then."""
        before = lake.identity
        commit_files(lake, MAIN, {"x": "1"})
        assert before
        assert open_again(lake).identity == lake.identity == before

    def test_second_instance_sees_staging(self, lake: LakeStore) -> None:
        """Staging belongs to the lake, not to the instance that staged: another may commit it."""
        lake.create_branch("work", MAIN)
        lake.put("work", "x", b"1")
        again = open_again(lake)
        assert again is not lake
        assert text_at(again, "work", "x") == "1"
        again.put("work", "y", b"2")
        made = lake.commit("work", "both")
        assert again.resolve("work") == made.id
        assert paths_at(again, made.id) == ["x", "y"]

    def test_threads_on_branches_of_their_own(self, lake: LakeStore) -> None:
        """Two threads that put and commit on two branches at once lose nothing and mix nothing."""
        branches = ["left", "right"]
        for branch in branches:
            lake.create_branch(branch, MAIN)

        def work(branch: str) -> list[str]:
            return [commit_files(lake, branch, {f"{branch}/{n}": branch, "last": str(n)}) for n in range(5)]

        with ThreadPoolExecutor(2) as pool:
            made = dict(zip(branches, pool.map(work, branches), strict=True))
        for branch in branches:
            assert [commit.id for commit in lake.log(branch, limit=5)] == made[branch][::-1]
            assert paths_at(lake, f"{branch}@") == ["last", *(f"{branch}/{n}" for n in range(5))]
            assert text_at(lake, branch, "last") == "4"

    def test_threads_read_beside_a_writer(self, lake: LakeStore) -> None:
        """Readers of a commit get its bytes while another thread goes on committing."""
        head = commit_files(lake, MAIN, {f"{n}": str(n) for n in range(8)})

        def read(turn: int) -> list[str]:
            return [text_at(lake, head, path) for path in paths_at(lake, head)]

        with ThreadPoolExecutor(3) as pool:
            reads = [pool.submit(read, turn) for turn in range(6)]
            for turn in range(6):
                commit_files(lake, MAIN, {"0": f"later {turn}"})
        assert [future.result() for future in reads] == [[str(n) for n in range(8)]] * 6

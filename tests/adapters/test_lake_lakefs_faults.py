"""The lakeFS adapter on a bad day: whatever fails, nothing is lost and nothing is doubled."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.adapters.lake_lakefs.upload import MULTIPART_FROM_BYTES, PRESIGN_FROM_BYTES
from headrace.core.ports import MAIN
from headrace.errors import (
    AccessDenied,
    AlreadyExists,
    HookRejected,
    LakeBusy,
    LakeUnavailable,
    NoChanges,
    ObjectDamaged,
    ObjectNotFound,
    PreconditionFailed,
    ProtectedRef,
    RepositoryNotFound,
)
from headrace.testing.lake import commit_files, paths_at, text_at
from headrace.testing.lakefs import Fault, StandInServer
from tests.lakefs_server import connect, lake, server

__all__ = ["lake", "server"]

BEFORE = [
    Fault("status", status=429, retry_after=0),
    Fault("status", status=429, times=3),
    Fault("status", status=500, message="branch is currently locked, try again later"),
    Fault("status", status=503, message="Throughput exceeded. Slow down and retry"),
    Fault("drop_before"),
    Fault("latency", seconds=0.1),
]
AFTER = [Fault("drop_after"), Fault("status_after", status=502, message="bad gateway")]
ANY = [pytest.param(fault, id=f"{fault.kind}-{fault.status}x{fault.times}") for fault in BEFORE + AFTER]


def befall(server: StandInServer, fault: Fault, operation: str) -> None:
    """Let a fault wait for an operation."""
    fields = {name: getattr(fault, name) for name in Fault.__slots__}
    server.fail_next(Fault(**{**fields, "operation": operation}))


def count(server: StandInServer, operation: str) -> int:
    return sum(request.operation_id == operation for request in server.requests)


class TestOnce:
    """What makes a commit or a ref happens exactly once."""

    @pytest.mark.parametrize("fault", ANY)
    def test_commit(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """A commit whose answer is lost, or that was turned away, is in the history once."""
        before = lake.resolve(MAIN)
        lake.put(MAIN, "x", b"1")
        befall(server, fault, "commit")
        made = lake.commit(MAIN, "train", {"run": "r1", "stage": "train"})
        assert (made.parents, dict(made.metadata)) == ((before,), {"run": "r1", "stage": "train"})
        assert [commit.id for commit in lake.log(MAIN)] == [made.id, before]
        assert text_at(lake, made.id, "x") == "1"

    @pytest.mark.parametrize("fault", ANY)
    def test_empty_commit(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """Not even an empty commit, which the server would take twice, is doubled."""
        befall(server, fault, "commit")
        made = lake.commit(MAIN, "empty", {"run": "r1"}, allow_empty=True)
        assert len(lake.log(MAIN)) == 2
        assert lake.resolve(MAIN) == made.id

    @pytest.mark.parametrize("fault", ANY)
    def test_merge(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """A merge whose answer is lost is made once, and is not taken for `NoChanges`."""
        lake.create_branch("work", MAIN)
        side = commit_files(lake, "work", {"x": "1"})
        head = lake.resolve(MAIN)
        befall(server, fault, "mergeIntoBranch")
        made = lake.merge("work", MAIN, "publish", {"run": "r1"})
        assert made.parents == (head, side)
        assert [commit.id for commit in lake.log(MAIN, first_parent=True)] == [made.id, head]

    @pytest.mark.parametrize("fault", ANY)
    def test_revert(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """A revert is made once."""
        bad = commit_files(lake, MAIN, {"x": "bad"})
        befall(server, fault, "revertBranch")
        made = lake.revert(MAIN, bad)
        assert made.parents == (bad,)
        assert lake.resolve(MAIN) == made.id
        assert paths_at(lake, MAIN) == []

    @pytest.mark.parametrize("fault", ANY)
    def test_branch(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """Making and deleting a branch work once, without a false `AlreadyExists` or `RefNotFound`."""
        befall(server, fault, "createBranch")
        lake.create_branch("work", MAIN)
        with pytest.raises(AlreadyExists):
            lake.create_branch("work", MAIN)
        befall(server, fault, "deleteBranch")
        lake.delete_branch("work")
        assert [branch.name for branch in lake.branches()] == [MAIN]

    @pytest.mark.parametrize("fault", ANY)
    def test_tag(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """Making and deleting a tag work once."""
        befall(server, fault, "createTag")
        lake.tag("v1", MAIN)
        befall(server, fault, "deleteTag")
        lake.delete_tag("v1")
        assert lake.tags() == []

    @pytest.mark.parametrize("fault", ANY)
    def test_staging(self, server: StandInServer, lake: LakeFSStore, fault: Fault) -> None:
        """Linking, deleting and resetting come to the same however often they are tried."""
        commit_files(lake, MAIN, {"x": "1", "y": "1"})
        for operation in ("copyObject", "deleteObjects", "resetBranch"):
            befall(server, fault, operation)
        lake.link(MAIN, "z", MAIN, "x")
        lake.delete(MAIN, ["y"])
        assert paths_at(lake, MAIN) == ["x", "z"]
        lake.reset(MAIN)
        assert paths_at(lake, MAIN) == ["x", "y"]

    def test_init(self, server: StandInServer, tmp_path: Path) -> None:
        """A repository is created once, and found the second time."""
        fresh = connect(server, tmp_path / "fresh", repository="another")
        befall(server, Fault("drop_after"), "createRepository")
        assert fresh.init()
        assert not fresh.init()
        assert [branch.name for branch in fresh.branches()] == [MAIN]

    def test_no_changes_is_still_told(self, server: StandInServer, lake: LakeFSStore) -> None:
        """A commit that changes nothing says so, also after a lost answer."""
        befall(server, Fault("drop_before"), "commit")
        with pytest.raises(NoChanges):
            lake.commit(MAIN, "nothing", {"run": "r1"})


SIZES = [10, PRESIGN_FROM_BYTES + 12_345, MULTIPART_FROM_BYTES + 12_345]
WAYS = ["uploadObject", "storage_put", "storage_put"]


def make_file(folder: Path, size: int) -> Path:
    file = folder / "data.bin"
    file.write_bytes(random.Random(size).randbytes(size))
    return file


class TestUploads:
    """Bytes on the way up."""

    @pytest.mark.parametrize(("size", "operation"), list(zip(SIZES, WAYS, strict=True)))
    @pytest.mark.parametrize(
        "fault",
        [
            Fault("drop_before"),
            Fault("drop_after"),
            Fault("drop_mid_upload"),
            Fault("status", status=503),
            Fault("expired"),
        ],
        ids=lambda fault: fault.kind,
    )
    def test_put(
        self,
        server: StandInServer,
        lake: LakeFSStore,
        tmp_path: Path,
        size: int,
        operation: str,
        fault: Fault,
    ) -> None:
        """An upload that breaks off is taken up again, and what is stored is what was given."""
        if fault.kind == "expired" and operation == "uploadObject":
            pytest.skip("an upload through the server has no URL that could expire")
        file = make_file(tmp_path, size)
        befall(server, fault, operation)
        put = lake.put(MAIN, "data.bin", file)
        assert put.digest == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        assert lake.stat(MAIN, "data.bin") == put
        assert lake.local_path(MAIN, "data.bin").read_bytes() == file.read_bytes()

    @pytest.mark.parametrize(
        ("size", "operation"),
        [
            (SIZES[1], "getPhysicalAddress"),
            (SIZES[1], "linkPhysicalAddress"),
            (SIZES[2], "createPresignMultipartUpload"),
            (SIZES[2], "completePresignMultipartUpload"),
        ],
    )
    @pytest.mark.parametrize(
        "fault", [Fault("drop_before"), Fault("drop_after"), Fault("status", status=409)]
    )
    def test_steps_of_a_signed_upload(
        self,
        server: StandInServer,
        lake: LakeFSStore,
        tmp_path: Path,
        size: int,
        operation: str,
        fault: Fault,
    ) -> None:
        """Each step may fail, before or after it was done; a commit in between (409) starts it anew."""
        if fault.kind == "status" and operation.startswith(("get", "create")):
            pytest.skip("only what ends an upload can collide with a commit")
        file = make_file(tmp_path, size)
        befall(server, fault, operation)
        put = lake.put(MAIN, "data.bin", file)
        assert lake.stat(MAIN, "data.bin") == put

    @pytest.mark.parametrize("size", SIZES[:2])
    @pytest.mark.parametrize("fault", ANY)
    def test_if_absent(self, server: StandInServer, lake: LakeFSStore, size: int, fault: Fault) -> None:
        """`if_absent` does not mistake its own upload for another's, and does see another's."""
        data = random.Random(size).randbytes(size)
        befall(server, fault, "uploadObject" if size < PRESIGN_FROM_BYTES else "linkPhysicalAddress")
        lake.put(MAIN, "x", data, if_absent=True)
        with pytest.raises(AlreadyExists, match="x"):
            lake.put(MAIN, "x", b"other", if_absent=True)
        assert lake.stat(MAIN, "x").bytes == size

    def test_signed_urls_get_no_keys(self, server: StandInServer, lake: LakeFSStore, tmp_path: Path) -> None:
        """Large objects go past the API in both directions, and the stand-in refuses keys there."""
        file = make_file(tmp_path, SIZES[1])
        lake.put(MAIN, "data.bin", file)
        lake.local_path(MAIN, "data.bin")
        assert count(server, "uploadObject") == count(server, "getObject") == 0
        assert count(server, "storage_put") == count(server, "storage_get") == 1

    def test_small_objects_take_one_request(self, server: StandInServer, lake: LakeFSStore) -> None:
        """A small object is put by one request and read by two."""
        lake.put(MAIN, "x", b"1")
        assert len(server.requests) == 1
        lake.local_path(MAIN, "x")
        assert len(server.requests) == 3

    def test_parts_in_parallel_are_put_together(
        self, server: StandInServer, lake: LakeFSStore, tmp_path: Path
    ) -> None:
        """A file above the bound goes up in parts, one of which may fail by itself."""
        file = make_file(tmp_path, SIZES[2])
        server.fail_next(Fault("drop_mid_upload", operation="storage_put", times=2))
        lake.put(MAIN, "data.bin", file)
        assert count(server, "createPresignMultipartUpload") == 1
        assert lake.local_path(MAIN, "data.bin").read_bytes() == file.read_bytes()

    @pytest.mark.parametrize("size", SIZES[:2])
    def test_a_file_that_changes_is_refused(
        self, lake: LakeFSStore, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that is written to between hashing and sending is not stored as what it was."""
        from headrace.adapters.lake_lakefs import store
        from headrace.adapters.lake_lakefs.content import Content, measure

        file = make_file(tmp_path, size)

        def measure_and_change(src: Path | bytes) -> Content:
            measured = measure(src)
            file.write_bytes(bytes(size))
            os.utime(file, ns=(1, 1))
            return measured

        monkeypatch.setattr(store, "measure", measure_and_change)
        with pytest.raises(PreconditionFailed, match=r"data\.bin"):
            lake.put(MAIN, "data.bin", file)
        assert paths_at(lake, MAIN) == []


class TestDownloads:
    """Bytes on the way down."""

    @pytest.fixture(params=SIZES, ids=["small", "signed", "parts"])
    def size(self, request: pytest.FixtureRequest) -> int:
        return int(request.param)

    @pytest.fixture
    def stored(self, lake: LakeFSStore, tmp_path: Path, size: int) -> bytes:
        file = make_file(tmp_path, size)
        lake.put(MAIN, "data.bin", file)
        return file.read_bytes()

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("truncate"),
            Fault("truncate", times=3),
            Fault("corrupt"),
            Fault("drop_before"),
            Fault("status", status=503),
            Fault("expired"),
        ],
        ids=lambda fault: f"{fault.kind}x{fault.times}",
    )
    def test_read(
        self, server: StandInServer, lake: LakeFSStore, stored: bytes, size: int, fault: Fault
    ) -> None:
        """A download that breaks off goes on where it was, and damage on the way is noticed."""
        through_server = size < PRESIGN_FROM_BYTES
        if fault.kind == "expired" and through_server:
            pytest.skip("a download through the server has no URL that could expire")
        befall(server, fault, "getObject" if through_server else "storage_get")
        assert lake.local_path(MAIN, "data.bin").read_bytes() == stored

    def test_damage_is_an_error(
        self, server: StandInServer, lake: LakeFSStore, stored: bytes, size: int, tmp_path: Path
    ) -> None:
        """Bytes that stay wrong are never handed out, and nothing of them is kept."""
        operation = "getObject" if size < PRESIGN_FROM_BYTES else "storage_get"
        server.fail_next(Fault("corrupt", operation=operation, times=9))
        with pytest.raises(ObjectDamaged, match=r"data\.bin"):
            lake.open(MAIN, "data.bin")
        kept = [*(tmp_path / "cache" / "objects").rglob("*"), *(tmp_path / "cache" / "incoming").iterdir()]
        assert kept == []

    def test_bytes_that_are_gone(
        self, server: StandInServer, lake: LakeFSStore, stored: bytes, size: int
    ) -> None:
        """Metadata whose bytes the server has collected is an object that is not there."""
        operation = "getObject" if size < PRESIGN_FROM_BYTES else "storage_get"
        server.fail_next(Fault("gone", operation=operation))
        with pytest.raises(ObjectNotFound, match=r"data\.bin"):
            lake.local_path(MAIN, "data.bin")

    def test_cached_reads_ask_for_no_bytes(
        self, server: StandInServer, lake: LakeFSStore, stored: bytes
    ) -> None:
        """What was read once is not fetched again, under whatever ref or name."""
        first = lake.local_path(MAIN, "data.bin")
        asked = count(server, "getObject") + count(server, "storage_get")
        lake.commit(MAIN, "commit")
        lake.link(MAIN, "other.bin", MAIN, "data.bin")
        assert lake.local_path(MAIN, "other.bin") == first
        assert count(server, "getObject") + count(server, "storage_get") == asked

    def test_what_others_put_is_read_too(
        self, server: StandInServer, lake: LakeFSStore, tmp_path: Path
    ) -> None:
        """An object without our sha256 is known by the lake's MD5, and checked against it."""
        import urllib3

        headers = urllib3.make_headers(basic_auth=f"{server.access_key_id}:{server.secret_access_key}")
        url = f"{server.endpoint}/api/v1/repositories/demo/branches/main/objects?path=foreign"
        answer = urllib3.request(
            "POST", url, body=b"water", headers={**headers, "Content-Type": "application/octet-stream"}
        )
        assert answer.status == 201
        found = lake.stat(MAIN, "foreign")
        assert found.digest == f"md5:{hashlib.md5(b'water', usedforsecurity=False).hexdigest()}"
        assert text_at(lake, MAIN, "foreign") == "water"
        server.fail_next(Fault("corrupt", operation="getObject"))
        other = connect(server, tmp_path / "elsewhere")
        assert text_at(other, MAIN, "foreign") == "water"
        assert count(server, "getObject") == 3


class TestErrors:
    """What cannot work says why, at once, and what to type."""

    def test_unreachable_server(self, tmp_path: Path) -> None:
        """A server that is not there is named with the variable that points to it."""
        with StandInServer(tmp_path / "server") as gone:
            endpoint = gone.endpoint
        store = LakeFSStore(
            repository="demo",
            endpoint=endpoint,
            access_key_id="made-up",
            secret_access_key="made-up",
            retry_seconds=0.2,
        )
        with pytest.raises(LakeUnavailable, match="LAKECTL_SERVER_ENDPOINT_URL") as caught:
            store.resolve(MAIN)
        assert endpoint.removeprefix("http://") in str(caught.value)

    def test_silent_server(self, server: StandInServer, tmp_path: Path) -> None:
        """Every call has a time-out: a server that says nothing is given up on."""
        store = connect(server, tmp_path / "cache", timeout_seconds=0.2, retry_seconds=0.1)
        server.fail_next(Fault("latency", operation="logCommits", seconds=2, times=9))
        with pytest.raises(LakeUnavailable, match="did not answer in time"):
            store.resolve(MAIN)

    def test_tls_to_a_plain_server(self, server: StandInServer, tmp_path: Path) -> None:
        """A connection that cannot be made safe is refused, and the hint names the setting."""
        endpoint = server.endpoint.replace("http://", "https://")
        store = LakeFSStore(
            repository="demo",
            endpoint=endpoint,
            access_key_id="made-up",
            secret_access_key="made-up",
            retry_seconds=0.2,
        )
        with pytest.raises(LakeUnavailable, match="ca_bundle"):
            store.resolve(MAIN)

    def test_wrong_keys(self, server: StandInServer, tmp_path: Path) -> None:
        """Keys that the server does not know are told without being shown."""
        store = LakeFSStore(
            repository="demo",
            endpoint=server.endpoint,
            access_key_id="some-other-key",
            secret_access_key="some-other-secret",
            cache_dir=tmp_path / "cache",
        )
        with pytest.raises(AccessDenied, match="LAKECTL_CREDENTIALS_ACCESS_KEY_ID") as caught:
            store.resolve(MAIN)
        assert "some-other" not in str(caught.value)

    @pytest.mark.parametrize(
        "call",
        [
            lambda lake: lake.resolve(MAIN),
            lambda lake: lake.branches(),
            lambda lake: lake.put(MAIN, "x", b"1"),
            lambda lake: list(lake.list(MAIN)),
            lambda lake: lake.create_branch("work", MAIN),
            lambda lake: lake.commit(MAIN, "x"),
            lambda lake: lake.stat("0" * 64, "x"),
        ],
    )
    def test_missing_repository(
        self, server: StandInServer, tmp_path: Path, call: Callable[[LakeFSStore], object]
    ) -> None:
        """A repository that is not there is offered to be created, whatever was asked."""
        store = connect(server, tmp_path / "cache", repository="nowhere")
        with pytest.raises(RepositoryNotFound, match="headrace lake init"):
            call(store)

    def test_locked_branch_for_too_long(self, server: StandInServer, tmp_path: Path) -> None:
        """A lock that stays is `LakeBusy`, and nothing has happened."""
        store = connect(server, tmp_path / "cache", retry_seconds=0.3)
        store.put(MAIN, "x", b"1")
        server.fail_next(Fault("status", operation="commit", times=99))
        with pytest.raises(LakeBusy, match="locked"):
            store.commit(MAIN, "commit")
        server.fail_next(Fault("status", operation="listBranches", times=99, status=429))
        with pytest.raises(LakeBusy, match="throttling"):
            store.branches()
        assert len(store.log(MAIN)) == 1

    def test_a_hook_says_no(self, server: StandInServer, lake: LakeFSStore) -> None:
        """What a hook says is repeated."""
        server.add_hook("pre-commit", MAIN, "format_check failed on table x")
        lake.put(MAIN, "x", b"1")
        with pytest.raises(HookRejected, match="format_check failed"):
            lake.commit(MAIN, "commit")
        server.clear_hooks()
        lake.commit(MAIN, "commit")
        lake.create_branch("work", MAIN)
        commit_files(lake, "work", {"x": "2"})
        server.add_hook("pre-merge", MAIN, "model card missing")
        with pytest.raises(HookRejected, match="model card missing"):
            lake.merge("work", MAIN, "merge")

    def test_protected_branch(self, server: StandInServer, lake: LakeFSStore) -> None:
        """A branch that the server protects is told as such."""
        server.fail_next(
            Fault("status", operation="commit", status=403, message="cannot commit to protected branch")
        )
        with pytest.raises(ProtectedRef, match="protected branch"):
            lake.commit(MAIN, "commit", allow_empty=True)

    def test_no_permission(self, server: StandInServer, lake: LakeFSStore) -> None:
        """Keys that are known and may not do it are told apart from unknown ones."""
        server.fail_next(
            Fault("status", operation="createTag", status=403, message="insufficient permissions")
        )
        with pytest.raises(AccessDenied, match="do not allow"):
            lake.tag("v1", MAIN)

    def test_a_proxys_page(self, server: StandInServer, lake: LakeFSStore) -> None:
        """An answer that is no JSON of lakeFS's is quoted in one line."""
        server.fail_next(Fault("status", operation="listTags", status=418, message="short and stout"))
        with pytest.raises(Exception, match="short and stout") as caught:
            lake.tags()
        assert "\n" not in str(caught.value)

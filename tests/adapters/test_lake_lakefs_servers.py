"""The lakeFS adapter with servers, storages and processes that are not as the common ones are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.adapters.lake_lakefs.answers import judge, judge_storage
from headrace.adapters.lake_lakefs.upload import MULTIPART_FROM_BYTES
from headrace.core.ports import MAIN, Branch, ObjectInfo
from headrace.errors import (
    AccessDenied,
    AlreadyExists,
    LakeBusy,
    LakeError,
    LakeUnavailable,
    NoChanges,
    ProtectedRef,
    RepositoryNotFound,
)
from headrace.testing.lake import commit_files, text_at
from headrace.testing.lakefs import Fault, StandInServer
from tests.lakefs_server import connect, lake, server

__all__ = ["lake", "server"]


def count(server: StandInServer, operation: str) -> int:
    return sum(request.operation_id == operation for request in server.requests)


class TestAnswers:
    """Statuses and messages of lakeFS, as its source gives them."""

    @pytest.mark.parametrize(
        ("status", "message", "error", "again"),
        [
            (401, "error authenticating request", AccessDenied, False),
            (401, "insufficient permissions", AccessDenied, False),
            (500, "User does not have the required permissions", AccessDenied, False),
            (403, "cannot commit to protected branch", ProtectedRef, False),
            (403, "read-only repository", ProtectedRef, False),
            (410, "repository is in deletion", RepositoryNotFound, False),
            (400, "update branch main: no changes", NoChanges, False),
            (423, "Too many attempts, try again later", LakeBusy, True),
            (429, "Too many attempts, try again later", LakeBusy, True),
            (503, "Throughput exceeded. Slow down and retry", LakeBusy, True),
            (500, "branch is currently locked, try again later", LakeBusy, True),
            (502, "<html>bad gateway</html>", LakeUnavailable, True),
        ],
    )
    def test_of_the_server(self, status: int, message: str, error: type[LakeError], again: bool) -> None:
        """Each has its error, and only what passes by itself is tried again."""
        found = judge("commit to branch 'main'", status, message)
        assert (type(found.error), found.again) == (error, again)
        assert "commit to branch 'main'" in str(found.error)

    def test_keys_that_may_not_are_not_called_unknown(self) -> None:
        """Missing rights, which lakeFS reports with the status of unknown keys, are told as such."""
        assert "do not allow" in str(judge("x", 401, "insufficient permissions").error)
        assert "does not know" in str(judge("x", 401, "error authenticating request").error)

    @pytest.mark.parametrize(
        ("status", "code", "again"),
        [
            (403, "AccessDenied", True),
            (400, "ExpiredToken", True),
            (400, "RequestTimeout", True),
            (503, "SlowDown", True),
            (400, "EntityTooLarge", False),
        ],
    )
    def test_of_the_storage(self, status: int, code: str, again: bool) -> None:
        """Of the storage's text the code is told, and never the rest, which may hold what it signed."""
        body = f"<Error><Code>{code}</Code><StringToSign>made-up-signature</StringToSign></Error>"
        found = judge_storage("put 'x'", status, body.encode())
        assert found.again is again
        assert code in str(found.error)
        assert "made-up-signature" not in str(found.error)

    def test_a_strange_wish_to_wait(self) -> None:
        """A server that wants a negative pause gets none."""
        assert judge("x", 429, "slow down", {"Retry-After": "-1"}).wait_seconds == 0


class TestHistory:
    def test_a_merge_of_a_long_branch_is_found_again(self, server: StandInServer, lake: LakeFSStore) -> None:
        """A lost answer is looked for on the branch's own line, not behind the commits it brought."""
        lake.create_branch("work", MAIN)
        for number in range(120):
            lake.commit("work", f"stage {number}", allow_empty=True)
        commit_files(lake, "work", {"x": "1"})
        server.fail_next(Fault("drop_after", operation="mergeIntoBranch"))
        made = lake.merge("work", MAIN, "publish")
        assert lake.resolve(MAIN) == made.id
        assert len(lake.log(MAIN, first_parent=True)) == 2

    def test_a_merge_that_cannot_be_read_back(self, server: StandInServer, tmp_path: Path) -> None:
        """A merge that was made says so, even when its commit cannot be read."""
        store = connect(server, tmp_path / "cache", retry_seconds=0.1)
        store.create_branch("work", MAIN)
        commit_files(store, "work", {"x": "1"})
        server.fail_next(Fault("status", operation="logCommits", status=503, times=9))
        with pytest.raises(LakeUnavailable, match="the merge is made"):
            store.merge("work", MAIN, "publish")

    def test_a_collection_goes_on_past_a_protected_branch(
        self, server: StandInServer, lake: LakeFSStore
    ) -> None:
        """One branch that may not go is named, and the others go."""
        branches = [Branch(name, lake.create_branch(name, MAIN)) for name in ("run-a", "run-b", "run-c")]
        message = "cannot delete protected branch"
        server.fail_next(Fault("status", operation="deleteBranch", status=403, message=message))
        with pytest.raises(ProtectedRef, match="run-a"):
            lake.gc(branches)
        assert [branch.name for branch in lake.branches()] == [MAIN, "run-a"]


class TestObjects:
    def test_if_absent_is_a_lock(self, server: StandInServer, lake: LakeFSStore, tmp_path: Path) -> None:
        """Another's object with the very same bytes is not taken for one's own after a lost request."""
        connect(server, tmp_path / "other").put(MAIN, "lock", b"mine")
        server.fail_next(Fault("drop_before", operation="uploadObject"))
        with pytest.raises(AlreadyExists):
            lake.put(MAIN, "lock", b"mine", if_absent=True)

    def test_metadata_that_proxies_drop(self, server: StandInServer, lake: LakeFSStore) -> None:
        """Keys with underscores, capitals or other scripts arrive, and none goes as a header of its own."""
        given = {"git_commit": "abc", "Größe": "10 µm", "plain-key": "x", "empty": "", "spaces": "a  b"}
        put = lake.put(MAIN, "x", b"1", metadata=given)
        assert dict(lake.stat(MAIN, "x").metadata) == given == dict(put.metadata)

    def test_etags_that_say_nothing_of_the_bytes(
        self, server: StandInServer, lake: LakeFSStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two foreign objects with one ETag and size are two objects."""
        for path, data in (("a", b"hello"), ("b", b"world")):
            lake.put(MAIN, path, data)
        stat = lake.stat

        def foreign(ref: str, path: str) -> ObjectInfo:
            return replace(stat(ref, path), digest='etag:"0x8D"')

        monkeypatch.setattr(lake, "stat", foreign)
        assert [text_at(lake, MAIN, path) for path in ("a", "b")] == ["hello", "world"]

    def test_an_etag_that_only_looks_like_an_md5(
        self, lake: LakeFSStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Encrypted storage gives 32 hex digits that are no MD5: such an object can be read all the same."""
        lake.put(MAIN, "a", b"hello")
        stat = lake.stat

        def foreign(ref: str, path: str) -> ObjectInfo:
            return replace(stat(ref, path), digest=f"md5:{'0' * 32}")

        monkeypatch.setattr(lake, "stat", foreign)
        assert text_at(lake, MAIN, "a") == "hello"

    def test_a_part_whose_url_has_expired_is_signed_anew(
        self, server: StandInServer, lake: LakeFSStore, tmp_path: Path
    ) -> None:
        """A large upload that outlives its URLs goes on, and does not begin again."""
        file = tmp_path / "large.bin"
        file.write_bytes(os.urandom(MULTIPART_FROM_BYTES))
        server.fail_next(Fault("expired", operation="storage_put", times=2))
        lake.put(MAIN, "large.bin", file)
        assert count(server, "uploadPart") == 2
        assert count(server, "createPresignMultipartUpload") == 1
        assert lake.local_path(MAIN, "large.bin").read_bytes() == file.read_bytes()

    def test_a_missing_repository_is_told_by_a_large_upload_too(
        self, server: StandInServer, tmp_path: Path
    ) -> None:
        """Asking the server what it can do is no sign that the repository is there."""
        store = connect(server, tmp_path / "cache", repository="nowhere")
        with pytest.raises(RepositoryNotFound, match="headrace lake init"):
            store.put(MAIN, "x", bytes(2 << 20))


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no lakeFS: it answers everything with a page."""

    def do_GET(self) -> None:
        page = b"<html>please log in</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Stranger) as listening:
        thread = Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_a_server_that_is_no_lakefs(stranger: str, tmp_path: Path) -> None:
    """A page where JSON was due says that the URL is wrong."""
    store = LakeFSStore(
        repository="demo",
        endpoint=stranger,
        access_key_id="made-up",
        secret_access_key="made-up",
        cache_dir=tmp_path / "cache",
        retry_seconds=0.2,
    )
    for call in (store.branches, lambda: store.stat("0" * 64, "x"), lambda: store.resolve(MAIN)):
        with pytest.raises(LakeError, match="does not answer as lakeFS does"):
            call()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # newer Pythons warn where threads run
def test_a_forked_process_has_connections_of_its_own(lake: LakeFSStore, tmp_path: Path) -> None:
    """Parent and child that use one store at once each get their own answers."""
    for number in range(40):
        lake.put(MAIN, f"{number:02d}", f"{number}".encode())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        try:
            found = [lake.stat(MAIN, f"{number:02d}").path for number in range(40)]
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    ours = [lake.stat(MAIN, f"{number:02d}").path for number in reversed(range(40))]
    with os.fdopen(reader) as answers:
        theirs = json.load(answers)
    os.waitpid(child, 0)
    wanted = [f"{number:02d}" for number in range(40)]
    assert (theirs, ours) == (wanted, wanted[::-1])

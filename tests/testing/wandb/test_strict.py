"""What the stand-in answers to queries, and what it refuses and complains of."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from headrace.testing.wandb import Fault, WandbServer
from tests.testing.wandb.asking import ask, send

START_RUN = """mutation UpsertBucket($name: String) {
  upsertBucket(input: {name: $name, modelName: "demo", config: "{}"}) { bucket { id name } inserted }
}"""
CREATE = """mutation CreateArtifact($input: CreateArtifactInput!) {
  createArtifact(input: $input) { artifact { id state } }
}"""
CREATE_MANIFEST = """mutation CreateArtifactManifest($id: ID!, $digest: String!) {
  createArtifactManifest(input: {artifactID: $id, digest: $digest, name: "wandb_manifest.json", type: FULL,
    entityName: "stand-in-team", projectName: "demo", runName: "r1"}) {
    artifactManifest { file { uploadUrl uploadHeaders } }
  }
}"""
CREATE_FILES = """mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) {
  createArtifactFiles(input: $input) { files { edges { node { uploadUrl uploadHeaders } } } }
}"""
COMMIT = """mutation CommitArtifact($id: ID!) {
  commitArtifact(input: {artifactID: $id}) { artifact { state } }
}"""
CONTENT = b"a,b"


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """A stand-in with the run `r1`; what it complains of is for the test to look at."""
    with WandbServer() as started:
        ask(started, START_RUN, name="r1")
        yield started


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def upload(server: WandbServer, slot: dict[str, Any], content: bytes) -> int:
    headers = dict(header.split(":", 1) for header in slot["uploadHeaders"])
    return send(server, "PUT", slot["uploadUrl"].removeprefix(server.url), content, headers).status


def create(server: WandbServer, digest: str | None = None) -> str:
    """Create an artifact with one file, declare its manifest, and upload that."""
    line = f"wandb-artifact-manifest-v1\nrows.csv:{md5(CONTENT)}\n".encode()
    given = {
        "artifactTypeName": "dataset",
        "artifactCollectionNames": ["table"],
        "entityName": "stand-in-team",
        "projectName": "demo",
        "runName": "r1",
        "digest": digest or hashlib.md5(line, usedforsecurity=False).hexdigest(),
    }
    artifact: str = ask(server, CREATE, input=given).data["createArtifact"]["artifact"]["id"]
    manifest = {
        "version": 1,
        "storagePolicy": "wandb-storage-policy-v1",
        "contents": {"rows.csv": {"digest": md5(CONTENT), "size": len(CONTENT)}},
    }
    body = json.dumps(manifest).encode()
    made = ask(server, CREATE_MANIFEST, id=artifact, digest=md5(body)).data
    assert upload(server, made["createArtifactManifest"]["artifactManifest"]["file"], body) == 200
    return artifact


def open_file(server: WandbServer, artifact: str) -> dict[str, Any]:
    given = {"artifactFiles": [{"artifactID": artifact, "name": "rows.csv", "md5": md5(CONTENT)}]}
    made = ask(server, CREATE_FILES, input=given).data
    slot: dict[str, Any] = made["createArtifactFiles"]["files"]["edges"][0]["node"]
    return slot


def test_an_answer_holds_what_the_query_selects(server: WandbServer) -> None:
    """Aliases, fragments, `@skip` and `@include` shape the answer; nothing else is in it."""
    query = """query Look($with: Boolean!) {
      mine: project(name: "demo", entityName: "stand-in-team") {
        __typename
        ...Named
        id @skip(if: $with)
        found: run(name: "r1") { state displayName @include(if: $with) }
        missing: run(name: "none") { state }
      }
    }
    fragment Named on Project { title: name }"""
    assert ask(server, query, **{"with": True}).data == {
        "mine": {
            "__typename": "Project",
            "title": "demo",
            "found": {"state": "running", "displayName": "r1"},
            "missing": None,
        }
    }
    assert server.complaints == []


def test_introspection_tells_what_the_schema_has(server: WandbServer) -> None:
    """A client that asks which fields there are learns those that the stand-in answers."""
    query = """{
      there: __type(name: "Run") { fields { name } }
      input: __type(name: "UseArtifactInput") { inputFields { name } }
      not: __type(name: "Sweep") { fields { name } }
    }"""
    found = ask(server, query).data
    assert {"name": "historyTail"} in found["there"]["fields"]
    assert {"name": "artifactProjectName"} in found["input"]["inputFields"]
    assert found["not"] is None


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("query Look { viewer { shoeSize } }", "Look: Cannot query field 'shoeSize' on type 'User'."),
        ("mutation Stop { stopRun(input: {id: 1}) { success } }", "Stop: Cannot query field 'stopRun'"),
        ("query Look { project(label: 1) { id } }", "Look: Unknown argument 'label'"),
        ("query Look($x: Sort) { viewer { id } }", "Look: Unknown type 'Sort'"),
        ("query Look { viewer {", "Look: Syntax Error"),
        ('query Look { project(name: "demo") { runs(order: "+loss") { totalCount } } }', "cannot order runs"),
    ],
)
def test_what_the_schema_lacks_is_an_error_and_a_complaint(
    server: WandbServer, query: str, complaint: str
) -> None:
    """An unknown field, operation, argument or type is answered with 400, and the server remembers it."""
    reply = ask(server, query)
    assert reply.status == 400
    assert any(complaint in found for found in server.complaints), server.complaints
    assert reply.errors


def test_an_unknown_route_or_stream_is_a_complaint(server: WandbServer) -> None:
    """What no client asks here is refused: a route, a key of the stream, a file in it, a gap in its lines."""
    stream = "/files/stand-in-team/demo/r1/file_stream"
    gap = {"files": {"wandb-history.jsonl": {"offset": 5, "content": ["{}"]}}}
    assert send(server, "GET", "/healthz").status == 404
    for document in ({"colour": 1}, {"files": {"x.bin": {"offset": 0, "content": []}}}, gap):
        assert send(server, "POST", stream, json.dumps(document).encode()).status == 400
    assert len(server.complaints) == 4


def test_a_request_without_the_key_is_refused(server: WandbServer) -> None:
    """Queries and streams need the key: 401 without it, which is no complaint."""
    assert ask(server, "{ viewer { id } }", key="other").status == 401
    stream = "/files/stand-in-team/demo/r1/file_stream"
    assert send(server, "POST", stream, b"{}", key="other").status == 401
    assert server.complaints == []


def test_a_client_that_goes_away_is_no_complaint(server: WandbServer) -> None:
    """A request that ends in the middle of its body changes nothing, and the next one is answered."""
    host, port = urlsplit(server.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /graphql HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
    assert ask(server, "{ viewer { entity } }").data == {"viewer": {"entity": "stand-in-team"}}
    assert (server.complaints, server.operations[-1]) == ([], "anonymous")


def test_a_fault_of_an_unknown_kind_is_an_error() -> None:
    """A test that misspells a fault does not pass for want of it."""
    with pytest.raises(ValueError, match="no such kind of fault: 'rest'; there are status, status_after"):
        Fault(kind="rest")  # type: ignore[arg-type]


def test_a_commit_needs_every_file(server: WandbServer) -> None:
    """The commit is refused while the file is missing, and accepted once its bytes are there."""
    artifact = create(server)
    reply = ask(server, COMMIT, id=artifact)
    assert (reply.status, reply.errors) == (400, ["cannot commit table: rows.csv did not arrive"])
    slot = open_file(server, artifact)
    assert upload(server, slot, b"a,c") == 400
    assert ask(server, COMMIT, id=artifact).status == 400
    assert upload(server, slot, CONTENT) == 200
    assert ask(server, COMMIT, id=artifact).data["commitArtifact"]["artifact"]["state"] == "COMMITTED"
    assert server.store.artifact("demo/table:latest").files["rows.csv"].content == CONTENT
    assert server.complaints == []


def test_a_commit_needs_the_declared_digest(server: WandbServer) -> None:
    """An artifact whose manifest has another digest than was declared is refused."""
    artifact = create(server, digest="0" * 32)
    upload(server, open_file(server, artifact), CONTENT)
    assert "the artifact declared 000" in ask(server, COMMIT, id=artifact).errors[0]
    assert server.store.collection("demo/table").versions == []


def test_an_upload_needs_the_headers_of_its_url(server: WandbServer) -> None:
    """A URL is signed with the MD5: without that header, or under another URL, nothing is taken."""
    slot = open_file(server, create(server))
    path = slot["uploadUrl"].removeprefix(server.url)
    assert send(server, "PUT", path, CONTENT).status == 403
    assert send(server, "PUT", "/storage/none/rows.csv", CONTENT).status == 403
    assert len(server.complaints) == 2

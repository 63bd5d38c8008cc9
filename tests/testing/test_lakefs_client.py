"""The stand-in behind the real client library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.testing.lakefs import StandInServer

lakefs_client = pytest.importorskip("lakefs_client")


@pytest.fixture
def client(server: StandInServer) -> Any:
    from lakefs_client.client import LakeFSClient

    configuration = lakefs_client.Configuration(
        host=server.endpoint, username=server.access_key_id, password=server.secret_access_key
    )
    made = LakeFSClient(configuration)
    yield made
    # The library never closes its pool of connections.
    made.repositories_api.api_client.rest_client.pool_manager.clear()


def test_from_repository_to_merge(client: Any, tmp_path: Path) -> None:
    """lakefs_client goes from a new repository to a merge, and reads back what it wrote."""
    from lakefs_client import models

    client.repositories_api.create_repository(
        models.RepositoryCreation(name="lake", storage_namespace="local://lake")
    )
    head = client.branches_api.get_branch("lake", "main").commit_id
    assert (
        client.branches_api.create_branch("lake", models.BranchCreation(name="work", source="main")) == head
    )
    source = tmp_path / "data.csv"
    source.write_bytes(b"a,b\n1,2\n" * 10_000)
    with source.open("rb") as file:
        stats = client.objects_api.upload_object("lake", "work", "data/data.csv", content=file)
    assert stats.size_bytes == 80_000
    commit = client.commits_api.commit(
        "lake", "work", models.CommitCreation(message="m", metadata={"run": "r"})
    )
    changes = client.refs_api.diff_refs("lake", "main", "work").results
    assert [(change.path, change.type) for change in changes] == [("data/data.csv", "added")]
    merged = client.refs_api.merge_into_branch("lake", "work", "main", merge=models.Merge(message="publish"))
    log = client.refs_api.log_commits("lake", "main").results
    assert (log[0].id, log[0].parents) == (merged.reference, [head, commit.id])
    assert [found.path for found in client.objects_api.list_objects("lake", "main").results] == [
        "data/data.csv"
    ]
    with client.objects_api.get_object("lake", "main", "data/data.csv") as file:
        assert file.read() == source.read_bytes()


def test_errors_reach_the_client(client: Any) -> None:
    """Refusals arrive as the library's own exceptions, with lakeFS's body."""
    from lakefs_client import models
    from lakefs_client.exceptions import ApiException, NotFoundException

    with pytest.raises(NotFoundException, match="branch not found"):
        client.branches_api.get_branch("repo", "none")
    with pytest.raises(ApiException, match="commit: no changes") as refused:
        client.commits_api.commit("repo", "main", models.CommitCreation(message="m"))
    assert refused.value.status == 400

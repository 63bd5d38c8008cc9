"""What the stand-in refuses that no correct client sends, and its check against lakeFS's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.testing.lakefs import StandInServer, find_spec
from headrace.testing.lakefs.routing import ROUTES
from headrace.testing.lakefs.spec import SPEC_VARIABLE, Specification

needs_spec = pytest.mark.skipif(find_spec() is None, reason="lakeFS's swagger.yml is not beside the checkout")
BRANCHES = "/repositories/repo/branches"


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("GET", "/no/such/route", None, {}),
        ("GET", BRANCHES, None, {"limit": 3}),
        ("GET", BRANCHES, None, {"amount": 1001}),
        ("GET", BRANCHES, None, {"amount": "many"}),
        ("POST", BRANCHES, {"name": "a"}, {}),
        ("POST", BRANCHES, {"name": "a", "source": "main", "colour": "red"}, {}),
        ("POST", BRANCHES, {"name": "a", "source": 3}, {}),
        ("POST", BRANCHES, ["a"], {}),
        ("POST", f"{BRANCHES}/main/commits", {"message": "m", "metadata": {"run": 3}}, {}),
        ("PUT", f"{BRANCHES}/main", {"type": "everything"}, {}),
        ("GET", "/repositories/repo/refs/main/objects/stat", None, {}),
        ("GET", "/repositories/repo/refs/main/diff/main", None, {"type": "four_dot"}),
        ("GET", "/repositories/repo/refs/main/commits", None, {"since": "2020-01-01"}),
    ],
)
@pytest.mark.parametrize("checked", [False, True])
def test_wrong_requests(
    talk: Any, checked: bool, method: str, path: str, body: Any, query: dict[str, Any]
) -> None:
    """A request that no correct client sends is a 400 and a violation, with and without the description."""
    with StandInServer(spec=find_spec() if checked else None) as server:
        server.create_repository("repo")
        answer = talk(server)(method, path, body, **{f"{name}_": value for name, value in query.items()})
        assert answer.status == 400
        assert len(server.violations) == 1
        assert server.violations[0].startswith(f"{method} /api/v1{path}: ")


def test_wrong_bodies(lax: StandInServer, lax_api: Any) -> None:
    """A body of the wrong content type, or that is no JSON, is a violation."""
    wrong_type = {"Content-Type": "text/plain"}
    assert lax_api("POST", BRANCHES, data=b"{}", headers=wrong_type).status == 400
    assert lax_api("POST", BRANCHES, data=b"{", headers={"Content-Type": "application/json"}).status == 400
    assert lax_api("POST", f"{BRANCHES}/main/objects", data=b"x", headers=wrong_type, path_="x").status == 400
    assert len(lax.violations) == 3


def test_false_link(lax: StandInServer, lax_api: Any) -> None:
    """Linking an address with a size that its bytes have not is a violation, which lakeFS would miss."""
    target = f"{BRANCHES}/main/staging/backing"
    place = lax_api("GET", target, path_="x", presign="true").json
    lax_api.send("PUT", place["presigned_url"], b"hello")
    body = {
        "staging": {"physical_address": place["physical_address"]},
        "checksum": "abc",
        "size_bytes": 6,
    }
    assert lax_api("PUT", target, body, path_="x").status == 400
    assert "6 bytes declared" in lax.violations[0]


def test_log_of_requests(server: StandInServer, api: Any) -> None:
    """Each request is logged with its operation and status, without a secret."""
    place = api("GET", f"{BRANCHES}/main/staging/backing", path_="x", presign="true").json
    api.send("PUT", place["presigned_url"], b"hello")
    api("GET", f"{BRANCHES}/none")
    logs = [(log.operation_id, log.status) for log in server.requests]
    assert logs == [("getPhysicalAddress", 200), ("storage_put", 200), ("getBranch", 404)]
    assert server.requests[0].query == {"path": "x", "presign": "true"}
    assert "Signature" not in repr(server.requests)
    assert server.secret_access_key not in repr(server.requests)


def test_spec_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment says where the description lies, before any other place."""
    monkeypatch.setenv(SPEC_VARIABLE, str(tmp_path / "api.yml"))
    assert find_spec() == tmp_path / "api.yml"


@needs_spec
def test_every_route_is_in_the_description() -> None:
    """Each route's method, path, operation, parameters and fields are those of lakeFS's description."""
    import yaml

    document = yaml.load(find_spec().read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    components = document["components"]
    for route in ROUTES:
        item = document["paths"]["/" + "/".join(route.segments)]
        operation = item[route.method.lower()]
        assert operation["operationId"] == route.operation
        parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
        found = [
            components["parameters"][each["$ref"].split("/")[-1]] if "$ref" in each else each
            for each in parameters
        ]
        assert set(route.query) == {each["name"] for each in found if each["in"] == "query"}, route.operation
        if route.required or route.optional:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            fields = components["schemas"][schema["$ref"].split("/")[-1]]
            assert set(route.required) == set(fields.get("required", [])), route.operation
            assert set(route.required) | set(route.optional) == set(fields["properties"]), route.operation


@needs_spec
def test_our_own_answers_are_checked(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of the stand-in that breaks the description is a violation as well."""
    with StandInServer(spec=find_spec()) as server:
        repository = server.create_repository("repo")
        monkeypatch.setattr(repository, "created", "yesterday")
        assert talk(server)("GET", "/repositories/repo").status == 200
        assert len(server.violations) == 1
        assert (
            "our answer 200: body.creation_date: 'yesterday' is not of type 'integer'" in server.violations[0]
        )


@needs_spec
def test_description_is_read_once() -> None:
    """Reading the same description again costs nothing."""
    assert Specification.read(find_spec()) is Specification.read(find_spec())

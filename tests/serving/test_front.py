"""Tests of what holds for every route: ids, token, CORS, errors."""

from __future__ import annotations

import json

import pytest

from headrace.serving.models_page import example_of
from tests.serving.conftest import Service
from tests.serving.small_model import ROW, SmallModel

BODY = {"records": [ROW]}
OPEN = ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"]
CLOSED = [
    "/metrics",
    "/models",
    "/models/flights",
    "/openapi.json",
    "/docs",
    "/v2",
    "/v2/models/flights",
    "/no",
]


@pytest.mark.parametrize("path", [*OPEN, *CLOSED[:-1]])
def test_every_page_is_there(service: Service, path: str) -> None:
    """Each route answers 200 with a request id, and is counted under its pattern."""
    answer = service.ask("GET", path)
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]
    pattern = path.replace("flights", "{name}")
    assert f'route="{pattern}"' in service.metrics.text().decode()


def test_the_token_is_wanted_everywhere_but_of_health() -> None:
    """Without the token, or with another one, everything but the health of the service is 401."""
    service = Service(token="secret")
    for headers in ({}, {"authorization": "Bearer other"}, {"authorization": "Bearer secret2"}):
        for path in CLOSED:
            answer = service.ask("GET", path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert service.ask("POST", "/predict", json=BODY, headers=headers).status_code == 401
        assert [service.ask("GET", path, headers=headers).status_code for path in OPEN] == [200] * 4
    for scheme in ("Bearer", "bearer"):  # RFC 7235: a scheme's case says nothing
        answer = service.ask("POST", "/predict", json=BODY, headers={"authorization": f"{scheme} secret"})
        assert answer.status_code == 200
    assert "secret" not in service.lines.getvalue()


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, "-x", 'a"b', "a\x7fb"])
def test_an_odd_request_id_is_replaced(service: Service, given: str) -> None:
    """An id that is long or odd is not taken into headers, logs and the lake: a new one is made."""
    answer = service.ask("GET", "/health/live", headers={"x-request-id": given})
    assert len(answer.headers["x-request-id"]) == 32


def test_other_sites_are_kept_out(service: Service) -> None:
    """Without `allow_origins` no answer has a header of CORS; with it, the origins that are named do."""
    headers = {"origin": "https://a.example", "access-control-request-method": "POST"}
    assert service.ask("OPTIONS", "/predict", headers=headers).status_code == 405
    answer = service.ask("POST", "/predict", json=BODY, headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    open_to_one = Service(allow_origins=["https://a.example"])
    answer = open_to_one.ask("POST", "/predict", json=BODY, headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    wanted = {**headers, "access-control-request-headers": "authorization,content-type"}
    assert open_to_one.ask("OPTIONS", "/predict", headers=wanted).status_code == 200
    other = open_to_one.ask("POST", "/predict", json=BODY, headers={"origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers


def test_what_is_not_there_is_told(service: Service) -> None:
    """An unknown model gets the nearest name, an unknown path and method say what they are."""
    answer = service.ask("POST", "/models/flihgts/predict", json=BODY)
    assert (answer.status_code, answer.json()["did_you_mean"]) == (404, "did you mean flights?")
    assert service.ask("GET", "/nothing").json()["error"].startswith("Not Found: GET /nothing")
    wrong = service.ask("GET", "/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_a_service_that_is_not_ready_says_so(service: Service) -> None:
    """Until its models are loaded a service lives, is not ready, and answers 503."""
    service.host.ready = False
    assert service.ask("GET", "/health/live").status_code == 200
    assert service.ask("GET", "/health/ready").status_code == 503
    assert service.ask("GET", "/v2/health/ready").status_code == 503
    answer = service.ask("POST", "/predict", json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert service.ask("GET", "/openapi.json").status_code == 200


def test_several_models_have_each_their_path() -> None:
    """`/predict` is the first model; each has its own path, example and place in the document."""
    service = Service(SmallModel("flights", 3), SmallModel("penguins", 8))
    assert service.ask("POST", "/predict", json=BODY).json()["model"] == "flights"
    assert service.ask("POST", "/models/penguins/predict", json=BODY).json()["version"] == 8
    listed = service.ask("GET", "/models").json()["models"]
    assert [(one["name"], one["version"]) for one in listed] == [("flights", 3), ("penguins", 8)]
    paths = service.ask("GET", "/openapi.json").json()["paths"]
    assert {"/predict", "/models/penguins/predict", "/v2/models/penguins/infer"} <= set(paths)


def test_the_example_may_be_sent_as_it_is(service: Service) -> None:
    """What the service gives as an example it answers as the model did when it was made."""
    example = service.ask("GET", "/models/flights/example").json()
    assert example == example_of(service.model) == BODY
    told = service.ask("GET", "/models/flights").json()
    assert service.ask("POST", "/predict", json=example).json()["predictions"] == ["yes"]
    assert (told["example"], told["expected"]) == (example, [{"prediction": "yes"}])
    assert [column["name"] for column in told["signature"]["inputs"]] == list(ROW)


def test_the_page_loads_nothing_from_elsewhere(service: Service) -> None:
    """The page for people has the schema and an example, and names no other host."""
    page = service.ask("GET", "/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "/models/flights/predict" in page.text
    assert "&quot;colour&quot;: &quot;red&quot;" in page.text


def test_a_log_line_cannot_be_forged(service: Service) -> None:
    """A path with line ends, quotes or lone surrogates is one line of JSON."""
    for path in ("/a%0a%7b%22level%22:%22error%22%7d", "/%ff%fe", "/%ed%a0%80"):
        service.ask("GET", path)
    lines = service.lines.getvalue().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [404] * 3

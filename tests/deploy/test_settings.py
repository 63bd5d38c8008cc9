"""What `flows.deploy` may be asked: one thing at a time, and every problem told at once."""

from __future__ import annotations

import pytest

from flows.deploy import parse
from headrace.deploy.settings import DeploySettings, Request
from headrace.errors import ConfigError


def load(*words: str) -> DeploySettings:
    return parse(words)[0]


def request(*words: str) -> Request:
    return load("model=birds", *words).request


def test_a_run_goes_to_production_through_the_gate() -> None:
    """So it is without another word; an id that looks like a number stays text."""
    assert request("run=20261124") == Request(
        model="birds", action="run", alias="production", run="20261124", gate=True
    )


@pytest.mark.parametrize(
    ("words", "alias", "share", "gate", "clears"),
    [
        (["version=3", "alias=staging"], "staging", None, False, ()),
        (["version=3", "alias=canary"], "canary", 0.1, False, ()),
        (["version=3", "alias=canary", "share=0.3"], "canary", 0.3, False, ()),
        (["promote=canary"], "production", None, True, ("canary",)),
        (["promote=staging"], "production", None, True, ()),
        (["rollback=true"], "production", None, False, ()),
        (["remove=canary"], "canary", None, False, ()),
        (["version=3", "alias=blue"], "blue", None, False, ()),
        (["version=3", "alias=blue", "aliases.blue.gate=true"], "blue", None, True, ()),
        (["version=3", "alias=blue", "aliases.blue.share=0.5"], "blue", 0.5, False, ()),
    ],
)
def test_aliases_have_their_meaning_from_the_config(
    words: list[str], alias: str, share: float | None, gate: bool, clears: tuple[str, ...]
) -> None:
    """Whether the gate is asked and what share of the traffic there is: by the alias that moves."""
    found = request(*words)
    assert (found.alias, found.share, found.gate, found.clears) == (alias, share, gate, clears)


@pytest.mark.parametrize("name", ["../birds", "a/b", "birds@production"])
def test_a_name_that_no_model_can_have_is_told(name: str) -> None:
    """Names become files of the journal: one with a path in it would leave its folder."""
    with pytest.raises(ConfigError, match="is no name for a model"):
        parse([f"model={name}", "run=latest"])


def test_a_reason_is_any_text() -> None:
    """Commas, colons and brackets are no syntax."""
    assert request("version=3", "force=a demo, really: [yes]").force == "a demo, really: [yes]"


def test_bounds_of_a_canary_can_be_changed() -> None:
    """Also what to wait for."""
    found = load("model=birds", "promote=canary", "canary.min_requests=7", "wait_seconds=3")
    assert (found.canary.min_requests, found.canary.max_error_rate, found.wait_seconds) == (7, 0.01, 3.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=birds"], "nothing says what to deploy"),
        (["model=birds", "run=latest", "version=3"], "run and version exclude each other"),
        (["run=latest"], "model: has no value"),
        (["model=birds", "verson=3"], "did you mean version=…?"),
        (["model=birds", "version=three"], "version: "),
        (["model=birds", "version=3", "alias=v3"], "a name that W&B gives itself"),
        (["model=birds", "version=3", "alias=latest"], "a name that W&B gives itself"),
        (["model=birds", "version=3", "alias=a/b"], "is no name"),
        (["model=birds", "version=3", "alias=canary", "share=1.5"], "1.5 is no share of the traffic"),
        (["model=birds", "version=3", "share=0.5"], "production has no share of the traffic"),
        (["model=birds", "promote=production"], "cannot be promoted to itself"),
        (["model=birds", "remove=production"], "production is what services answer by"),
        (["model=birds", "version=3", "force= "], "gives no reason"),
        (["model=birds", "version=3", "wait_seconds=-1"], "no number of seconds"),
        (["model=birds", "version=3", "canary.min_request=1"], "did you mean min_requests?"),
        (["model=birds", "version=3", "run.id=1"], "there is no such key"),
        (["model=birds", "version=[3"], "is no value"),
    ],
)
def test_a_mistake_says_what_to_type(words: list[str], said: str) -> None:
    """Wrong keys, values and combinations are told before anything is opened."""
    with pytest.raises(ConfigError) as found:
        load(*words)
    assert said in str(found.value)


def test_every_problem_is_told_at_once() -> None:
    """A second mistake does not wait for the first to be mended."""
    with pytest.raises(ConfigError) as found:
        load("modle=birds", "version=3", "share=7")
    wheres = {problem.where for problem in found.value.problems}
    assert {"modle", "model", "share"} <= wheres

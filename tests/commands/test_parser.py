"""Words on the command line of `headrace` that mean nothing, and errors for scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Ask


@pytest.mark.parametrize(
    ("words", "said", "usage"),
    [
        ("rnus", "headrace has no command 'rnus': did you mean runs?", "usage: headrace [-h]"),
        ("lake lgo", "headrace lake has no verb 'lgo': did you mean log?", "usage: headrace lake [-h]"),
        ("lake log --jsno", "does not know --jsno (did you mean --json?)", "lake log [-h]"),
        ("lake log main x", "headrace lake log does not know x\n", "usage: headrace lake log [-h]"),
        ("server stat", "headrace server has no action 'stat': did you mean status?", "server [-h]"),
    ],
)  # fmt: skip
def test_a_word_that_means_nothing_is_told_with_what_would(
    words: str, said: str, usage: str, ask: Ask
) -> None:
    """Exit code 2, the nearest verb or option, and the usage of the verb concerned."""
    found = ask(*words.split())
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: ")
    assert said in found.err
    assert usage in found.err


def test_hints_are_what_these_commands_take(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake and a schema are options of their own, another key comes after -o, a variable stays one."""
    assert "did you mean --lake lakefs?" in ask("lake", "log", "--lake", "lakfs").err
    (project / "in").mkdir()
    said = ask("lake", "import", "in", "raw", "--schema", "penguin").err
    assert "did you mean --schema penguins?" in said
    assert "did you mean -o lake.root=3?" in ask("lake", "log", "-o", "lake.rot=3").err
    monkeypatch.delenv("HEADRACE_LAKE_REPOSITORY", raising=False)
    said = ask("lake", "log", "--lake", "lakefs").err
    assert "type: -o lake.repository=<name>, or export HEADRACE_LAKE_REPOSITORY=<name>" in said


def test_errors_for_scripts_are_json(ask: Ask) -> None:
    """With --json an error is the one document on stdout, whatever was wrong; the exit code is the same."""
    for words, kind, code in (
        ("lake log --json", "RepositoryNotFound", 1),
        ("lake import nowhere raw --json", "ImportFailed", 1),
        ("lake lgo --json", "WrongWord", 2),
        ("show nothing --json", "RunNotFound", 1),
    ):
        said = ask(*words.split())
        assert (said.code, said.err) == (code, "")
        assert said.json["error"]["kind"] == kind
        assert said.json["error"]["exit_code"] == code
    wrong = ask("lake", "log", "--lake", "lakfs", "--json").json["error"]
    assert wrong["problems"][0]["where"] == "lake"

"""The secrets of a past run, which are given again."""

from __future__ import annotations

import pytest

from headrace.core.secrets import REDACTED
from headrace.errors import CannotReproduce, WrongWord
from headrace.reproduce.secret import check_given, fill_in, find_redacted

CONFIG = {"a": {"password": REDACTED, "urls": ["x", f"pg://{REDACTED}@host"]}, "text": "costs ${5}"}


def test_secrets_are_found_by_key() -> None:
    """Also inside lists and inside URLs."""
    assert find_redacted(CONFIG) == ["a.password", "a.urls[1]"]


def test_every_secret_is_asked_for() -> None:
    """The message names each, and is a command to type."""
    with pytest.raises(CannotReproduce, match=r"run=7 'a.urls\[1\]=\$\{oc.env:NAME"):
        check_given(CONFIG, {"a.password": "p"}, "7")
    check_given(CONFIG, {"a.password": "p", "a.urls[1]": "u"}, "7")


def test_what_is_no_secret_cannot_be_given() -> None:
    """The rest of the config is as recorded, or it would be another run."""
    with pytest.raises(WrongWord, match=r"did you mean a.password=…\?"):
        check_given(CONFIG, {"a.pasword": "p"}, "7")
    with pytest.raises(WrongWord, match="no secrets to give"):
        check_given({"a": 1}, {"a.b": "p"}, "7")


def test_secrets_are_filled_in_and_the_rest_stands() -> None:
    """What is given may be looked up in the environment; a text of the record may not."""
    filled = fill_in(CONFIG, {"a.password": "${oc.env:P}", "a.urls[1]": "u"})
    assert filled == {"a": {"password": "${oc.env:P}", "urls": ["x", "u"]}, "text": "costs \\${5}"}

"""What a sweep is asked to do."""

from __future__ import annotations

from headrace.sweeps.asked import LEFT_OUT, NOT_PUBLISHED, alone


def test_a_job_alone_is_the_same_but_publishes() -> None:
    """Every word stays, also the file of the sweep, which may set more than how to search."""
    words = ["+experiment=x", "+sweep=mine", "model.C=1"]
    assert alone([*words, NOT_PUBLISHED]) == words


def test_a_job_alone_leaves_nothing_out() -> None:
    """What jobs of a sweep do without, a run that publishes has; a word that was typed stays."""
    words = ["+experiment=x", "leave_out=[explain]"]
    assert alone([*words, NOT_PUBLISHED, f"{LEFT_OUT}[explain,package,smoke]"]) == words

"""A canary's share is by key, and it goes when its errors or its latency show that it is worse."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headrace.serving.canary import EVERY, Comparison, is_in_share
from headrace.serving.settings import CanarySettings


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_greater_share_keeps_every_key_of_a_smaller_one(key: str, one: float, other: float) -> None:
    """Raising the share sends nobody back."""
    small, great = sorted((one, other))
    assert not is_in_share("m", key, small) or is_in_share("m", key, great)
    assert not is_in_share("m", key, 0.0)


def test_two_models_share_out_different_keys() -> None:
    """The model's name is part of the draw: not always the same clients meet every canary."""
    keys = [str(number) for number in range(200)]
    assert [is_in_share("a", key, 0.5) for key in keys] != [is_in_share("b", key, 0.5) for key in keys]


def test_a_slow_canary_goes_once_it_has_answered_enough() -> None:
    """Its median counts against that of the stable version in the same time."""
    found = Comparison(CanarySettings(min_requests=10, max_latency_ratio=2.0))
    for _ in range(9):
        found.observe("stable", 0.010, False)
        found.observe("canary", 0.030, False)
    assert found.why_return() is None
    found.observe("canary", 0.030, False)
    assert found.why_return() == ("30.0 ms at the median against 10.0 ms, and 2 times as much is allowed")


def test_errors_within_the_bound_are_borne() -> None:
    """One failure of two hundred requests is less than a hundredth; the figures tell it."""
    found = Comparison(CanarySettings())
    found.observe("canary", 0.01, True)
    for _ in range(199):
        found.observe("canary", 0.01, False)
        found.observe("stable", 0.01, False)
    assert found.why_return() is None
    assert found.figures()["canary"] == {"requests": 200, "errors": 1, "p50_ms": 10.0}


def test_latencies_are_looked_at_every_few_requests() -> None:
    """A canary that becomes slow is found a few requests later, and the others pay for no median."""
    found = Comparison(CanarySettings(min_requests=1))
    found.observe("stable", 0.01, False)
    said = []
    for _ in range(1 + EVERY):
        found.observe("canary", 0.01 if not said else 1.0, False)
        said.append(found.why_return())
    assert said[:-1] == [None] * EVERY
    assert said[-1] is not None

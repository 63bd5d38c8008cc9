"""A service that keeps no predictions."""

from __future__ import annotations

from headrace.serving.roles import Prediction


class NoLog:
    """Takes predictions and forgets them."""

    def write(self, prediction: Prediction) -> None:
        """Forget it."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

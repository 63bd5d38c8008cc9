"""Runs in Weights & Biases: what a run logs, what it read and made, and what is left to do there later."""

from headrace.adapters.tracker_wandb.mode import choose_mode
from headrace.adapters.tracker_wandb.recorder import keep_recorders
from headrace.adapters.tracker_wandb.tracker import WandbTracker

__all__ = ["WandbTracker", "choose_mode", "keep_recorders"]

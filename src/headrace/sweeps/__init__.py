"""Sweeps: many runs of one experiment, planned as a whole."""

from headrace.sweeps.start import SweepRequest, start_sweep

__all__ = ["SweepRequest", "start_sweep"]

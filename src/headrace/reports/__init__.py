"""Reports of runs and sweeps: what they say, and how it is rendered."""

"""The parts of `benchmarks/lake.py`."""

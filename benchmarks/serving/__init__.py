"""What `benchmarks/serve.py` starts: servers, and a load from a second process."""

"""What `benchmarks/serve.py` starts and asks: a project with a model, servers of it, and a load."""

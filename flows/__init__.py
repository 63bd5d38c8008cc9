"""Prefect flows and Hydra entry points, thin: parse, assemble, run, tell."""

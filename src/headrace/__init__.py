"""headrace: declarative machine-learning pipelines on Hydra, Prefect, lakeFS, Pandera and W&B."""

__version__ = "0.1.0"

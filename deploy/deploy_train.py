"""Give the worker of compose.yaml an experiment to run, whenever somebody asks for it.

python deploy/deploy_train.py penguins
prefect deployment run train/penguins
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

POOL = "headrace"


def make_deployment(experiment: str) -> RunnerDeployment:
    """Return a deployment of `flows.train`, named after its experiment, with the lake of the team."""
    from prefect.types.entrypoint import EntrypointType

    from flows.train import train

    deployment: RunnerDeployment = train.to_deployment(
        experiment,
        work_pool_name=POOL,
        entrypoint_type=EntrypointType.MODULE_PATH,
        parameters={"overrides": [f"+experiment={experiment}", "lake=team"]},
    )
    return deployment


if __name__ == "__main__":
    make_deployment(sys.argv[1]).apply()

"""Deploying: an alias moves in the lake, in W&B and in the services of this machine as one step."""

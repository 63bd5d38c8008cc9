"""What the command `headrace` can be asked: one module a topic, `lake_*` for the parts of a large one."""

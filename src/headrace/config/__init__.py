"""From composed YAML to specs; nothing else looks inside a DictConfig."""

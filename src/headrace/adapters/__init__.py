"""What touches the world: one port and one vendor a module."""

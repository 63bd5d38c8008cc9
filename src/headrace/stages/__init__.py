"""The stages of the life cycle, as plain functions."""

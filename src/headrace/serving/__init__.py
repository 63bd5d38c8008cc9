"""The prediction service: HTTP in, checked rows, batches, several versions side by side, a log of it all."""

"""Torch models behind the scikit-learn estimator interface."""

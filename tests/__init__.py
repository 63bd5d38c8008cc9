"""A package by name, since a package that ships data installs another folder `tests`."""

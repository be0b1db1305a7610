"""The command line `ece` (design.md section 5): one file per command, :mod:`ece_core.cli.main` ties them together."""

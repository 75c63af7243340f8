"""Reproducible measurements: `python -m benchmarks.NAME [--small]` prints one row of a table for each result."""

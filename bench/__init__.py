"""Measurements: `make bench` runs them all and prints the rows of docs/benchmarks.md."""

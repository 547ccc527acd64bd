"""Measurements: `make bench` runs them all, records docs/benchmarks.json and writes docs/benchmarks.md from it."""

"""Figures of speed, taken on purpose by `scripts/benchmark` and never by a test: see docs/benchmarks.md."""

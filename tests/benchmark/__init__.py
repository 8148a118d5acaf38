"""Benchmarks of the integration, as ratios within one run."""

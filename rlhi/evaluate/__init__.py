"""Evaluate: suites, statistics, drift and the gate."""

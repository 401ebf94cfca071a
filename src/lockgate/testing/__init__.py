"""Shipped suites: what every backend and store must pass, and what tests of plugins need."""

"""Spark: a stage's driver on the hub's host, its executors where the master puts them."""

"""The program that checks a table: sent to a job as one file, run there by a runtime of its own.

It knows nothing of the rest of Lockgate: polars and pandera are all it needs.
"""

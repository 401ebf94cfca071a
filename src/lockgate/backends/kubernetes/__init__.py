"""Kubernetes: batch/v1 Jobs by the official client, watched, with files shared or carried over HTTP."""

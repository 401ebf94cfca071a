"""Runtimes: software that is locked, built once and found again."""

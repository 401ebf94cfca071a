"""Runs under way: the queue is taken up, jobs are laid out, results are recorded."""

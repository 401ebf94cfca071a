"""Capture of what is executed: from the kernels' own broadcast to the journal of the project."""

"""What a project declares: its files, stages, parameters, runtime."""

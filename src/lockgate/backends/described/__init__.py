"""A batch system that a lead described in `lockgate.toml`, by commands and regular expressions."""

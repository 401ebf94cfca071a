"""Faces on the command line: parse, call one function, show."""

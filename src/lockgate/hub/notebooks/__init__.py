"""Notebooks in git: merged by cell, shown as text, their outputs kept out where the project says so."""

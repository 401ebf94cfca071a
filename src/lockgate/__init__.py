"""Lockgate: git push your data science; get results you can prove."""

__version__ = "0.3.0"

"""Tools of projects beside JupyterLab: found, confirmed by the member, started, and passed on to."""

"""A notebook as Jupyter writes it, from the sources of its cells."""

from __future__ import annotations

import json


def notebook(
    *sources: str, kernel: str = "python3", display_name: str = "Python 3", language: str = "python"
) -> str:
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for n, text in enumerate(sources)
    ]
    specification = {"name": kernel, "display_name": display_name, "language": language}
    metadata = {"kernelspec": specification}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})

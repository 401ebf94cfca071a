"""The texts that a described batch system is handed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.backends.ledger import WRAPPER
from lockgate.project.described import ArrayDescription
from lockgate.runs.jobscript import quoted

SCRIPT = "submission.sh"


def script_text(key: str, folder: str, job_folders: Sequence[str], array: ArrayDescription | None) -> str:
    """Return the script that the batch system runs for a job: it calls the wrapper on the job's folder.

    Systems copy a script to where they like and start it where they like, so every path in it is whole.
    `job_folders` are many only for an array.
    """
    lines = ["#!/bin/sh", f"# Lockgate: {key}"]
    if array is None:
        lines.append(f"folder={quoted(job_folders[0])}")
    else:
        lines.append(f"case ${{{array.variable}}} in")
        lines += [f"{array.first + n}) folder={quoted(each)} ;;" for n, each in enumerate(job_folders)]
        lines += [f'*) echo "no job has the number {array.variable} says" >&2 && exit 64 ;;', "esac"]
    lines.append(f'exec /bin/sh {quoted(f"{folder}/{WRAPPER}")} "$folder"')
    return "\n".join(lines) + "\n"

"""Check a table: `python check.pyz check PATH RULES REPORT [ACCEPTED]`; suggest rules: `… suggest PATH`.

`check-by-spark` in the place of `check` lets Spark go over the rows of Parquet.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .check import BrokenLookError, check
from .rules import read_rules
from .suggest import suggest
from .table import UnreadableError

#: The exit codes of rules that do not hold, and of a look that broke off.
FAILED, BROKEN = 1, 3


def main(words: list[str]) -> int:
    """Do what is asked and return the exit code."""
    # A message must not fail for a name that the terminal's encoding lacks
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    if words[0] == "suggest":
        try:
            sys.stdout.write(json.dumps(suggest(words[1])))
        except UnreadableError as error:
            sys.stderr.write(f"{words[1]} {error.words}\n")
            return FAILED
        return 0
    how, path, rules, report, *accepted = words
    before = json.loads(Path(accepted[0]).read_bytes()) if accepted and Path(accepted[0]).exists() else {}
    looking = None
    if how == "check-by-spark":
        from .by_spark import SparkLook, is_parquet  # noqa: PLC0415  (only where it is asked for)

        looking = SparkLook if is_parquet(path) else None
    try:
        found = check(path, read_rules(Path(rules).read_bytes()), before.get("profiles", {}), looking)
    except BrokenLookError as error:
        sys.stderr.write(f"{error}\n")
        return BROKEN
    os.makedirs(os.path.dirname(report) or ".", exist_ok=True)
    Path(report).write_text(found.to_json(), encoding="utf-8")
    sys.stdout.write("\n".join(found.lines()) + "\n")
    return 0 if found.has_passed else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

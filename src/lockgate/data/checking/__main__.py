"""Check a table: `python check.pyz check PATH RULES REPORT [ACCEPTED]`; suggest rules: `… suggest PATH`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from .check import check
from .rules import read_rules
from .suggest import suggest
from .table import UnreadableError

#: The exit code of rules that do not hold.
FAILED = 1


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
    _, path, rules, report, *accepted = words
    before = json.loads(Path(accepted[0]).read_bytes()) if accepted and Path(accepted[0]).exists() else {}
    found = check(path, read_rules(Path(rules).read_bytes()), before.get("profiles", {}))
    os.makedirs(os.path.dirname(report) or ".", exist_ok=True)
    Path(report).write_text(found.to_json(), encoding="utf-8")
    sys.stdout.write("\n".join(found.lines()) + "\n")
    return 0 if found.has_passed else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

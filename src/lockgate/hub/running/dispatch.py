"""The dispatcher's process: `python -m lockgate.hub.running.dispatch DIR START`.

START is the number of an open descriptor, closed as soon as pushes can wake it.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.hub.directory import open_hub
from lockgate.hub.running.dispatcher import dispatch


def main(arguments: list[str]) -> int:
    """Dispatch the hub until there is nothing to do; return the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s", stream=sys.stderr
    )
    os.chdir("/")
    root, start = Path(arguments[0]), int(arguments[1])
    os.set_inheritable(start, False)
    try:
        dispatch(open_hub(root), on_listening=partial(os.close, start))
    except LockgateError as error:
        logging.getLogger("lockgate.dispatcher").error(
            "%s; %s", error.message, error.hint, extra={"action": "stop"}
        )
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

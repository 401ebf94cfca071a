"""The dispatcher's process: `python -m lockgate.hub.dispatch DIR`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from lockgate.errors import LockgateError
from lockgate.hub.directory import open_hub
from lockgate.hub.dispatcher import dispatch


def main(arguments: list[str]) -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s", stream=sys.stderr
    )
    os.chdir("/")
    try:
        dispatch(open_hub(Path(arguments[0])))
    except LockgateError as error:
        logging.getLogger("lockgate.dispatcher").error(
            "%s; %s", error.message, error.hint, extra={"action": "stop"}
        )
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

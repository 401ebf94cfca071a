"""The two hooks as a program: `python -m lockgate.hub.receive HOOK HUB PROJECT`, called by git (githooks(5)).

Repositories of hubs name this place, and go on doing so when Lockgate is newer than they are.
"""

from __future__ import annotations

import sys

from lockgate.hub.pushing.receive import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

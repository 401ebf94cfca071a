"""`python -m lockgate`: the command line."""

import sys

from lockgate.cli.main import main

sys.exit(main())

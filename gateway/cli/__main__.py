"""`python -m gateway.cli` is `playhead`."""

import sys

from gateway.cli.command import main

sys.exit(main())

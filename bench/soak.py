"""`python -m bench.soak`: half an hour at 5,000 updates/s of 50,000 students. Does memory grow?

The fleet with other defaults; every option of `bench.fleet` may be given as well.
"""

import os
import sys
from collections.abc import Sequence

from bench import fleet

DEFAULTS = (
    *("--students", "50000"),
    *("--rate", "0.1"),
    *("--minutes", "30"),
    *("--gateways", "4"),
    *("--loaders", "4"),
    *("--two", "9"),
    *("--three", "1"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The fleet's own exit status. Of an option given twice the later counts."""
    return fleet.main([*DEFAULTS, *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())

"""`playhead token`: an access token for scripts and terminals, signed with the data folder's key."""

import argparse
import sys

from gateway.keys import open_keys
from gateway.settings import Settings
from gateway.tokens import TokenIssuer
from persistence.errors import SetupError

MINUTES_MAX = 24 * 60


async def token(settings: Settings, options: argparse.Namespace) -> int:
    """Print the token, and nothing else, so that it can be used in a command."""
    if not 1 <= options.minutes <= MINUTES_MAX:
        raise SetupError(f"--minutes must lie between 1 and {MINUTES_MAX}")
    if not 1 <= len(options.student) <= 64 or not options.student.isprintable():
        raise SetupError("a student's id is 1 to 64 printable characters")
    if not (settings.folder / "keys").is_dir():
        sys.stderr.write(f"playhead: a new key, made in {settings.folder}; who runs already has another\n")
    issuer = TokenIssuer(open_keys(settings.folder / "keys").signing)
    print(issuer.issue("access", options.student, lifetime_s=options.minutes * 60))  # noqa: T201 - the product
    return 0

"""Ports on 127.0.0.1: the one asked for, else the one of last time, else a free one."""

import random
import socket

from persistence.embedded.datafolder import DataFolder
from persistence.errors import SetupError

# Below the range Linux gives to outgoing connections (32768 and up): there a port that is free now can be
# somebody's connection a moment later.
FIRST_PORT = 20_000
LAST_PORT = 32_000
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose(folder: DataFolder, name: str, wanted: int | None = None) -> int:
    """The port for server `name`: `wanted` if given, else last time's if still free, else a new one (kept).

    Raises `SetupError` if `wanted` is taken: a port a person fixed is never replaced silently.
    """
    if wanted is not None:
        if not is_free(wanted):
            raise SetupError(
                f"Port {wanted} for {name} is taken: end what listens there "
                f"(ss -ltnp 'sport = :{wanted}'), or fix another port."
            )
        return wanted
    last = folder.kept_port(name)
    if last is not None and is_free(last):
        return last
    for _ in range(ATTEMPTS):
        port = random.randint(FIRST_PORT, LAST_PORT)
        if is_free(port):
            folder.keep_port(name, port)
            return port
    raise SetupError(f"No free port for {name} between {FIRST_PORT} and {LAST_PORT}: fix one yourself.")

"""On which addresses of this machine a port is listened to, as the kernel says."""

import socket
from pathlib import Path

LISTENING = "0A"


def listening_addresses(port: int) -> set[str]:
    found = set()
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            address, _, hexadecimal_port = local.partition(":")
            if state == LISTENING and int(hexadecimal_port, 16) == port:
                words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
                found.add(socket.inet_ntop(family, b"".join(words)))
    return found

"""Servers for one machine, used only where no DSN or URL is given: Postgres, Valkey, the object store."""

from persistence.embedded.datafolder import DataFolder
from persistence.embedded.machine import Embedded, start_all

__all__ = ["DataFolder", "Embedded", "start_all"]

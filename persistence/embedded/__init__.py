"""Servers for one machine, used only where no DSN or URL is given: Postgres, Valkey, the object store."""

from persistence.embedded.datafolder import DataFolder
from persistence.embedded.machine import Embedded, FixedPorts, start_all
from persistence.embedded.object_store import S3

__all__ = ["S3", "DataFolder", "Embedded", "FixedPorts", "start_all"]

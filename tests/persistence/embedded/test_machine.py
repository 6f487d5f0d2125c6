"""All servers of one machine together."""

import asyncpg
from redis.asyncio import Redis

from persistence.embedded import Embedded


async def test_every_server_answers_at_its_address(embedded: Embedded, postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn, timeout=10)
    try:
        assert await connection.fetchval("SELECT lower('Ä')") == "ä"
    finally:
        await connection.close()
    client = Redis.from_url(embedded.redis_url)
    try:
        assert await client.set("course:1", "x", ex=3600)
    finally:
        await client.aclose()

"""The whole system, once for all acceptance tests; each test gets students and lectures of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from persistence.embedded import Embedded
from tests.acceptance.system import System, start_system
from tests.conftest import make_database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The system itself; use `system`."""
    folder = tmp_path_factory.mktemp("system")
    async with make_database(embedded, "acceptance") as dsn, start_system(embedded, dsn, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def system(whole: System) -> AsyncIterator[System]:
    """The running system; devices a test has made are stopped at its end."""
    yield whole
    for device in whole.devices:
        await device.stop()
    whole.devices.clear()

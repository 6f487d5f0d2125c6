"""The whole system, once for all acceptance and browser tests; each test makes its own students."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway import cluster
from gateway.cluster import Cluster
from persistence.embedded import Embedded
from tests.acceptance.system import System, free_port, start_system
from tests.conftest import make_database


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ray_cluster(embedded: Embedded) -> AsyncIterator[Cluster]:
    """The one Ray cluster of the run: a process can be in no more than one."""
    own = await cluster.start(embedded.folder, "127.0.0.1", free_port())
    yield own
    await own.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole(
    embedded: Embedded, ray_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """The system itself; use `system`."""
    folder = tmp_path_factory.mktemp("system")
    async with make_database(embedded, "acceptance") as dsn, start_system(embedded, dsn, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def system(whole: System) -> AsyncIterator[System]:
    """The running system; devices a test has made are stopped at its end."""
    yield whole
    await whole.stop_devices()

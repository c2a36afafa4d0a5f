"""Fixtures for tests of several servers on one engine."""

import os
from collections.abc import AsyncIterator

import pytest

from memory_service.settings import Settings
from tests.support.api import Stub
from tests.support.two_servers import connect_to, two_servers


@pytest.fixture(scope="module")
async def servers(settings: Settings) -> AsyncIterator[tuple[Stub, Stub]]:
    """Stubs of two servers on one engine: at MEMORY_TEST_SERVERS, two addresses with a comma between them, or in this
    process."""
    given = os.environ.get("MEMORY_TEST_SERVERS")
    async with connect_to(given.split(",")) if given else two_servers(settings) as stubs:
        yield stubs

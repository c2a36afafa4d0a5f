"""Fixtures for tests of several servers on one engine."""

from collections.abc import AsyncIterator

import pytest

from memory_service.settings import Settings
from tests.support.api import Stub
from tests.support.two_servers import two_servers


@pytest.fixture(scope="module")
async def servers(settings: Settings) -> AsyncIterator[tuple[Stub, Stub]]:
    """Stubs of two servers on one engine."""
    async with two_servers(settings) as stubs:
        yield stubs

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.executor.witness import Witness


@pytest_asyncio.fixture
async def witness() -> AsyncIterator[Witness]:
    """An executor with 8 slots and a lease for partition ``p``."""
    witness = Witness()
    await witness.launch()
    witness.lease()
    yield witness
    await witness.handle.close()

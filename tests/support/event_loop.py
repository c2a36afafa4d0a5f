"""Progress of asyncio tasks, without waiting for time to pass."""

import asyncio


async def let_tasks_run() -> None:
    """Let every task run until it waits for something other than its turn."""
    for _ in range(20):
        await asyncio.sleep(0)

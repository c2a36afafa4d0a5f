"""Measures how late the event loop resumes tasks: a sign of too little CPU, or of code that blocks."""

import asyncio

from memory_service.telemetry.metrics import Metrics

_SAMPLE_INTERVAL = 0.5
"""Seconds between two samples."""


async def measure_event_loop_lag(metrics: Metrics) -> None:
    """Record the lag of the running event loop until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due_at = loop.time() + _SAMPLE_INTERVAL
        await asyncio.sleep(_SAMPLE_INTERVAL)
        metrics.loop_lag.observe(max(0.0, loop.time() - due_at))

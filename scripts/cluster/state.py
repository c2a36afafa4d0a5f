"""The state that the events of the walk share."""

from dataclasses import dataclass, field

from scripts.cluster.clients import Clients
from scripts.cluster.documented import Documented


@dataclass
class Walk:
    """The state that events share."""

    runbook: Documented
    key: str
    """The key of the clients. They may read, write and delete."""
    tests_key: str
    """A key with all rights."""
    clients: Clients
    seconds: float
    notes: list[str] = field(default_factory=list)
    """What was measured, for the report."""
    counted_until: float = 0.0
    """The end of the last event. Each call counts in the event in which it ended."""
    outage: tuple[float, float] = (float("inf"), float("inf"))
    """When Valkey became unavailable and became available in this event."""

    def note(self, text: str) -> None:
        """Print a measurement, and keep it for the report."""
        print(f"    {text}", flush=True)
        self.notes.append(text)


Problems = list[str]

"""What the walk observes beside the calls of clients: Valkey, and the readiness of each pod."""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory import TLS
from semantic_memory.connection import authorization
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_service_pb2_grpc import MemoryServiceStub

from scripts.cluster.kube import DATA_NAMESPACE, Pod, described
from scripts.cluster.release import PASSWORD

_SERVICE = "semantic_memory.v1.MemoryService"
_NOT_READY_WITHIN = 3.0
_PROBE_ERROR = 1.0
"""A PING may wait half a second for a connection, so it may succeed later than that of a pod."""


@dataclass
class Valkey:
    """Asks Valkey for a PING every 50 ms, through its Service, and records when the replies change."""

    changes: list[tuple[float, bool]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        address = described("service valkey", namespace=DATA_NAMESPACE)["spec"]["clusterIP"]
        self._thread = threading.Thread(target=self._follow, args=(address,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    @property
    def unavailable_at(self) -> float:
        """Return when the first PING failed."""
        return next((at for at, replies in self.changes if not replies), float("inf"))

    @property
    def available_at(self) -> float:
        """Return since when PING succeeds again; infinity if it was never unavailable, or still is."""
        return self.changes[-1][0] if len(self.changes) > 1 and self.changes[-1][1] else float("inf")

    def _follow(self, address: str) -> None:
        while not self._stop.wait(0.05):
            at, replies = time.time(), _replies(address)
            if not self.changes or self.changes[-1][1] != replies:
                self.changes.append((at, replies))


def _replies(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 6379), 0.5) as connection:
        connection.settimeout(0.5)
        connection.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
        reply = b""
        while reply.count(b"\r\n") < 2 and (part := connection.recv(100)):
            reply += part
        return reply == b"+OK\r\n+PONG\r\n"
    return False


@dataclass
class Readiness:
    """Watches the health of pods and records each status."""

    statuses: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    _channels: list[grpc.Channel] = field(default_factory=list)

    def watch(self, pods: list[Pod]) -> Self:
        """Watch these pods until `close`."""
        for pod in pods:
            channel = grpc.insecure_channel(f"{pod.ip}:50052")
            self._channels.append(channel)
            recorded = self.statuses.setdefault(pod.name, [])
            threading.Thread(target=_record, args=(channel, recorded), daemon=True).start()
        return self

    def close(self) -> None:
        """Stop watching."""
        for channel in self._channels:
            channel.close()

    def problems(self, unavailable_at: float, available_at: float) -> list[str]:
        """Return what is wrong: a pod must stop being ready soon after Valkey ends, until Valkey is available again."""
        found = []
        for name, statuses in self.statuses.items():
            times = _times(statuses, unavailable_at)
            not_ready = [at for at, ready in statuses if not ready and at > unavailable_at - _NOT_READY_WITHIN]
            if not not_ready or not_ready[0] > unavailable_at + _NOT_READY_WITHIN:
                found.append(f"{name} is not NOT_SERVING within {_NOT_READY_WITHIN:.0f} s of Valkey's end: {times}")
            elif any(ready and not_ready[0] < at < available_at - _PROBE_ERROR for at, ready in statuses):
                found.append(f"{name} is SERVING while Valkey is unavailable: {times}")
        return found

    def flaps(self, begin: float) -> list[str]:
        """Return the pods that were not ready more than once, or still are not."""
        found = []
        for name, statuses in self.statuses.items():
            losses = sum(not ready for _, ready in statuses)
            if losses > 1 or not all(ready for _, ready in statuses[-1:]):
                found.append(f"{name} was NOT_SERVING {losses} times: {_times(statuses, begin)}")
        return found


def _times(statuses: list[tuple[float, bool]], zero: float) -> str:
    return ", ".join(f"{'SERVING' if ready else 'NOT_SERVING'} at {at - zero:+.1f} s" for at, ready in statuses)


def _record(channel: grpc.Channel, recorded: list[tuple[float, bool]]) -> None:
    with contextlib.suppress(grpc.RpcError, ValueError):  # The pod ends, or `close` is called.
        for reply in health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=_SERVICE)):
            serving = reply.status == health_pb2.HealthCheckResponse.SERVING
            recorded.append((time.time(), serving))


def code_of_call(pod: Pod, ca: Path, token: str) -> str:
    """Call one pod over TLS and return the status code."""
    options = [("grpc.ssl_target_name_override", "semantic-memory")]
    with grpc.secure_channel(f"{pod.ip}:50051", TLS(ca=ca).credentials(), options) as channel:
        try:
            MemoryServiceStub(channel).ListIndexes(
                pb.ListIndexesRequest(), timeout=5, metadata=authorization(token), wait_for_ready=True
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"

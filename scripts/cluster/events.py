"""The events of the walk. Each changes the cluster, waits until it has settled, and returns what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.cluster import pod_events as pods
from scripts.cluster import secret_events as secrets
from scripts.cluster import valkey_events as valkey
from scripts.cluster.state import Problems, Walk


@dataclass(frozen=True)
class Event:
    """An event by its name in the table."""

    name: str
    run: Callable[[Walk], Problems]


EVENTS = [
    Event("nothing", pods.nothing),
    Event("helm upgrade", pods.upgrade),
    Event("helm rollback", pods.roll_back),
    Event("pods evicted one by one", pods.evict),
    Event("pod deleted, rollout restart 20 s later", pods.delete_and_restart),
    Event("kill -9 of a pod's process", pods.kill),
    Event("Valkey's pod deleted", valkey.delete),
    Event("Valkey unavailable for 20 s", valkey.stop),
    Event("a third pod", pods.scale_up),
    Event("tests of two servers on the 3 pods", pods.run_tests),
    Event("2 pods again", pods.scale_down),
    Event("new certificate", secrets.rotate_certificate),
    Event("new key, old key removed", secrets.rotate_key),
    Event("CPU pressure", pods.press_cpu),
    Event("Valkey unavailable until alerts fire", valkey.stop_until_alerts_fire),
]

"""Events of Valkey: its pod is deleted, or it is unavailable for a time."""

import time
from collections.abc import Callable

from scripts.cluster.kube import (
    DATA_NAMESPACE,
    kubectl,
    service_pods,
    wait_until,
    wait_until_settled,
)
from scripts.cluster.release import (
    wait_for_valkey,
)
from scripts.cluster.state import Problems, Walk
from scripts.cluster.watching import Readiness, Valkey


def delete(walk: Walk) -> Problems:
    """Delete the pod of Valkey."""
    return _outage(walk, lambda: kubectl("delete pod valkey-0 --wait=false", namespace=DATA_NAMESPACE), 0)


def stop(walk: Walk) -> Problems:
    """Stop Valkey for 20 s."""
    return _outage(walk, lambda: kubectl("scale statefulset valkey --replicas 0", namespace=DATA_NAMESPACE), 20)


def stop_until_alerts_fire(walk: Walk) -> Problems:
    """Stop Valkey until the alert of servers that are not ready must have fired: for two minutes and the intervals."""
    return _outage(walk, lambda: kubectl("scale statefulset valkey --replicas 0", namespace=DATA_NAMESPACE), 165)


def _outage(walk: Walk, begin: Callable[[], object], seconds: float) -> Problems:
    readiness = Readiness().watch(service_pods())
    with Valkey() as valkey:
        time.sleep(1)
        begin()
        wait_until(lambda: valkey.unavailable_at < float("inf"), "Valkey is unavailable", 30)
        if seconds:
            time.sleep(seconds)
            kubectl("scale statefulset valkey --replicas 1", namespace=DATA_NAMESPACE)
        wait_until(lambda: valkey.available_at < float("inf"), "Valkey is available again", 60)
        wait_for_valkey(1)
        wait_until_settled(2)
        time.sleep(2)
    readiness.close()
    walk.outage = (valkey.unavailable_at, valkey.available_at)
    walk.notes.append(f"Valkey was unavailable for {valkey.available_at - valkey.unavailable_at:.1f} s")
    return readiness.problems(*walk.outage)

"""Events of Valkey: its pod is deleted, or it is unavailable for a time."""

import time

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

_STOP = "scale statefulset valkey --replicas 0"


def delete(walk: Walk) -> Problems:
    """Delete the pod of Valkey. Another takes its place within seconds: clients retry until then."""
    readiness, began, ended = _outage("delete pod valkey-0 --wait=false", 0)
    walk.note(f"a deleted Valkey pod was replaced within {ended - began:.1f} s")
    return readiness.flaps(began)


def stop(walk: Walk) -> Problems:
    """Stop Valkey for 20 s."""
    return _stop(walk, 20)


def stop_until_alerts_fire(walk: Walk) -> Problems:
    """Stop Valkey until the alert of servers that are not ready must have fired: for two minutes and the intervals."""
    return _stop(walk, 165)


def _stop(walk: Walk, seconds: float) -> Problems:
    readiness, began, ended = _outage(_STOP, seconds)
    walk.outage = (began, ended)
    return readiness.problems(*walk.outage)


def _outage(command: str, seconds: float) -> tuple[Readiness, float, float]:
    """Stop Valkey by a command of kubectl, and start it after some seconds. Return the readiness of the pods,
    and when PING failed and when it succeeded again."""
    readiness = Readiness().watch(service_pods())
    with Valkey() as valkey:
        time.sleep(1)
        kubectl(command, namespace=DATA_NAMESPACE)
        wait_until(lambda: valkey.unavailable_at < float("inf"), "Valkey is unavailable", 30)
        if seconds:
            time.sleep(seconds)
            kubectl("scale statefulset valkey --replicas 1", namespace=DATA_NAMESPACE)
        wait_until(lambda: valkey.available_at < float("inf"), "Valkey is available again", 60)
        wait_for_valkey(1)
        wait_until_settled(2)
        time.sleep(2)
    readiness.close()
    return readiness, valkey.unavailable_at, valkey.available_at

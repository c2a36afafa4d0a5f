"""The events of the walk. Each changes the cluster, waits until it has settled, and returns what is wrong."""

import json
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from scripts.cluster.alerts import calls_served
from scripts.cluster.clients import Clients
from scripts.cluster.documented import Documented
from scripts.cluster.kube import (
    DATA_NAMESPACE,
    NAMESPACE,
    CommandFailed,
    kubectl,
    on_node,
    service_pods,
    wait_until,
    wait_until_settled,
)
from scripts.cluster.release import (
    FOLDER,
    apply_secret,
    make_key,
    new_certificate,
    operate,
    remove_first_key,
    wait_for_valkey,
)
from scripts.cluster.watching import Readiness, Valkey, code_of_call

_TIMES_OUT = 200.0
"""Seconds until a changed Secret must be in use: the kubelet updates mounted Secrets about once a minute."""


@dataclass
class Walk:
    """The state that events share."""

    runbook: Documented
    key: str
    clients: Clients
    seconds: float
    notes: list[str] = field(default_factory=list)
    """What was measured, for the report."""
    outage: tuple[float, float] = (float("inf"), float("inf"))
    """When Valkey went away and came back in this event."""


Problems = list[str]


def nothing(_: Walk) -> Problems:
    """Change nothing: failures here are not those of an event."""
    time.sleep(20)
    return []


def upgrade(walk: Walk) -> Problems:
    """Change a setting by helm upgrade."""
    with (FOLDER / "mine.yaml").open("a") as values:
        values.write("settings: { MEMORY_EMBEDDING_CACHE_BYTES: 33554432 }\n")
    operate(walk.runbook.inline("helm upgrade"))
    wait_until_settled(2)
    return []


def roll_back(walk: Walk) -> Problems:
    """Undo the upgrade."""
    operate(_in_namespace(walk.runbook.inline("helm rollback")))
    wait_until_settled(2)
    return []


def evict(_: Walk) -> Problems:
    """Evict the pods one by one, as a drain of their nodes does. The node itself stays, since it is the only one."""
    for pod in service_pods():
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": NAMESPACE},
        }
        wait_until(partial(_evicted, pod.name, json.dumps(eviction)), "an eviction", 240)
    wait_until_settled(2)
    return []


def _evicted(name: str, eviction: str) -> bool:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    try:
        kubectl(f"create --raw {path} --filename -", given=eviction)
    except CommandFailed as error:
        # kubectl drain waits for the disruption budget in the same way.
        if "disruption budget" not in str(error):
            raise
        time.sleep(4)
        return False
    return True


def delete_and_restart(walk: Walk) -> Problems:
    """Delete a pod, and restart the Deployment 20 s later."""
    kubectl(f"delete pod {service_pods()[0].name} --wait=false")
    time.sleep(20)
    operate(_in_namespace(walk.runbook.inline("kubectl rollout restart")))
    wait_until_settled(2)
    return []


def kill(_: Walk) -> Problems:
    """Kill the process of a pod. The kubelet starts it again."""
    pod = service_pods()[0]
    on_node(f"ctr --namespace k8s.io tasks kill --signal SIGKILL {pod.container}")
    wait_until(lambda: service_pods()[0].container != pod.container, "a new container", 60)
    wait_until_settled(2)
    return []


def delete_valkey(walk: Walk) -> Problems:
    """Delete the pod of Valkey."""
    return _outage(walk, lambda: kubectl("delete pod valkey-0 --wait=false", namespace=DATA_NAMESPACE), 0)


def stop_valkey(walk: Walk) -> Problems:
    """Stop Valkey for 20 s."""
    return _outage(walk, lambda: kubectl("scale statefulset valkey --replicas 0", namespace=DATA_NAMESPACE), 20)


def stop_valkey_until_alerts_fire(walk: Walk) -> Problems:
    """Stop Valkey until the alert of servers that are not ready must have fired: for two minutes and the intervals."""
    return _outage(walk, lambda: kubectl("scale statefulset valkey --replicas 0", namespace=DATA_NAMESPACE), 165)


def _outage(walk: Walk, begin: Callable[[], object], seconds: float) -> Problems:
    readiness = Readiness().watch(service_pods())
    with Valkey() as valkey:
        time.sleep(1)
        begin()
        wait_until(lambda: valkey.away_at < float("inf"), "Valkey is away", 30)
        if seconds:
            time.sleep(seconds)
            kubectl("scale statefulset valkey --replicas 1", namespace=DATA_NAMESPACE)
        wait_until(lambda: valkey.back_at < float("inf"), "Valkey is back", 60)
        wait_for_valkey(1)
        wait_until_settled(2)
        time.sleep(2)
    readiness.close()
    walk.outage = (valkey.away_at, valkey.back_at)
    walk.notes.append(f"Valkey was away for {valkey.back_at - valkey.away_at:.1f} s")
    return readiness.problems(*walk.outage)


def scale(walk: Walk) -> Problems:
    """Add a third pod for a minute."""
    kubectl("scale deployment semantic-memory --replicas 3")
    wait_until_settled(3)
    time.sleep(30)
    pods = service_pods()
    before = [calls_served(pod) for pod in pods]
    time.sleep(30)
    served = [calls_served(pod) - count for pod, count in zip(pods, before, strict=True)]
    walk.notes.append(f"calls of the new pod, from 30 s to 60 s after it was ready: {served[-1]} of {sum(served)}")
    kubectl("scale deployment semantic-memory --replicas 2")
    wait_until_settled(2)
    return []


def rotate_certificate(walk: Walk) -> Problems:
    """Replace the certificate in the Secret."""
    certificate = new_certificate()
    apply_secret("tls semantic-memory-tls --cert tls.crt --key tls.key")

    def in_use() -> bool:
        served = [ssl.get_server_certificate((pod.ip, 50051), timeout=5) for pod in service_pods()]
        return all(one.strip() == certificate.strip() for one in served)

    walk.notes.append(f"new certificate in use after {wait_until(in_use, 'a new certificate', _TIMES_OUT):.0f} s")
    return []


def rotate_key(walk: Walk) -> Problems:
    """Add a key to the Secret, move the clients to it, and remove the old key."""
    old, walk.key = walk.key, make_key("chat-backend-2")
    took = _change_keys(walk.key, "OK")
    clients = Clients(walk.key, generation=walk.clients.generation + 1)
    clients.start(FOLDER / "ca.crt", walk.seconds)
    time.sleep(5)
    walk.clients.stop()
    walk.clients = clients
    remove_first_key()
    walk.notes.append(
        f"new key accepted after {took:.0f} s, old key refused after {_change_keys(old, 'UNAUTHENTICATED'):.0f} s"
    )
    return []


def _change_keys(key: str, expected: str) -> float:
    apply_secret("generic semantic-memory-keys --from-file keys.toml")
    return wait_until(
        lambda: all(code_of_call(pod, FOLDER / "ca.crt", key) == expected for pod in service_pods()),
        f"{expected} for a key",
        _TIMES_OUT,
    )


def press_cpu(_: Walk) -> Problems:
    """Run six busy loops on the node for 30 s."""
    with ThreadPoolExecutor(6) as pool:
        for _one in range(6):
            pool.submit(on_node, 'timeout 30 sh -c "while :; do :; done" || true')
    wait_until_settled(2)
    return []


def _in_namespace(command: str) -> str:
    """Add the namespace to a command of a sentence: there the reader's own context has it."""
    named = any(one in command.split() for one in ("-n", "--namespace"))
    return command if named else f"{command} --namespace {NAMESPACE}"


@dataclass(frozen=True)
class Event:
    """An event by its name in the table."""

    name: str
    run: Callable[[Walk], Problems]


EVENTS = [
    Event("nothing", nothing),
    Event("helm upgrade", upgrade),
    Event("helm rollback", roll_back),
    Event("pods evicted one by one", evict),
    Event("pod deleted, rollout restart 20 s later", delete_and_restart),
    Event("kill -9 of a pod's process", kill),
    Event("Valkey's pod deleted", delete_valkey),
    Event("Valkey away for 20 s", stop_valkey),
    Event("3 pods, then 2", scale),
    Event("new certificate", rotate_certificate),
    Event("new key, old key removed", rotate_key),
    Event("CPU pressure", press_cpu),
    Event("Valkey away until alerts fire", stop_valkey_until_alerts_fire),
]

"""Events of pods: upgrades, evictions, deletions, crashes, more pods."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from scripts.cluster.alerts import calls_served
from scripts.cluster.kube import (
    DATA_NAMESPACE,
    NAMESPACE,
    CommandFailed,
    described,
    kubectl,
    on_node,
    run,
    service_pods,
    wait_until,
    wait_until_settled,
)
from scripts.cluster.release import (
    FOLDER,
    PASSWORD,
    operate,
)
from scripts.cluster.state import Problems, Walk


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
    operate(walk.runbook.inline("helm rollback"))
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
    operate(walk.runbook.inline("kubectl -n semantic-memory rollout restart"))
    wait_until_settled(2)
    return []


def kill(_: Walk) -> Problems:
    """Kill the process of a pod. The kubelet starts it again."""
    pod = service_pods()[0]
    on_node(f"ctr --namespace k8s.io tasks kill --signal SIGKILL {pod.container}")
    wait_until(lambda: service_pods()[0].container != pod.container, "a new container", 60)
    wait_until_settled(2)
    return []


def scale_up(walk: Walk) -> Problems:
    """Add a third pod, and count its calls."""
    kubectl("scale deployment semantic-memory --replicas 3")
    wait_until_settled(3)
    pods = service_pods()
    for begin in (0, 30, 60, 90, 120):
        before = [calls_served(pod) for pod in pods]
        time.sleep(30)
        served = [calls_served(pod) - count for pod, count in zip(pods, before, strict=True)]
        walk.note(
            f"calls of a new third pod, {begin} to {begin + 30} s after it was ready: {served[-1]} of {sum(served)}"
        )
    return []


def run_tests(walk: Walk) -> Problems:
    """Run the tests of two servers with stubs that balance over all pods."""
    address = described("service valkey", namespace=DATA_NAMESPACE)["spec"]["clusterIP"]
    pods = f"dns:///semantic-memory-headless.{NAMESPACE}:50051"
    output = run(
        "pytest -q -p no:cacheprovider tests/valkey/test_two_servers.py",
        MEMORY_TEST_SERVERS=f"{pods},{pods}",
        MEMORY_TEST_CA=str(FOLDER / "ca.crt"),
        MEMORY_TEST_TOKEN=walk.tests_key,
        MEMORY_TEST_VALKEY_URL=f"valkey://:{PASSWORD}@{address}:6379",
    )
    walk.note(f"tests of two servers: {output.strip().splitlines()[-1].strip('= ')}")
    return []


def scale_down(_: Walk) -> Problems:
    """Remove the third pod."""
    kubectl("scale deployment semantic-memory --replicas 2")
    wait_until_settled(2)
    return []


def press_cpu(_: Walk) -> Problems:
    """Run six busy loops for 30 s."""
    loop = 'timeout 30 sh -c "while :; do :; done" || [ $? = 124 ]'
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(on_node, [loop] * 6))
    wait_until_settled(2)
    return []

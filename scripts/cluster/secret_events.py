"""Events of Secrets: a certificate and a key are replaced."""

import ssl
import time

from scripts.cluster.clients import Clients
from scripts.cluster.kube import (
    service_pods,
    wait_until,
)
from scripts.cluster.release import (
    FOLDER,
    make_key,
    new_certificate,
    remove_first_key,
    replace_secret,
)
from scripts.cluster.state import Problems, Walk
from scripts.cluster.watching import code_of_call

_TIMES_OUT = 200.0
"""Seconds until a changed Secret must be in use: the kubelet updates mounted Secrets about once a minute."""


def rotate_certificate(walk: Walk) -> Problems:
    """Replace the certificate in the Secret."""
    certificate = new_certificate()
    replace_secret("generic semantic-memory-tls --type kubernetes.io/tls", "tls.crt", "tls.key", "ca.crt")

    def in_use() -> bool:
        served = [ssl.get_server_certificate((pod.ip, 50051), timeout=5) for pod in service_pods()]
        return all(one.strip() == certificate.strip() for one in served)

    walk.note(f"new certificate in use after {wait_until(in_use, 'a new certificate', _TIMES_OUT):.0f} s")
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
    walk.note(
        f"new key accepted after {took:.0f} s, old key refused after {_change_keys(old, 'UNAUTHENTICATED'):.0f} s"
    )
    return []


def _change_keys(key: str, expected: str) -> float:
    replace_secret("generic semantic-memory-keys", "keys.toml")
    return wait_until(
        lambda: all(code_of_call(pod, FOLDER / "ca.crt", key) == expected for pod in service_pods()),
        f"{expected} for a key",
        _TIMES_OUT,
    )

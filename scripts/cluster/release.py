"""What an operator does: certificates, keys, a Valkey, and the release, by the commands of docs/runbook.md."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.cluster.documented import Documented, notes_commands
from scripts.cluster.kube import CLUSTER, DATA_NAMESPACE, NAMESPACE, kubectl, run, wait_until, wait_until_settled

FOLDER = CLUSTER / "run" / "operator"
"""The folder in which the operator works. It has a copy of deploy/, keys.toml, tls.crt and mine.yaml."""
PASSWORD = "hunter2"  # noqa: S105 - of a Valkey that exists for minutes
_MANIFESTS = Path(__file__).with_name("manifests")
_KEY = re.compile(r"smk_[\w-]+")
_NAMES = ("semantic-memory", "semantic-memory-headless")


def prepare_folder() -> None:
    """Create the operator's folder. Requests of CPU are lowered, because the node has few cores."""
    shutil.copytree("deploy", FOLDER / "deploy")
    for file in [FOLDER / "deploy/helm/semantic-memory/values.yaml", *(FOLDER / "deploy/kubernetes").glob("*.yaml")]:
        text = file.read_text().replace('cpu: "1"', "cpu: 100m").replace("cpu: 500m", "cpu: 100m")
        text = text.replace("memory: 1Gi,", "memory: 256Mi,", 1).replace("memory: 2Gi,", "memory: 256Mi,", 1)
        file.write_text(text.replace("image: semantic-memory:", "image: docker.io/library/semantic-memory:"))
    shutil.copy(_MANIFESTS / "values.yaml", FOLDER / "mine.yaml")
    run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=private-ca",
        folder=FOLDER,
    )
    new_certificate()


def new_certificate() -> str:
    """Let the private authority sign a new certificate for the service, as tls.crt and tls.key. Return it."""
    hosts = [
        f"DNS:{name}{domain}" for name in _NAMES for domain in ("", f".{NAMESPACE}", f".{NAMESPACE}.svc.cluster.local")
    ]
    run(
        "openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=semantic-memory\n"
        "openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out tls.crt "
        f"-extfile <(echo subjectAltName={','.join(hosts)})",
        folder=FOLDER,
    )
    return (FOLDER / "tls.crt").read_text()


def operate(command: str, **variables: str) -> str:
    """Run a documented command in the operator's folder, with its placeholders filled in."""
    command = command.replace("REGISTRY/", "docker.io/library/")
    command = command.replace("valkeys://USER:PASSWORD@HOST", f"valkey://:{PASSWORD}@valkey.{DATA_NAMESPACE}")
    return run(command, folder=FOLDER, **variables)


def replace_secret(arguments: str, *files: str) -> None:
    """Replace a Secret by these files."""
    create = f"kubectl create secret {arguments} {' '.join(f'--from-file {file}' for file in files)}"
    run(f"{create} --dry-run=client -o yaml | kubectl --namespace {NAMESPACE} replace -f -", folder=FOLDER)


def install_valkey() -> None:
    """Install a Valkey with a password in a namespace of its own."""
    kubectl(f"create namespace {DATA_NAMESPACE}", namespace="default")
    kubectl(f"apply --filename {_MANIFESTS / 'valkey.yaml'}", namespace=DATA_NAMESPACE)
    kubectl("rollout status statefulset/valkey --timeout 120s", namespace=DATA_NAMESPACE)


def try_trials(runbook: Documented) -> list[str]:
    """Run the commands of the trial: by Helm with the commands of its notes, then by plain manifests."""
    kubectl(f"apply --filename {_MANIFESTS / 'volumes.yaml'}", namespace="default")
    by_helm, by_manifest = runbook.section("### Kubernetes: trial")
    for number, command in enumerate((by_helm, by_manifest)):
        installed = operate(command)
        kubectl("rollout status deployment/semantic-memory --timeout 240s")
        for note in notes_commands(installed) if number == 0 else []:
            operate(note)
        if number == 0:
            operate(f"helm uninstall semantic-memory --namespace {NAMESPACE}")
        run(f"kubectl delete namespace {NAMESPACE} --timeout 240s")
    return []


@dataclass
class Installed:
    """The keys of the release, in the order of keys.toml, and the documented commands that are to run in a pod."""

    key: str
    operator_key: str
    tests_key: str
    commands: list[str]


def install(runbook: Documented) -> Installed:
    """Install the release by the commands for production."""
    keys: list[str] = []
    inside: list[str] = []
    for command in runbook.section("### Kubernetes: production"):
        if " exec " in command:
            inside.append(command)
            continue
        if "create secret generic semantic-memory-keys" in command:
            keys.append(make_key("tests --right read --right write --right delete --right admin"))
        output = operate(command)
        keys += _KEY.findall(output)
        inside += notes_commands(output)
    wait_until_settled(2)
    key, operator_key, tests_key = keys
    return Installed(key, operator_key, tests_key, inside)


def make_key(arguments: str) -> str:
    """Add a key to keys.toml and return it."""
    [key] = _KEY.findall(operate(f"memory-service make-key {arguments} >> keys.toml"))
    return str(key)


def remove_first_key() -> None:
    """Remove the first key from keys.toml."""
    file = FOLDER / "keys.toml"
    entries = file.read_text().split("[[keys]]")
    file.write_text("[[keys]]".join([entries[0], *entries[2:]]))


def wait_for_valkey(replicas: int) -> None:
    """Wait until Valkey has so many ready pods."""

    def ready() -> bool:
        got = kubectl("get statefulset valkey -o jsonpath={.status.readyReplicas}", namespace=DATA_NAMESPACE)
        return int(got or 0) == replicas

    wait_until(ready, f"{replicas} ready Valkey", 120)

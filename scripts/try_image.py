"""Test the image of scripts/build_image.sh as Kubernetes would run it: probe it, store, search, stop it.

The image's command runs as process 1 of a container with a read-only root, a numeric user, no privileges, and only /tmp
writable. The container uses namespaces and chroot. It needs root, but no container engine. The network is private, so
that the ports are free:

    unshare --net .venv/bin/python -m scripts.try_image [--valkey COMMAND]

The engine is the embedded one, or the one that COMMAND starts at valkey://127.0.0.1:6379 in the same network.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil

from memory_service.embedded import EmbeddedValkey

_ADDRESS = "127.0.0.1:50051"
_TAG = "localhost/semantic-memory:dev"
_CONTAINER = """\
set -e
mount --bind "$ROOT" "$ROOT"
mount --options remount,bind,ro "$ROOT"
mount --types tmpfs --options mode=1777 tmpfs "$ROOT/tmp"
mount --types proc proc "$ROOT/proc"
mount --types tmpfs tmpfs "$ROOT/dev"
mknod --mode 666 "$ROOT/dev/null" c 1 3
mknod --mode 666 "$ROOT/dev/urandom" c 1 9
exec setpriv --no-new-privs chroot --userspec "$OWNER" "$ROOT" /usr/bin/env -i --chdir "$DIRECTORY" "$@"
"""


class Image:
    """A mounted image from the store of scripts/build_image.sh."""

    def __init__(self, tag: str) -> None:
        store = os.environ.get("IMAGE_STORE", "build/image")
        self._buildah = ["buildah", "--root", f"{store}/store", "--runroot", f"{store}/run", "--storage-driver", "vfs"]
        described = json.loads(self._run("inspect", "--type", "image", tag))
        self.config: dict[str, Any] = described["Docker"]["config"]
        self._container = self._run("from", "--pull-never", tag)
        self.root = Path(self._run("mount", self._container))

    def close(self) -> None:
        """Unmount the image."""
        self._run("rm", self._container)

    def start(self, command: list[str], *, silent: bool = False, **variables: str) -> subprocess.Popen[bytes]:
        """Run a command in a container of this image."""
        given = [f"{name}={value}" for name, value in variables.items()]
        where = {"ROOT": str(self.root), "OWNER": self.config["User"], "DIRECTORY": self.config["WorkingDir"]}
        isolated = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        return subprocess.Popen(
            [*isolated, "sh", "-c", _CONTAINER, "container", *self.config["Env"], *given, *command],
            env={**os.environ, **where},
            stdout=subprocess.DEVNULL if silent else None,
            stderr=subprocess.DEVNULL if silent else None,
        )

    def succeeds(self, command: list[str]) -> bool:
        """Return whether a command in a container of this image exits with status 0."""
        return self.start(command, silent=True).wait(30) == 0

    def _run(self, *arguments: str) -> str:
        return subprocess.run([*self._buildah, *arguments], check=True, capture_output=True, text=True).stdout.strip()


async def main() -> None:
    """Test the image. Raises AssertionError if a check fails."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tag", default=_TAG)
    parser.add_argument("--valkey", help="command that starts Valkey with its modules at valkey://127.0.0.1:6379")
    arguments = parser.parse_args()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    async with AsyncExitStack() as stack:
        if arguments.valkey:
            subprocess.run(shlex.split(arguments.valkey), check=True)
            url = "valkey://127.0.0.1:6379"
        else:
            engine = EmbeddedValkey(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            stack.push_async_callback(engine.stop)
            await engine.start()
            url = f"valkey://:{engine.password}@127.0.0.1:{engine.port}"
        image = Image(arguments.tag)
        stack.callback(image.close)
        _try(image, url)


def _try(image: Image, url: str) -> None:
    size = int(
        subprocess.run(["du", "-sm", image.root / "opt/memory"], check=True, capture_output=True).stdout.split()[0]
    )
    print(f"the service adds {size} MB to the base image")
    assert not list(image.root.glob("opt/memory/lib/*/site-packages/redis_stack*")), (
        "the image contains the embedded engine"
    )
    command = [*image.config["Entrypoint"], *image.config["Cmd"]]
    began = time.monotonic()
    service = image.start(command, MEMORY_VALKEY_URL=url, MEMORY_INSECURE="true", MEMORY_DRAIN="1")
    try:
        while not image.succeeds(image.config["Healthcheck"]["Test"][1:]):
            assert service.poll() is None, "the service exited"
            assert time.monotonic() < began + 60, "the HEALTHCHECK never succeeds"
        print(f"healthy after {time.monotonic() - began:.1f} s, by its HEALTHCHECK")
        [process] = psutil.Process(service.pid).children()
        _check_container(process, image)
        _cli("ensure-index")
        _cli("store", "We ship on Fridays, after the canary", "--user", "me", "--session", "monday")
        assert "Fridays" in _cli("search", "When do we release?", "--user", "me")
        print("stored and found")
        _try_console(image)
        process.terminate()
        assert service.wait(30) == 0, "the service did not exit with status 0"
        print("SIGTERM: drained and exited with status 0")
    finally:
        service.kill()


def _try_console(image: Image) -> None:
    """Run the image as the console."""
    command = [*image.config["Entrypoint"], "console", "--listen", "0.0.0.0:8080", "--address", _ADDRESS]
    console = image.start(command, MEMORY_CONSOLE_KEY="0123456789abcdef")
    try:
        for _ in range(100):
            with contextlib.suppress(urllib.error.URLError):
                page = urllib.request.urlopen("http://127.0.0.1:8080/login", timeout=5).read().decode()
                break
            assert console.poll() is None, "the console exited"
            time.sleep(0.2)
        assert "Log in to the console" in page
        print("the console responds")
    finally:
        console.kill()


def _check_container(process: psutil.Process, image: Image) -> None:
    """Check that the service runs as the image declares, without privileges."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    user = image.config["User"].split(":")[0]
    assert status["Uid"].split() == [user] * 4, status["Uid"]
    assert int(status["CapEff"], 16) == 0, status["CapEff"]
    assert status["NoNewPrivs"] == "1", "the service could gain privileges"
    assert status["NSpid"].split()[-1] == "1", "the service is not process 1"
    assert image.succeeds(["touch", "/tmp/x"]), "/tmp is read-only"
    assert not image.succeeds(["touch", "/opt/memory/x"]), "the root is not read-only"
    print(
        f"process 1, user {user}, no capabilities, read-only root; memory: {status['RssAnon'].strip()}, plus its files"
    )


def _cli(*arguments: str) -> str:
    command = [sys.executable, "-m", "memory_service", *arguments]
    variables = {**os.environ, "MEMORY_ADDRESS": _ADDRESS}
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    asyncio.run(main())

"""`serve` at addresses of each kind, and at those that it cannot use."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory_service.listen_address import check_address
from tests.cli.in_process import run_command
from tests.support.server_process import COMMAND, environment, run_server_process

pytestmark = pytest.mark.slow


def serve(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `serve` in a process of its own."""
    return subprocess.run(
        [*COMMAND, "serve"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def port_in_use() -> Iterator[int]:
    """A port where a socket listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("setting", ["MEMORY_LISTEN", "MEMORY_HEALTH_LISTEN", "MEMORY_METRICS_LISTEN"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_one_line_with_another_port(tmp_path: Path, setting: str, workers: str) -> None:
    with port_in_use() as port:
        settings = {"MEMORY_LISTEN": "127.0.0.1:0", setting: f"127.0.0.1:{port}", "MEMORY_WORKERS": workers}
        settings["MEMORY_DATA_DIR"] = str(tmp_path)
        # The supervisor of workers replaces its process; metrics are served after GLIDE has its event loop.
        in_process = workers == "1" and setting != "MEMORY_METRICS_LISTEN"
        done = run_command("serve", status=1, **settings) if in_process else serve(settings)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    reason = "another process listens there: stop it, or use another port"
    another = f"for example {setting}=127.0.0.1:{port + 1}"
    assert lines == [f"error: {setting}: cannot listen on 127.0.0.1:{port}: {reason}; {another}"]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("192.0.2.7:50051", "this machine does not have this address"),
        ("no-such-host.invalid:50051", "no such host"),
        ("unix:/nowhere/memory.sock", "no directory /nowhere"),
        ("unix:///nowhere/memory.sock", "no directory /nowhere"),
        ("unix:/tmp/" + "x" * 108, "longer than 107 bytes"),
    ],
)
def test_an_unusable_listen_address_is_reported_before_an_engine_starts(
    tmp_path: Path, listen: str, reason: str
) -> None:
    with pytest.raises(
        OSError, match=f"MEMORY_LISTEN: cannot listen on .*{reason}; for example MEMORY_LISTEN="
    ) as caught:
        check_address("MEMORY_LISTEN", listen)
    done = run_command("serve", status=1, MEMORY_DATA_DIR=str(tmp_path), MEMORY_LISTEN=listen, MEMORY_INSECURE="true")
    assert done.stderr == f"error: {caught.value}\n"


async def test_a_server_listens_at_a_unix_socket_and_at_ipv6(tmp_path: Path) -> None:
    for listen in (f"unix:{tmp_path}/s", "::1:0"):
        with run_server_process(MEMORY_LISTEN=listen, MEMORY_DATA_DIR=str(tmp_path / "data")) as server_process:
            assert server_process.run_cli("health", "live").stdout == "SERVING\n"

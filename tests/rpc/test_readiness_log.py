"""A service that is not ready logs the cause at growing intervals, and once that it is ready."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
import trustme
from pydantic import SecretStr

from memory_service.domain.errors import engine_unavailable
from memory_service.embedded import EmbeddedValkey
from memory_service.embedded.process import free_port
from memory_service.logs import log_to_stderr
from memory_service.rpc import readiness_log
from memory_service.rpc.readiness_log import ReadinessLog
from memory_service.server import run_server
from memory_service.settings import Settings
from memory_service.valkey.diagnosis import diagnose
from memory_service.valkey.url import parse_url
from tests.faults.engine_process import EngineProcess
from tests.support.api import TIMEOUT
from tests.support.server_process import channel_to, run_server_process, wait_for_log_lines

pytestmark = pytest.mark.slow

FAILURE = engine_unavailable("cannot be reached")


async def cause_of(url: str) -> str:
    return await asyncio.wait_for(diagnose(parse_url(url), FAILURE), TIMEOUT)


async def first_cause(url: str) -> str:
    """Return the cause that a server logs first when it is not ready."""
    settings = Settings(listen="127.0.0.1:0", valkey_url=SecretStr(url), drain=0.0)
    log_to_stderr(logging.INFO)
    try:
        with structlog.testing.capture_logs() as lines:
            async with run_server(settings), asyncio.timeout(TIMEOUT):
                while not any(line["event"] == "not_ready" for line in lines):  # noqa: ASYNC110 - a list of lines
                    await asyncio.sleep(0.05)
    finally:
        log_to_stderr(logging.ERROR)
    line = next(line for line in lines if line["event"] == "not_ready")
    assert line["log_level"] == "warning"
    assert "ready" not in [line["event"] for line in lines]
    return str(line["cause"])


async def test_a_closed_port_is_logged_with_its_address_without_the_password() -> None:
    port = free_port()
    cause = await first_cause(f"valkey://:s3cret@127.0.0.1:{port}")
    assert cause == f"Valkey at 127.0.0.1:{port} refuses connections: nothing listens on this port"


async def test_an_unknown_host_is_logged() -> None:
    cause = await first_cause("valkeys://:s3cret@no-such-host.invalid")
    assert cause == "Valkey at no-such-host.invalid:6379 cannot be found: check the host name"


@pytest.fixture(scope="module")
async def valkey(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedValkey]:
    """An engine with a password."""
    valkey = EmbeddedValkey(tmp_path_factory.mktemp("valkey"), appendfsync="no")
    await valkey.start()
    yield valkey
    await valkey.stop()


async def test_a_wrong_password_is_logged(valkey: EmbeddedValkey) -> None:
    cause = await first_cause(f"valkey://:s3cret@127.0.0.1:{valkey.port}")
    assert cause == f"Valkey at 127.0.0.1:{valkey.port} refuses this user and password: check MEMORY_VALKEY_URL"
    assert "requires a password" in await cause_of(f"valkey://127.0.0.1:{valkey.port}")
    assert "refuses this user" in await cause_of(f"valkey://nobody:{valkey.password}@127.0.0.1:{valkey.port}")


async def test_not_ready_is_repeated_and_ready_is_logged_once(tmp_path: Path) -> None:
    port = free_port()
    with run_server_process(MEMORY_VALKEY_URL=f"valkey://127.0.0.1:{port}") as server_process:
        lines = await wait_for_log_lines(server_process, "not_ready", 2)
        assert lines[0]["seconds"] < lines[1]["seconds"]
        async with EngineProcess(tmp_path, port=port), channel_to(server_process.address):
            await wait_for_log_lines(server_process, "ready")
            await asyncio.sleep(1.0)
            assert [one["event"] for one in server_process.log if one["event"].endswith("ready")][-1] == "ready"
            assert len([one for one in server_process.log if one["event"] == "ready"]) == 1


async def test_log_intervals_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_log, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(readiness_log, "_LONGEST_PAUSE", 0.04)
    slept = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        task = asyncio.current_task()
        if task is not None and "ReadinessLog" in str(task.get_coro()):  # Other servers sleep as well.
            slept.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", counted)
    failures: list[BaseException] = []

    async def explain(failure: BaseException) -> str:
        failures.append(failure)
        if len(failures) == 2:
            raise OSError
        return "words"

    with structlog.testing.capture_logs():
        log = ReadinessLog(explain)
        for number in range(3):
            log.not_ready(OSError(number))
        while len(slept) < 5:
            await sleep(0.01)
        log.close()
    assert slept[:5] == [0.01, 0.02, 0.04, 0.04, 0.04]
    assert {str(one) for one in failures} == {"2"}, "the latest"


@asynccontextmanager
async def listening(context: ssl.SSLContext | None, reply: bytes | None) -> AsyncIterator[int]:
    """Run a server that sends this reply to everything, or closes the connection if it is None."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply is not None:
            await reader.read(1)
            writer.write(reply)
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_mismatched_tls_and_protocols_are_diagnosed(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.cert_pem.bytes())
    async with listening(context, b"+PONG\r\n") as port:
        assert "certificate that is not trusted" in await cause_of(f"valkeys://127.0.0.1:{port}")
        trusted = await cause_of(f"valkeys://127.0.0.1:{port}/?ca={ca}")
        assert trusted == f"Valkey at 127.0.0.1:{port} answers PING, but the service fails: {FAILURE.message}"
    async with listening(None, b"+PONG\r\n") as port:
        assert "fails the TLS handshake" in await cause_of(f"valkeys://127.0.0.1:{port}")
    async with listening(None, None) as port:
        assert "valkeys://" in await cause_of(f"valkey://127.0.0.1:{port}")
    async with listening(None, b"") as port:
        assert "does not answer within" in await cause_of(f"valkey://127.0.0.1:{port}")
    async with listening(None, b"-LOADING Valkey is loading\r\n") as port:
        assert "is loading its data" in await cause_of(f"valkey://127.0.0.1:{port}")
    async with listening(None, b"-ODD thing\r\n") as port:
        assert "ODD thing" in await cause_of(f"valkey://127.0.0.1:{port}")


async def test_only_the_failing_addresses_are_reported(valkey: EmbeddedValkey) -> None:
    port = free_port()
    cause = await cause_of(f"valkey://:{valkey.password}@127.0.0.1:{valkey.port},127.0.0.1:{port}")
    assert cause == f"Valkey at 127.0.0.1:{port} refuses connections: nothing listens on this port"

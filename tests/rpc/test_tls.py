"""TLS and mTLS for callers, and the configurations that are refused without it."""

import subprocess
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.access import reloading_files
from memory_service.domain.errors import FailedPrecondition
from memory_service.rpc.server import RpcServer
from memory_service.settings import Settings
from tests.cli.in_process import run_command_for
from tests.support.api import TIMEOUT
from tests.support.credentials import api_key, server_with_auth, stub_with_credential
from tests.support.server_process import COMMAND, environment, run_server_process

LIST = pb.ListRequest(filter=memory_pb2.MemoryFilter(user_id="alice"), page_size=1)


class Files:
    """Certificate files as in a mounted secret."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key, self.ca = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"

    def write(self, authority: trustme.CA, name: str = "127.0.0.1") -> None:
        issued = authority.issue_cert(name)
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(one.bytes() for one in issued.cert_chain_pems))
        self.ca.write_bytes(authority.cert_pem.bytes())

    def options(self) -> dict[str, Any]:
        return {"tls": True, "ca": self.ca}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    one = Files(tmp_path)
    one.write(trustme.CA())
    return one


async def hint(address: str, *options: str | Path) -> str:
    """Return the hint of a command that cannot connect."""
    done = await run_command_for(address, *map(str, options), "list", "--user", "alice", "--timeout", "5", status=1)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
    return line


async def accepts(server: RpcServer, credential: str = "", **options: Any) -> bool:
    """Return whether a call with these credentials and TLS options succeeds."""
    async with stub_with_credential(server, credential, **options) as stub:
        try:
            await stub.List(LIST, timeout=5)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                return False
            raise
        return True


async def test_tls_accepts_only_clients_that_trust_it(settings: Settings, server: RpcServer, files: Files) -> None:
    assert server
    async with server_with_auth(settings, tls_cert=files.cert, tls_key=files.key) as one:
        assert await accepts(one, **files.options())
        assert not await accepts(one), "plaintext"
        assert not await accepts(one, tls=True), "with the system's authorities"


async def test_certificates_are_rotated_without_a_restart(
    settings: Settings, server: RpcServer, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server
    monkeypatch.setattr(reloading_files, "_CHECK_INTERVAL", 0.0)
    old_ca = tmp_path / "old_ca.crt"
    old_ca.write_bytes(files.ca.read_bytes())
    async with server_with_auth(settings, tls_cert=files.cert, tls_key=files.key) as one:
        assert await accepts(one, tls=True, ca=old_ca)
        files.write(trustme.CA())
        assert await accepts(one, **files.options()), "the new certificate is used"
        assert not await accepts(one, tls=True, ca=old_ca), "the old one is not"
        files.cert.write_bytes(b"-----BEGIN CERTIFICATE-----\nhalf writ")
        assert await accepts(one, **files.options()), "a half-written file changes nothing"


async def test_mtls_accepts_only_clients_of_its_authorities(
    settings: Settings, server: RpcServer, files: Files, tmp_path: Path
) -> None:
    assert server
    clients, strangers = Files(tmp_path / "clients"), Files(tmp_path / "strangers")
    for issued in (clients, strangers):
        issued.cert.parent.mkdir()
        issued.write(trustme.CA(), "client.test")
    async with server_with_auth(settings, tls_cert=files.cert, tls_key=files.key, tls_client_ca=clients.ca) as one:
        assert await accepts(one, **files.options(), cert=clients.cert, key=clients.key)
        assert not await accepts(one, **files.options())
        assert not await accepts(one, **files.options(), cert=strangers.cert, key=strangers.key)


async def test_the_health_port_serves_only_health(settings: Settings, server: RpcServer, files: Files) -> None:
    assert server
    changes = {"tls_cert": files.cert, "tls_key": files.key, "health_listen": "127.0.0.1:0"}
    async with server_with_auth(settings, **changes) as one, grpc.aio.insecure_channel(one.health_address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        search: Any = channel.unary_unary("/semantic_memory.v1.MemoryService/List")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await search(LIST.SerializeToString(), timeout=TIMEOUT)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED, "health and nothing else"


async def test_an_invalid_certificate_stops_the_start_with_a_reason(settings: Settings, files: Files) -> None:
    files.cert.write_text("no certificate")
    with pytest.raises(FailedPrecondition) as stopped:
        async with server_with_auth(settings, tls_cert=files.cert, tls_key=files.key):
            pass
    assert "MEMORY_TLS_CERT" in stopped.value.message


OPEN: dict[str, tuple[dict[str, Any], str | None]] = {
    "plaintext on every interface": ({"listen": "0.0.0.0:0"}, "MEMORY_INSECURE"),
    "plaintext on every interface, of IPv6": ({"listen": "[::]:0"}, "MEMORY_INSECURE"),
    "plaintext under a name": ({"listen": "memory.example:50051"}, "MEMORY_INSECURE"),
    "keys over plaintext": ({"listen": "0.0.0.0:0", "api_keys": Path("k")}, "MEMORY_TLS_CERT"),
    "TLS for anyone": ({"listen": "0.0.0.0:0", "tls_cert": Path("c"), "tls_key": Path("k")}, "MEMORY_API_KEYS"),
    "half of TLS": ({"tls_cert": Path("c")}, "MEMORY_TLS_KEY"),
    "mTLS without TLS": ({"tls_client_ca": Path("c")}, "MEMORY_TLS_CERT"),
    "tokens of any issuer": ({"jwt_jwks": "https://issuer.test"}, "MEMORY_JWT_ISSUER"),
    "plaintext on loopback": ({"listen": "127.0.0.1:0"}, None),
    "plaintext on loopback, of IPv6": ({"listen": "[::1]:0"}, None),
    "plaintext on localhost": ({"listen": "localhost:0"}, None),
    "insecure on purpose": ({"listen": "0.0.0.0:0", "insecure": True}, None),
    "TLS and keys": (
        {"listen": "0.0.0.0:0", "tls_cert": Path("c"), "tls_key": Path("k"), "api_keys": Path("f")},
        None,
    ),
}


@pytest.mark.parametrize("case", OPEN)
def test_an_open_configuration_needs_consent(case: str) -> None:
    changes, setting = OPEN[case]
    if setting is None:
        Settings(**changes)
        return
    with pytest.raises(ValidationError) as refused:
        Settings(**changes)
    assert setting in str(refused.value)


def test_serve_reports_a_missing_setting_in_one_line() -> None:
    done = subprocess.run(
        [*COMMAND, "serve"],
        env=environment(MEMORY_LISTEN="0.0.0.0:0"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "MEMORY_LISTEN: 0.0.0.0:0" in line
    assert "--insecure" in line


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """A key file, and the key in it."""
    key, entry = api_key("alice-app", ["alice"], "read", "write")
    file = tmp_path / "keys.toml"
    file.write_text(entry)
    return file, key


@pytest.mark.slow
def test_logs_contain_no_key_token_or_content(valkey_url: str, keys: tuple[Path, str], files: Files) -> None:
    file, key = keys
    with run_server_process(
        MEMORY_VALKEY_URL=valkey_url,
        MEMORY_INDEX=f"test_{uuid.uuid4().hex[:12]}",
        MEMORY_API_KEYS=str(file),
        MEMORY_TLS_CERT=str(files.cert),
        MEMORY_TLS_KEY=str(files.key),
    ) as server_process:

        def run(token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
            env = environment(MEMORY_ADDRESS=server_process.address, MEMORY_TOKEN=token, MEMORY_CA=str(files.ca))
            return subprocess.run(
                [*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
            )

        stored = run(key, "store", "a thing said in confidence", "--user", "alice")
        assert "INDEX_NOT_FOUND" in stored.stderr or "NOT_FOUND" in stored.stderr, stored.stderr
        assert "PERMISSION_DENIED" in run(key, "search", "a thing said in confidence", "--user", "bob").stderr
        assert "UNAUTHENTICATED" in run("smk_made_up_secret", "list", "--user", "alice").stderr
        assert "UNAUTHENTICATED" in run("made.up.token", "list", "--user", "alice").stderr
    log = str(server_process.log)
    assert len(server_process.call_lines("Store")) == 1
    for secret in (key, "smk_made_up_secret", "made.up.token", "confidence"):
        assert secret not in log


async def test_a_failed_handshake_says_which_option_is_missing(
    settings: Settings, server: RpcServer, files: Files, tmp_path: Path
) -> None:
    assert server
    (tmp_path / "other").mkdir()
    other = Files(tmp_path / "other")
    other.write(trustme.CA())
    tls = {"tls_cert": files.cert, "tls_key": files.key}
    async with server_with_auth(settings, **tls) as tls_server:
        assert "name the PEM file of its authority with --ca" in await hint(tls_server.address, "--tls")
        assert "name the PEM file of its authority with --ca" in await hint(tls_server.address, "--ca", other.ca)
        assert "--tls, or --ca" in await hint(tls_server.address)
        localhost = tls_server.address.replace("127.0.0.1", "localhost")
        assert "has other names: use one of them in --address" in await hint(localhost, "--ca", files.ca)
    async with server_with_auth(settings, **tls, tls_client_ca=files.ca) as tls_server:
        assert "client certificate (--cert and --key)" in await hint(tls_server.address, "--ca", files.ca)

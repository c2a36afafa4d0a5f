"""Explains why Valkey does not answer. It probes each address itself, because GLIDE's errors say less."""

import asyncio
import socket
import ssl

from memory_service.domain.errors import MemoryServiceError
from memory_service.valkey.client import Address, ConnectionSettings

_STEP_TIMEOUT = 2.0
"""Seconds per address for each step."""

_REPLIES = {
    b"-WRONGPASS": "refuses this user and password: check MEMORY_VALKEY_URL",
    b"-NOAUTH": "requires a password: MEMORY_VALKEY_URL=valkey://user:password@host:port",
    b"-NOPERM": "does not allow PING for this user: grant the rights in deploy/valkey.acl",
    b"-LOADING": "is loading its data",
    b"-MASTERDOWN": "is a replica without its primary",
    b"-ERR max number of clients": "has reached maxclients: raise it",
    b"-DENIED": "accepts connections from its own machine only: turn off protected-mode, or set a password",
}

_FAILURES: dict[type[OSError], str] = {
    socket.gaierror: "cannot be found: check the host name",
    ConnectionRefusedError: "refuses connections: nothing listens on this port",
    ssl.SSLCertVerificationError: "has a certificate that is not trusted: set ca=FILE in MEMORY_VALKEY_URL",
    ssl.SSLError: "fails the TLS handshake: if it has no TLS, use valkey:// instead of valkeys://",
    TimeoutError: f"does not answer within {_STEP_TIMEOUT:.0f} s: check the network; if it needs TLS, use valkeys://",
    ConnectionError: "closes connections at once: if it needs TLS, use valkeys://",
}
"""Descriptions of errors; the first matching type applies."""


async def diagnose(settings: ConnectionSettings, failure: BaseException) -> str:
    """Return the problem of each address, without passwords; if all of them answer, the text of the failure."""
    problems = await asyncio.gather(*(_problem(settings, address) for address in settings.addresses))
    described = [
        f"{_host_port(address)} {problem}"
        for address, problem in zip(settings.addresses, problems, strict=True)
        if problem
    ]
    if described:
        return f"Valkey at {'; '.join(described)}"
    where = ", ".join(map(_host_port, settings.addresses))
    reason = failure.message if isinstance(failure, MemoryServiceError) else str(failure) or "no answer in time"
    return f"Valkey at {where} answers PING, but the service fails: {reason[:200]}"


async def _problem(settings: ConnectionSettings, address: Address) -> str:
    """Return the problem with an address; empty if there is none."""
    try:
        context = await asyncio.to_thread(_tls, settings) if settings.tls else None
        async with asyncio.timeout(_STEP_TIMEOUT):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, server_hostname=address.host if context else None
            )
        try:
            async with asyncio.timeout(_STEP_TIMEOUT):
                return await _ping(settings, reader, writer)
        finally:
            writer.close()
    except OSError as error:
        for kind, description in _FAILURES.items():
            if isinstance(error, kind):
                return description
        return f"cannot be reached: {error.strerror or error}"


async def _ping(settings: ConnectionSettings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    if settings.iam is not None:  # Only GLIDE can sign its tokens.
        return ""
    commands = [["PING"]]
    if settings.password is not None:
        commands.insert(0, ["AUTH", *([settings.username] if settings.username else []), settings.password])
    for command in commands:
        writer.write(_encode(command))
        reply = await reader.readline()
        if not reply:
            raise ConnectionAbortedError
        if reply.startswith(b"-"):
            return next(
                (text for start, text in _REPLIES.items() if reply.startswith(start)), f"answers PING with {reply!r}"
            )
    return ""


def _encode(words: list[str]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _tls(settings: ConnectionSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=settings.tls_ca.decode() if settings.tls_ca else None)


def _host_port(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"

"""Why Valkey does not answer, in words for its operator: found out by hand, since GLIDE's errors say less."""

import asyncio
import socket
import ssl

from memory_service.domain.errors import MemoryServiceError
from memory_service.valkey.client import Address, ConnectionSettings

_ANSWER = 2.0
"""Seconds that an address has for each step."""

_REPLIES = {
    b"-WRONGPASS": "refuses this user and password: check MEMORY_VALKEY_URL",
    b"-NOAUTH": "wants a password: MEMORY_VALKEY_URL=valkey://user:password@host:port",
    b"-NOPERM": "denies this user PING: give it the rights of deploy/valkey.acl",
    b"-LOADING": "is loading its data",
    b"-MASTERDOWN": "is a replica without its primary",
    b"-ERR max number of clients": "has as many clients as it takes: raise maxclients",
    b"-DENIED": "takes connections from its own machine only: turn off protected-mode, or set a password",
}

_FAILURES: dict[type[OSError], str] = {
    socket.gaierror: "cannot be found: there is no such host",
    ConnectionRefusedError: "refuses connections: nothing listens there",
    ssl.SSLCertVerificationError: "has a certificate that is not trusted: set ca=FILE in MEMORY_VALKEY_URL",
    ssl.SSLError: "does not speak TLS as this service does: is it valkey://, without TLS?",
    TimeoutError: f"does not answer within {_ANSWER:.0f} s: is the network open, and does it want TLS (valkeys://)?",
    ConnectionError: "closes connections at once: does it want TLS (valkeys://)?",
}
"""What is wrong, by the first kind that fits."""


async def diagnose(settings: ConnectionSettings, failure: BaseException) -> str:
    """What is wrong with each address, without passwords; if all of them answer, what the failed command said."""
    causes = await asyncio.gather(*(_cause(settings, one) for one in settings.addresses))
    told = [f"{_shown(one)} {cause}" for one, cause in zip(settings.addresses, causes, strict=True) if cause]
    if told:
        return f"Valkey at {'; '.join(told)}"
    where = ", ".join(map(_shown, settings.addresses))
    why = failure.message if isinstance(failure, MemoryServiceError) else str(failure) or "no answer in time"
    return f"Valkey at {where} answers a PING, but not this service: {why[:200]}"


async def _cause(settings: ConnectionSettings, address: Address) -> str:
    """What is wrong with an address; empty when nothing is."""
    try:
        context = await asyncio.to_thread(_tls, settings) if settings.tls else None
        async with asyncio.timeout(_ANSWER):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context, server_hostname=address.host if context else None
            )
        try:
            async with asyncio.timeout(_ANSWER):
                return await _ask(settings, reader, writer)
        finally:
            writer.close()
    except OSError as error:
        for kind, told in _FAILURES.items():
            if isinstance(error, kind):
                return told
        return f"cannot be reached: {error.strerror or error}"


async def _ask(settings: ConnectionSettings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    if settings.iam is not None:  # Its tokens are GLIDE's matter.
        return ""
    commands = [["PING"]]
    if settings.password is not None:
        commands.insert(0, ["AUTH", *([settings.username] if settings.username else []), settings.password])
    for command in commands:
        writer.write(_packed(command))
        reply = await reader.readline()
        if not reply:
            raise ConnectionAbortedError
        if reply.startswith(b"-"):
            return next((told for start, told in _REPLIES.items() if reply.startswith(start)), f"answers {reply!r}")
    return ""


def _packed(words: list[str]) -> bytes:
    encoded = [one.encode() for one in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in encoded)


def _tls(settings: ConnectionSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=settings.tls_ca.decode() if settings.tls_ca else None)


def _shown(address: Address) -> str:
    return f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"

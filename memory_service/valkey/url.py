"""Parses MEMORY_VALKEY_URL."""

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from memory_service.addresses import parse_host_port
from memory_service.valkey.client import Address, ConnectionSettings, Iam

_FORM = "valkey[s]://[user:password@]host[:port][,host[:port]…][/?cluster=true&ca=FILE&iam=SERVICE:REGION:NAME]"
_IAM = re.compile(r"(?P<service>elasticache|memorydb):(?P<region>[a-z0-9-]+):(?P<name>[A-Za-z0-9-]+)")
_PORT = 6379


def parse_url(url: str, *, connections: int = 8, command_timeout: float = 10.0) -> ConnectionSettings:
    """Return the settings of a `valkey://` URL or, with TLS, a `valkeys://` URL.

    User and password are percent-encoded; a password alone belongs to the default user. `cluster=true` selects a
    cluster, and `ca` is a PEM file of trusted authorities. `iam=elasticache:eu-west-1:my-cluster` (or memorydb) uses
    AWS tokens instead of a password and requires TLS.

    Raises:
        ValueError: the URL is malformed. The message never repeats the URL, which may contain a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"valkey", "valkeys"}:
        raise ValueError(f"must begin with valkey:// or valkeys://: {_FORM}")
    try:
        parts = urlsplit("//" + rest)
    except ValueError:
        raise ValueError(f"has an invalid host: {_FORM}") from None
    credentials, _, hosts = parts.netloc.rpartition("@")
    options = parse_qs(parts.query, keep_blank_values=True)
    if parts.path not in {"", "/"} or parts.fragment or not options.keys() <= {"cluster", "ca", "iam"}:
        raise ValueError(f"has an unknown path, option or fragment: {_FORM}")
    cluster = options.get("cluster", ["false"])[-1]
    if cluster not in {"true", "false"}:
        raise ValueError("cluster must be true or false")
    username, colon, password = credentials.partition(":")
    iam = _IAM.fullmatch(options["iam"][-1]) if "iam" in options else None
    if "iam" in options and (iam is None or colon or not username or scheme != "valkeys"):
        raise ValueError(
            f"iam needs valkeys://user@… without a password, and elasticache:REGION:NAME or memorydb:…: {_FORM}"
        )
    return ConnectionSettings(
        addresses=tuple(_address(host) for host in hosts.split(",")),
        cluster=cluster == "true",
        tls=scheme == "valkeys",
        tls_ca=Path(options["ca"][-1]).read_bytes() if "ca" in options else None,
        username=unquote(username) or None,
        password=unquote(password) if credentials and iam is None else None,
        iam=Iam(**iam.groupdict()) if iam else None,
        connections=connections,
        command_timeout=command_timeout,
    )


def _address(text: str) -> Address:
    try:
        address = parse_host_port(text, default_port=_PORT)
    except ValueError:
        # The text is not repeated: it may be part of a password that contains a slash.
        raise ValueError(f"needs a host, IPv6 in brackets, and a port from 1 to 65535: {_FORM}") from None
    return Address(address.host, address.port)

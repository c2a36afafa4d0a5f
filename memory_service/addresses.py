"""Parsers for the addresses of all settings and options.

An address is `unix:PATH` or HOST:PORT. HOST is a name, an IPv4 address, or an IPv6 address with or without brackets.
"""

import ipaddress
import re
from dataclasses import dataclass

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_NAME = 253
_LAST_PORT = 65_535
_UNIX = ("unix:", "unix-abstract:")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A TCP host and port. An IPv6 host has no brackets here."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return HOST:PORT, with an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect to it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_host_port(text: str, *, default_port: int | None = None, free_port: bool = False) -> HostPort:
    """Parse HOST:PORT, or HOST if there is a default port. With `free_port`, port 0 is allowed and means a free port.

    Raises:
        ValueError: the text is not an address; the message says why, and what to use instead.
    """
    host, port = _split(text, default_port)
    if not port.isascii() or not port.isdecimal():
        raise ValueError(f"{port!r} in {text!r} is not a port: use a number")
    lowest = 0 if free_port else 1
    if len(port) > 5 or not lowest <= int(port) <= _LAST_PORT:
        raise ValueError(f"port {port} in {text!r} is out of range: use {lowest} to {_LAST_PORT}")
    _check_host(host, text)
    return HostPort(host, int(port))


def parse_listen(text: str) -> str:
    """Parse an address to listen at, HOST:PORT (port 0 means a free port) or `unix:PATH`; return it in gRPC's form.

    Raises ValueError.
    """
    return text if _is_unix(text) else str(parse_host_port(text, free_port=True))


def parse_target(text: str) -> str:
    """Parse the address of a server; return it in gRPC's form.

    The forms are HOST:PORT, `dns:///HOST:PORT`, `unix:PATH`, and several addresses as `ipv4:HOST:PORT,…` or `ipv6:…`.

    Raises ValueError.
    """
    if _is_unix(text):
        return text
    for scheme in ("ipv4:", "ipv6:"):
        if text.startswith(scheme):
            listed = [parse_host_port(address) for address in text.removeprefix(scheme).split(",")]
            return scheme + ",".join(map(str, listed))
    if text.startswith("dns:"):
        scheme, host_port = text[: text.rindex("/") + 1] or "dns:", text[text.rfind("/") + 1 :].removeprefix("dns:")
        return scheme + str(parse_host_port(host_port))
    if "://" in text:
        raise ValueError(f"{text!r} is a URL: leave out {text.partition('://')[0]}:// and use HOST:PORT")
    return str(parse_host_port(text))


def is_loopback(listen: str) -> bool:
    """Whether only this machine can connect to an address that `parse_listen` returned."""
    return _is_unix(listen) or parse_host_port(listen, free_port=True).is_loopback


def _is_unix(text: str) -> bool:
    scheme = next((prefix for prefix in _UNIX if text.startswith(prefix)), None)
    if scheme is not None and not text.removeprefix(scheme).strip("/"):
        raise ValueError(f"{text!r} needs a path: for example unix:/run/memory.sock")
    return scheme is not None


def _split(text: str, default_port: int | None) -> tuple[str, str]:
    """Return the host without brackets, and the port."""
    if text.startswith("["):
        host, bracket, remainder = text[1:].partition("]")
        if not bracket or (remainder and not remainder.startswith(":")) or ":" not in host:
            raise ValueError(f"{text!r} has no IPv6 address in its brackets: use the form [::1]:PORT")
        port = remainder[1:] if remainder else None
    elif text.count(":") > 1 and default_port is not None:
        # The last part may be a port or not: ::1:6379 is also a valid IPv6 address.
        raise ValueError(f"{text!r} is ambiguous: put an IPv6 address in brackets: [::1]:{default_port}")
    else:
        host, colon, last = text.rpartition(":")
        host, port = (host, last) if colon else (last, None)
    if port is None and default_port is not None:
        port = str(default_port)
    if not port:
        raise ValueError(f"{text!r} has no port: use the form HOST:PORT")
    return host, port


def _check_host(host: str, text: str) -> None:
    if not host:
        raise ValueError(f"{text!r} has no host: use 127.0.0.1 for this machine only, 0.0.0.0 for every interface")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        is_name = len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in labels)
        # A host name does not end in a number: 127.0.0.256 is a typo.
        if not is_name or labels[-1].isdecimal():
            raise ValueError(f"{host!r} in {text!r} is neither a host name nor an IP address") from None

"""Checks that a server can listen at an address before gRPC tries, because gRPC logs failures in C++ terms."""

import errno
import os
import socket
from pathlib import Path

from memory_service.addresses import parse_host_port

_LAST_PORT = 65_535
_MAX_PATH_BYTES = 107


def check_address(setting: str, listen: str, *, shared: bool = False) -> None:
    """Check that this process can listen at the address. With `shared`, other sockets of this service may listen there.

    Raises:
        OSError: the address is in use or belongs to another machine; the message says what to do about the setting.
    """
    if listen.startswith("unix:"):
        _check_path(setting, listen)
    if listen.startswith("unix"):
        return
    address = parse_host_port(listen, free_port=True)
    failure: OSError | None = None
    try:
        candidates = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise cannot_listen(setting, listen, error) from error
    for family, kind, _, _, place in candidates:
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if shared:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                probe.bind(place)
                probe.listen()
        except OSError as error:
            failure = failure or error
        else:
            return
    if failure is not None:
        raise cannot_listen(setting, listen, failure) from failure


def _check_path(setting: str, listen: str) -> None:
    path = Path(listen.removeprefix("unix:").removeprefix("//"))
    if len(os.fsencode(path)) > _MAX_PATH_BYTES:
        raise cannot_listen(
            setting, listen, OSError(errno.ENAMETOOLONG, f"the path is longer than {_MAX_PATH_BYTES} bytes")
        )
    if not path.parent.is_dir():
        raise cannot_listen(setting, listen, OSError(errno.ENOENT, f"there is no directory {path.parent}"))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise cannot_listen(setting, listen, OSError(errno.EACCES, f"this user may not write to {path.parent}"))


def cannot_listen(setting: str, listen: str, cause: OSError) -> OSError:
    """Return the error for a setting with an address where this process cannot listen."""
    if listen.startswith("unix"):
        why, example = cause.strerror or "the socket cannot be created", "unix:/tmp/semantic-memory.sock"
    else:
        address = parse_host_port(listen, free_port=True)
        next_port = address.port + 1 if address.port < _LAST_PORT else address.port - 1
        here, example = f"127.0.0.1:{address.port}", f"{listen.rpartition(':')[0]}:{next_port}"
        if isinstance(cause, socket.gaierror):
            why, example = "no such host", here
        elif cause.errno == errno.EADDRINUSE:
            why = "another process listens there: stop it, or use another port"
        elif cause.errno == errno.EADDRNOTAVAIL:
            why, example = "this machine does not have this address", here
        elif cause.errno == errno.EACCES:
            why, example = "this user may not use ports below 1024", f"{listen.rpartition(':')[0]}:50051"
        else:
            why, example = cause.strerror or str(cause), here
    return OSError(f"{setting}: cannot listen on {listen}: {why}; for example {setting}={example}")

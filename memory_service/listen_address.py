"""Whether a server can listen at an address, found out before gRPC tries: it logs what it meets in lines of C++."""

import errno
import os
import socket
from pathlib import Path

from memory_service.addresses import parse_host_port

_LAST_PORT = 65_535
_LONGEST_PATH = 107


def check_address(setting: str, listen: str, *, shared: bool = False) -> None:
    """Return when the address can be listened at. With `shared` sockets of this service may be there already.

    Raises:
        OSError: it is taken, or is none of this machine's; says what to do about the setting.
    """
    if listen.startswith("unix:"):
        _check_path(setting, listen)
    if listen.startswith("unix"):
        return
    address = parse_host_port(listen, free_port=True)
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise cannot_listen(setting, listen, error) from error
    for family, kind, _, _, place in found:
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
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise cannot_listen(setting, listen, OSError(errno.ENAMETOOLONG, f"a path has {_LONGEST_PATH} bytes at most"))
    if not path.parent.is_dir():
        raise cannot_listen(setting, listen, OSError(errno.ENOENT, f"there is no folder {path.parent}"))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise cannot_listen(setting, listen, OSError(errno.EACCES, f"this user may not write to {path.parent}"))


def cannot_listen(setting: str, listen: str, cause: OSError) -> OSError:
    """The error of a setting whose address cannot be listened at."""
    if listen.startswith("unix"):
        why, example = cause.strerror or "no socket can be made there", "unix:/tmp/semantic-memory.sock"
    else:
        address = parse_host_port(listen, free_port=True)
        another = address.port + 1 if address.port < _LAST_PORT else address.port - 1
        here, example = f"127.0.0.1:{address.port}", f"{listen.rpartition(':')[0]}:{another}"
        if isinstance(cause, socket.gaierror):
            why, example = "no such host", here
        elif cause.errno == errno.EADDRINUSE:
            why = "another process listens there: stop it, or choose another port"
        elif cause.errno == errno.EADDRNOTAVAIL:
            why, example = "it is no address of this machine", here
        elif cause.errno == errno.EACCES:
            why, example = "this user may not use ports below 1024", f"{listen.rpartition(':')[0]}:50051"
        else:
            why, example = cause.strerror or str(cause), here
    return OSError(f"{setting}: cannot listen on {listen}: {why}; for example {setting}={example}")

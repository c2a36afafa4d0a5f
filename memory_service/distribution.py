"""The installed package: its version, the command to add an extra, and conflicts with other packages."""

import json
import shlex
import sys
from importlib import metadata, util
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "semantic-memory-grpc-server"
"""The server package. It contains the client module instead of depending on the client package: that package is not on
PyPI, so anyone could publish one under its name."""
CLIENT = "semantic-memory-grpc-client"
"""The client without the server, from the same checkout."""

_MODULE = "semantic_memory"


def version() -> str:
    """Return the installed version."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:  # The source code runs without being installed.
        return "unknown"


def install_command(*options: str, extra: str = "") -> str:
    """Return the command that installs this package, with an extra, from the source of the current installation.

    It never installs by name: the package is not on PyPI, so a package with that name there is unrelated software.
    """
    source, editable = _source()
    path = source or "."
    target = [*(["--editable"] if editable else []), f"{path}[{extra}]" if extra else path]
    command = shlex.join([sys.executable, "-m", "pip", "install", *options, *target])
    return command if source else f"{command} in its checkout, or with the path of its wheel instead of the dot"


def _source() -> tuple[str, bool]:
    """Return the checkout or wheel that pip installed (empty if deleted), and whether it is editable (PEP 610)."""
    try:
        recorded = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        recorded = {}
    path = unquote(urlsplit(recorded.get("url", "")).path)
    if not path or not Path(path).exists():
        return "", False
    return path, bool(recorded.get("dir_info", {}).get("editable"))


def foreign_distribution() -> tuple[str, str] | None:
    """Return the conflict with another package that has the client's module, and what to do; None if there is none."""
    owners = metadata.packages_distributions().get(_MODULE, [])
    others = sorted(set(owners) - {NAME, CLIENT})
    if not others:
        return None
    names = shlex.join(others)
    return f"{names}, which is not part of this software, has a module {_MODULE} too", _uninstall_command(names)


def duplicate_client() -> tuple[str, str] | None:
    """Return the conflict if the client, which the server contains, is installed too, and what to do; else None."""
    if not {NAME, CLIENT} <= set(metadata.packages_distributions().get(_MODULE, [])):
        return None
    return f"{CLIENT} is installed next to {NAME}, which contains it; their versions can differ", _uninstall_command(
        CLIENT
    )


def explain_import_error(error: Exception) -> str | None:
    """Return why the import of the client's module failed, and what to do; None for other errors."""
    if (other := foreign_distribution()) is not None:
        return ": ".join(other)
    if not isinstance(error, ImportError) or (error.name or "").partition(".")[0] != _MODULE:
        return None
    spec = util.find_spec(_MODULE)
    where = "is missing" if spec is None else f"at {spec.origin or 'an empty folder'} is not this software's"
    return f"the module {_MODULE} {where}: {_reinstall_command()}"


def _uninstall_command(names: str) -> str:
    """Return the command that removes the packages and reinstalls this one, since the removal deletes shared files."""
    return f"{shlex.quote(sys.executable)} -m pip uninstall --yes {names} && {_reinstall_command()}"


def _reinstall_command() -> str:
    return install_command("--force-reinstall", "--no-deps")

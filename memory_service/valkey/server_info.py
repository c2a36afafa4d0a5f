"""What an engine says of itself, for `memory-service doctor`. Nothing here changes anything in it."""

import re
from dataclasses import dataclass
from typing import Any

from memory_service.domain.errors import FailedPrecondition
from memory_service.valkey.connections import Connections
from memory_service.valkey.errors import NOT_PERMITTED, CommandRefused
from memory_service.valkey.schema import IndexMetadata, metadata_key

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `appendfsync` and `save` None: this user may not read the configuration."""

    version: Version
    search: Version | None
    json: Version | None
    redisearch: bool
    """Whether the search module is RediSearch, not valkey-search."""
    appendonly: bool
    appendfsync: str | None
    save: str | None
    maxmemory: int
    maxmemory_policy: str


async def nodes(connections: Connections) -> list[Node]:
    """Every node that answers INFO.

    Raises as `Connections.run` does.
    """
    told = await connections.run(["INFO"])
    appendfsync, save = await _configured(connections, "appendfsync"), await _configured(connections, "save")
    each = list(told.values()) if isinstance(told, dict) else [told]
    return [_node(bytes(one).decode(), appendfsync, save) for one in each]


async def metadata(connections: Connections, index: str) -> IndexMetadata | None:
    """What is remembered of an index."""
    text = await connections.run(["GET", metadata_key(index)])
    return None if text is None else IndexMetadata.decode(text)


async def refused_commands(connections: Connections, index: str) -> list[str]:
    """Which of the commands that the service uses its user may not use. Each is tried in a way that does nothing: on a
    key that is not there, or with a syntax that is refused only after the right to it."""
    key, nowhere = "semantic_memory:doctor", "mem_doctor:none"
    harmless: list[list[str | bytes]] = [
        ["PING"],
        ["GET", key],
        ["SET", key, "", "XX"],
        ["DEL", key],
        ["SCAN", "0", "COUNT", "1"],
        ["PEXPIREAT", nowhere, "1"],
        ["JSON.GET", nowhere],
        ["HSETEX", nowhere, "FXX", "FIELDS", "1", "none", ""],
        ["HGET", nowhere, "none"],
        ["HMGET", nowhere, "none"],
        ["JSON.SET", nowhere, "$.nothing", "1"],
        ["FT._LIST"],
        ["FT.INFO", index],
        ["FT.SEARCH", index, "@nothing:{", "DIALECT", "2"],
        ["FT.CREATE", nowhere, "ON", "JSON", "PREFIX", "1", nowhere, "SCHEMA", "$.a", "AS", "a", "NOTHING"],
        ["FT.DROPINDEX", nowhere],
    ]
    refused = []
    for command in harmless:
        try:
            await connections.run(command)
        except CommandRefused:
            continue
        except FailedPrecondition as error:
            if NOT_PERMITTED in error.message:
                refused.append(str(command[0]))
    return refused


async def _configured(connections: Connections, name: str) -> str | None:
    try:
        told = await connections.run(["CONFIG", "GET", name])
    except (CommandRefused, FailedPrecondition):
        return None
    values = _flat(told)
    return values[1] if len(values) > 1 else None


def _flat(told: Any) -> list[str]:
    """The texts of a reply, which is a list, a mapping, or on a cluster a mapping of either."""
    if isinstance(told, dict):
        return [text for pair in told.items() for one in pair for text in _flat(one)]
    if isinstance(told, list):
        return [text for one in told for text in _flat(one)]
    return [bytes(told).decode()]


def _node(info: str, appendfsync: str | None, save: str | None) -> Node:
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line and not line.startswith("module:"))
    modules = {found["name"]: int(found["version"]) for found in _MODULE.finditer(info)}
    redisearch = "ReJSON" in modules
    number = _decimal if redisearch else _hexadecimal
    return Node(
        version=_dotted(told.get("valkey_version") or told.get("redis_version", "0")),
        search=number(modules["search"]) if "search" in modules else None,
        json=_decimal(modules["json"] if "json" in modules else modules["ReJSON"])
        if modules.keys() & {"json", "ReJSON"}
        else None,
        redisearch=redisearch,
        appendonly=told.get("aof_enabled") == "1",
        appendfsync=appendfsync,
        save=save,
        maxmemory=int(told.get("maxmemory", 0)),
        maxmemory_policy=told.get("maxmemory_policy", "unknown"),
    )


_MODULE = re.compile(r"^module:name=(?P<name>[^,]+),ver=(?P<version>\d+)", re.MULTILINE)


def _dotted(text: str) -> Version:
    major, minor, patch = (*(int(one) for one in re.findall(r"\d+", text)[:3]), 0, 0, 0)[:3]
    return major, minor, patch


def _decimal(number: int) -> Version:
    """10002 is 1.0.2, as modules of Redis and valkey-json count."""
    return number // 10_000, number // 100 % 100, number % 100


def _hexadecimal(number: int) -> Version:
    """0x010201 is 1.2.1, as valkey-search counts."""
    return number >> 16, number >> 8 & 255, number & 255

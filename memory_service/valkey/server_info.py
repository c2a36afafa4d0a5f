"""Information about the engine for `memory-service doctor`. Nothing here changes the engine."""

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
    """One node. `appendfsync` and `save` are None if this user may not read the configuration."""

    version: Version
    search: Version | None
    json: Version | None
    redisearch: bool
    """Whether the search module is RediSearch instead of valkey-search."""
    appendonly: bool
    appendfsync: str | None
    save: str | None
    maxmemory: int
    maxmemory_policy: str


async def nodes(connections: Connections) -> list[Node]:
    """Return every node that answers INFO.

    Raises the errors of `Connections.run`.
    """
    reply = await connections.run(["INFO"])
    appendfsync, save = await _config_value(connections, "appendfsync"), await _config_value(connections, "save")
    infos = list(reply.values()) if isinstance(reply, dict) else [reply]
    return [_node(bytes(info).decode(), appendfsync, save) for info in infos]


async def metadata(connections: Connections, index: str) -> IndexMetadata | None:
    """Return the stored metadata of an index."""
    record = await connections.run(["GET", metadata_key(index)])
    return None if record is None else IndexMetadata.decode(record)


async def refused_commands(connections: Connections, index: str) -> list[str]:
    """Return the commands that the service needs and its user may not run.

    Each is tried without an effect: on a key that does not exist, or with a syntax error that the engine reports only
    after the check of the right.
    """
    key, missing = "semantic_memory:doctor", "mem_doctor:none"
    harmless: list[list[str | bytes]] = [
        ["PING"],
        ["GET", key],
        ["SET", key, "", "XX"],
        ["DEL", key],
        ["SCAN", "0", "COUNT", "1"],
        ["PEXPIREAT", missing, "1"],
        ["JSON.GET", missing],
        ["HSETEX", missing, "FXX", "FIELDS", "1", "none", ""],
        ["HGET", missing, "none"],
        ["HMGET", missing, "none"],
        ["JSON.SET", missing, "$.nothing", "1"],
        ["FT._LIST"],
        ["FT.INFO", index],
        ["FT.SEARCH", index, "@nothing:{", "DIALECT", "2"],
        ["FT.CREATE", missing, "ON", "JSON", "PREFIX", "1", missing, "SCHEMA", "$.a", "AS", "a", "NOTHING"],
        ["FT.DROPINDEX", missing],
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


async def _config_value(connections: Connections, name: str) -> str | None:
    try:
        reply = await connections.run(["CONFIG", "GET", name])
    except (CommandRefused, FailedPrecondition):
        return None
    values = _flat(reply)
    return values[1] if len(values) > 1 else None


def _flat(reply: Any) -> list[str]:
    """Return the texts of a reply: a list, a mapping, or, from a cluster, a mapping of either."""
    if isinstance(reply, dict):
        return [text for pair in reply.items() for item in pair for text in _flat(item)]
    if isinstance(reply, list):
        return [text for item in reply for text in _flat(item)]
    return [bytes(reply).decode()]


def _node(info: str, appendfsync: str | None, save: str | None) -> Node:
    values = dict(line.split(":", 1) for line in info.splitlines() if ":" in line and not line.startswith("module:"))
    modules = {match["name"]: int(match["version"]) for match in _MODULE.finditer(info)}
    redisearch = "ReJSON" in modules
    number = _decimal if redisearch else _hexadecimal
    return Node(
        version=_dotted(values.get("valkey_version") or values.get("redis_version", "0")),
        search=number(modules["search"]) if "search" in modules else None,
        json=_decimal(modules["json"] if "json" in modules else modules["ReJSON"])
        if modules.keys() & {"json", "ReJSON"}
        else None,
        redisearch=redisearch,
        appendonly=values.get("aof_enabled") == "1",
        appendfsync=appendfsync,
        save=save,
        maxmemory=int(values.get("maxmemory", 0)),
        maxmemory_policy=values.get("maxmemory_policy", "unknown"),
    )


_MODULE = re.compile(r"^module:name=(?P<name>[^,]+),ver=(?P<version>\d+)", re.MULTILINE)


def _dotted(text: str) -> Version:
    major, minor, patch = (*(int(number) for number in re.findall(r"\d+", text)[:3]), 0, 0, 0)[:3]
    return major, minor, patch


def _decimal(number: int) -> Version:
    """Decode a version of a Redis module or of valkey-json: 10002 is 1.0.2."""
    return number // 10_000, number // 100 % 100, number % 100


def _hexadecimal(number: int) -> Version:
    """Decode a version of valkey-search: 0x010201 is 1.2.1."""
    return number >> 16, number >> 8 & 255, number & 255

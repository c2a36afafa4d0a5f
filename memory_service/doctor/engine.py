"""Checks of one node of Valkey: its versions, its persistence, and its behaviour at the memory limit."""

from collections.abc import Iterator

from memory_service.doctor.finding import Finding, State
from memory_service.valkey import ConnectionSettings
from memory_service.valkey.server_info import Node, Version

_VALKEY = (9, 1, 2)
_SEARCH = (1, 2, 1)
_JSON = (1, 0, 2)
_BUNDLE = "use the image valkey/valkey-bundle:9.1 or newer"


def check_versions(node: Node) -> Iterator[Finding]:
    """Check that Valkey and its modules are new enough."""
    if node.search is None or node.json is None:
        missing = " and ".join(
            name for name, version in (("search", node.search), ("JSON", node.json)) if version is None
        )
        yield Finding("modules", State.WRONG, f"Valkey {_text(node.version)} has no module for {missing}", _BUNDLE)
        return
    if node.redisearch:
        summary = f"Valkey {_text(node.version)}, RediSearch {_text(node.search)}, RedisJSON {_text(node.json)}"
        yield Finding("modules", State.GOOD, summary)
        return
    floors = (
        ("Valkey", node.version, _VALKEY, "earlier versions block writes that arrive in parts during a search"),
        ("valkey-search", node.search, _SEARCH, "in earlier versions searches and dropped indexes can crash Valkey"),
        ("valkey-json", node.json, _JSON, "earlier versions are not tested"),
    )
    old = [
        f"{name} {_text(version)} is older than {_text(minimum)}: {why}"
        for name, version, minimum, why in floors
        if version < minimum
    ]
    if old:
        yield Finding("modules", State.WRONG, "; ".join(old), _BUNDLE)
    else:
        yield Finding("modules", State.GOOD, ", ".join(f"{name} {_text(version)}" for name, version, _, _ in floors))


def check_persistence(node: Node, connection_settings: ConnectionSettings) -> Finding:
    """Check that an acknowledged write survives a crash."""
    if connection_settings.iam is not None and connection_settings.iam.service == "memorydb":
        return Finding("persistence", State.GOOD, "MemoryDB logs every acknowledged write durably")
    if not node.appendonly:
        lost = "everything since the last snapshot" if node.save else "every memory"
        return Finding(
            "persistence",
            State.WRONG,
            f"appendonly is off: {lost} is lost when Valkey stops",
            "set appendonly yes and appendfsync always; if a managed Valkey has neither, use replicas and exports",
        )
    if node.appendfsync is None:
        return Finding(
            "persistence",
            State.UNKNOWN,
            "appendonly is on; this user may not read appendfsync",
            "run CONFIG GET appendfsync as an administrator: it should be always",
        )
    if node.appendfsync == "always":
        return Finding("persistence", State.GOOD, "appendfsync always: an acknowledged write survives a crash")
    lost = "a second" if node.appendfsync == "everysec" else "half a minute"
    summary = f"appendfsync {node.appendfsync}: a crash of the machine loses about {lost} of acknowledged writes"
    return Finding("persistence", State.RISK, summary, "set appendfsync always if you cannot accept that")


def check_memory(node: Node) -> Finding:
    """Check that Valkey refuses writes, and evicts nothing, at its memory limit."""
    if node.maxmemory_policy != "noeviction":
        summary = f"maxmemory-policy {node.maxmemory_policy}: Valkey silently deletes memories at its limit"
        return Finding("memory", State.WRONG, summary, "set maxmemory-policy noeviction, which refuses writes instead")
    if not node.maxmemory:
        summary = "noeviction without maxmemory: a full machine kills Valkey, while a limit would refuse writes"
        return Finding("memory", State.RISK, summary, "set maxmemory, for example to 75 % of the machine's memory")
    return Finding("memory", State.GOOD, f"noeviction, up to {node.maxmemory / 2**30:.1f} GiB")


def _text(version: Version) -> str:
    return ".".join(map(str, version))

"""Whether one node of Valkey is new enough, keeps what it acknowledges, and forgets nothing when it is full."""

from collections.abc import Iterator

from memory_service.doctor.finding import Finding, State
from memory_service.valkey import ConnectionSettings
from memory_service.valkey.server_info import Node, Version

_VALKEY = (9, 1, 2)
_SEARCH = (1, 2, 1)
_JSON = (1, 0, 2)
_BUNDLE = "use the image valkey/valkey-bundle:9.1 or newer"


def versions(node: Node) -> Iterator[Finding]:
    if node.search is None or node.json is None:
        missing = " and ".join(name for name, found in (("search", node.search), ("JSON", node.json)) if found is None)
        yield Finding("modules", State.WRONG, f"Valkey {_text(node.version)} lacks the module for {missing}", _BUNDLE)
        return
    if node.redisearch:
        told = f"Valkey {_text(node.version)}, RediSearch {_text(node.search)}, RedisJSON {_text(node.json)}"
        yield Finding("modules", State.GOOD, told)
        return
    floors = (
        ("Valkey", node.version, _VALKEY, "before it, writes that are sent in parts stall behind a search"),
        ("valkey-search", node.search, _SEARCH, "before it, searches and dropped indexes can crash Valkey"),
        ("valkey-json", node.json, _JSON, "nothing older is tested"),
    )
    old = [
        f"{name} {_text(found)} is older than {_text(least)}: {why}"
        for name, found, least, why in floors
        if found < least
    ]
    if old:
        yield Finding("modules", State.WRONG, "; ".join(old), _BUNDLE)
    else:
        yield Finding("modules", State.GOOD, ", ".join(f"{name} {_text(found)}" for name, found, _, _ in floors))


def persistence(node: Node, reached: ConnectionSettings) -> Finding:
    if reached.iam is not None and reached.iam.service == "memorydb":
        return Finding("persistence", State.GOOD, "MemoryDB keeps every acknowledged write in its log")
    if not node.appendonly:
        lost = "everything since the last snapshot" if node.save else "every memory"
        return Finding(
            "persistence",
            State.WRONG,
            f"appendonly is off: {lost} is lost when Valkey ends",
            "set appendonly yes and appendfsync always; where a managed Valkey has neither, keep replicas and exports",
        )
    if node.appendfsync is None:
        return Finding(
            "persistence",
            State.UNKNOWN,
            "appendonly is on; this user may not read appendfsync",
            "ask as an administrator: CONFIG GET appendfsync should say always",
        )
    if node.appendfsync == "always":
        return Finding("persistence", State.GOOD, "appendfsync always: an acknowledged write survives a crash")
    lost = "a second" if node.appendfsync == "everysec" else "half a minute"
    told = f"appendfsync {node.appendfsync}: about {lost} of acknowledged writes is lost when Valkey's machine dies"
    return Finding("persistence", State.RISK, told, "set appendfsync always if that must not be")


def memory(node: Node) -> Finding:
    if node.maxmemory_policy != "noeviction":
        told = f"maxmemory-policy {node.maxmemory_policy}: memories vanish without a word when Valkey is full"
        return Finding("memory", State.WRONG, told, "set maxmemory-policy noeviction: then writes are refused instead")
    if not node.maxmemory:
        told = "noeviction, but no maxmemory: a full machine ends Valkey where a limit would refuse writes"
        return Finding("memory", State.RISK, told, "set maxmemory to what the machine can spare, such as 75 %")
    return Finding("memory", State.GOOD, f"noeviction, up to {node.maxmemory / 2**30:.1f} GiB")


def _text(version: Version) -> str:
    return ".".join(map(str, version))

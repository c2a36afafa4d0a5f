"""Load the cases, and resolve each for a run."""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("cases")


def load() -> list[dict[str, Any]]:
    """Return all cases in the order of their files. The name of a case starts with that of its file."""
    return [
        {**case, "name": f"{file.stem.partition('-')[2]}: {case['name']}"}
        for file in sorted(FOLDER.glob("*.json"))
        for case in json.loads(file.read_text())
    ]


def embeddings() -> dict[str, Any]:
    """Return the embeddings and errors of the embedding model, by text."""
    by_text: dict[str, Any] = json.loads(FOLDER.with_name("embeddings.json").read_text())
    return by_text


def forms(case: dict[str, Any], client: str) -> Iterator[str]:
    """Yield the forms in which a client runs the case."""
    yield "message"
    calls_rpc = any("rpc" in call for call in case["calls"])
    if calls_rpc and client not in case.get("message_only", []):
        yield "keywords"


def resolve(case: dict[str, Any], form: str, run: str, endpoints: Mapping[str, str]) -> dict[str, Any]:
    """Return a case as a runner reads it.

    Args:
        case: One of `load`.
        form: How the runner passes the fields of a request: as a "message" or as "keywords".
        run: Replaces `$RUN`; a name that no other run uses.
        endpoints: Addresses, files and tokens by the names that cases use.
    """
    connect = {name: endpoints[value] for name, value in case.get("connect", {}).items()}
    return {
        "name": case["name"],
        "form": form,
        "connect": {"address": endpoints["server"], **connect},
        "calls": _resolve(case["calls"], run),
    }


def _resolve(value: Any, run: str) -> Any:
    if isinstance(value, str):
        return value.replace("$RUN", run)
    if isinstance(value, list):
        return [_resolve(one, run) for one in value]
    if not isinstance(value, dict):
        return value
    if "repeat" in value:
        return value["repeat"] * value["times"]
    if "float32" in value:
        numbers = [*value["float32"], *[0.0] * (value.get("dimension", 0) - len(value["float32"]))]
        return {"float32": [one if isinstance(one, str) else struct.pack(">f", one).hex() for one in numbers]}
    return {_resolve(key, run): _resolve(one, run) for key, one in value.items()}

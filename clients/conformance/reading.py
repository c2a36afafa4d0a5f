"""The cases as data: how they are read, made concrete for one run, and compared with what a client gave."""

import base64
import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("cases")


def load() -> list[dict[str, Any]]:
    """All cases, in the order of the files' names, each with its file's name before its own."""
    return [
        {**case, "name": f"{file.stem.partition('-')[2]}: {case['name']}"}
        for file in sorted(FOLDER.glob("*.json"))
        for case in json.loads(file.read_text())
    ]


def embeddings() -> dict[str, Any]:
    """What the embedding model makes of each text."""
    supplied: dict[str, Any] = json.loads(FOLDER.with_name("embeddings.json").read_text())
    return supplied


def concrete(case: dict[str, Any], run: str, places: Mapping[str, str]) -> dict[str, Any]:
    """A case for one run: `$RUN` is a name that no other run has, places are addresses, files and keys by name."""
    connect = {name: places[value] for name, value in case.get("connect", {}).items()}
    filled = _filled(case["calls"], run)
    return {"name": case["name"], "connect": {"address": places["server"], **connect}, "calls": filled}


def _filled(value: Any, run: str) -> Any:
    if isinstance(value, str):
        return value.replace("$RUN", run)
    if isinstance(value, list):
        return [_filled(one, run) for one in value]
    if not isinstance(value, dict):
        return value
    if "repeat" in value:
        return value["repeat"] * value["times"]
    if "float32" in value:
        numbers = [*value["float32"], *[0.0] * (value.get("dimension", 0) - len(value["float32"]))]
        return {"float32": [one if isinstance(one, str) else struct.pack(">f", one).hex() for one in numbers]}
    return {_filled(key, run): _filled(one, run) for key, one in value.items()}


def differences(call: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    """How the result of a concrete call differs from what it expects; nothing when it is as expected."""
    expected: dict[str, Any] = call["expect"]
    error = result.get("error")
    if not expected:
        return
    if error and "\n" in error["text"]:
        yield f"an error of more than one line: {error['text']!r}"
    if error and "error" not in expected:
        yield f"failed with {error['text']}"
        return
    for name, wanted in expected.items():
        if name == "hit_count":
            yield from _differences("the number of hits", wanted, len(result.get("hits", [])))
        else:
            yield from _differences(name, wanted, result.get(name))


def _differences(where: str, wanted: Any, given: Any) -> Iterator[str]:
    """What is wanted is a part of what is given; a default of Protobuf is given also where JSON leaves it out."""
    if isinstance(wanted, dict):
        yield from _differences_of_object(where, wanted, given)
    elif isinstance(wanted, list):
        given = given or []
        if len(wanted) != len(given):
            yield f"{where} has {len(given)} entries and not {len(wanted)}: {given}"
            return
        for number, one in enumerate(wanted):
            yield from _differences(f"{where}[{number}]", one, given[number])
    elif isinstance(wanted, float):
        if not math.isclose(wanted, float(given or 0), rel_tol=1e-5, abs_tol=1e-6):
            yield f"{where} is {given!r} and not {wanted!r}"
    elif (given or type(wanted)()) != wanted:
        yield f"{where} is {given!r} and not {wanted!r}"


def _differences_of_object(where: str, wanted: dict[str, Any], given: Any) -> Iterator[str]:
    match wanted:
        case {"contains": part}:
            if all(list(_differences("", part, one)) for one in given or []):
                yield f"{where} lacks {part}: {given}"
        case {"matches": words}:
            if words not in str(given).lower():
                yield f"{where} does not say {words!r}: {given!r}"
        case {"float32": bits}:
            yield from _differences(where, _base64(bits), given)
        case _:
            for key, one in wanted.items():
                yield from _differences(f"{where}.{key}", one, (given or {}).get(key))


def _base64(bits: list[str]) -> str:
    return base64.b64encode(b"".join(struct.pack("<I", int(one, 16)) for one in bits)).decode()

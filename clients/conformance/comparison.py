"""Comparison of a result with what a case expects. It is the same for all clients."""

import base64
import math
import struct
from collections.abc import Iterator
from typing import Any


def differences(call: dict[str, Any], result: dict[str, Any]) -> Iterator[str]:
    """Yield each difference between the result of a call and what the call expects."""
    expected: dict[str, Any] = call["expect"]
    error = result.get("error")
    if not expected:
        return
    if error and "\n" in error["text"]:
        yield f"the error has more than one line: {error['text']!r}"
    if error and "error" not in expected:
        yield f"failed with {error['text']}"
        return
    for name, wanted in expected.items():
        if name == "hit_count":
            yield from _differences("the number of hits", wanted, len(result.get("hits", [])))
        else:
            yield from _differences(name, wanted, result.get(name))


def _differences(path: str, wanted: Any, actual: Any) -> Iterator[str]:
    """Compare what is wanted with the same part of the actual value. JSON omits Protobuf's default values."""
    if isinstance(wanted, dict):
        yield from _differences_of_object(path, wanted, actual)
    elif isinstance(wanted, list):
        actual = actual or []
        if len(wanted) != len(actual):
            yield f"{path} has {len(actual)} entries, expected {len(wanted)}: {actual}"
            return
        for number, one in enumerate(wanted):
            yield from _differences(f"{path}[{number}]", one, actual[number])
    elif isinstance(wanted, float):
        if not math.isclose(wanted, float(actual or 0), rel_tol=1e-5, abs_tol=1e-6):
            yield f"{path} is {actual!r}, expected {wanted!r}"
    elif (actual or type(wanted)()) != wanted:
        yield f"{path} is {actual!r}, expected {wanted!r}"


def _differences_of_object(path: str, wanted: dict[str, Any], actual: Any) -> Iterator[str]:
    match wanted:
        case {"contains": part}:
            if all(list(_differences("", part, one)) for one in actual or []):
                yield f"{path} has no entry {part}: {actual}"
        case {"matches": words}:
            if words not in str(actual).lower():
                yield f"{path} does not contain {words!r}: {actual!r}"
        case {"float32": bits}:
            yield from _differences(path, _base64(bits), actual)
        case _:
            for key, one in wanted.items():
                yield from _differences(f"{path}.{key}", one, (actual or {}).get(key))


def _base64(bits: list[str]) -> str:
    return base64.b64encode(b"".join(struct.pack("<I", int(one, 16)) for one in bits)).decode()

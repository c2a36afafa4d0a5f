"""Runs the conformance cases that come on standard input, and prints what each call gave: see README.md.

With the argument "asyncio" by the asyncio client, otherwise by the sync one.
"""

import asyncio
import base64
import json
import re
import struct
import sys
from collections.abc import AsyncIterable, Awaitable
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from semantic_memory import TLS, AsyncMemoryClient, MemoryClient, MemoryServiceError, pack, unpack
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.error_reason_pb2 import ErrorReason

SERVING_STATUS = health_pb2.HealthCheckResponse.ServingStatus


async def main(kind: type[MemoryClient] | type[AsyncMemoryClient]) -> None:
    for case in json.load(sys.stdin):
        to = case["connect"]
        tls = TLS(to["ca"], to.get("certificate"), to.get("key")) if "ca" in to else None
        memories = kind(to["address"], tls=tls, token=to.get("token"))
        results = [await run(memories, call) for call in case["calls"]]
        await finished(memories.close())
        print(json.dumps({"name": case["name"], "results": results}), flush=True)


async def run(memories: MemoryClient | AsyncMemoryClient, call: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(call.get("pause", 0))
    result: dict[str, Any] = {}
    timeout = call.get("timeout")
    try:
        if "pack" in call:
            packed = pack(floats(call["pack"]))
            bits = [f"{number:08x}" for number in struct.unpack(f"<{len(packed) // 4}I", unpack(packed).tobytes())]
            return {"packed": packed.hex(), "unpacked": bits}
        if "health" in call:
            await health(memories, call, result.setdefault("statuses", []))
            return result
        request = ParseDict(with_packed(call["request"]), getattr(pb, f"{call['rpc']}Request")())
        method = getattr(memories, re.sub(r"(?<!^)(?=[A-Z])", "_", call["rpc"]).lower())
        if call["rpc"] == "Search":
            await search(method(request, timeout=timeout), call.get("take"), result)
        else:
            result["response"] = MessageToDict(await finished(method(request, timeout=timeout)))
    except MemoryServiceError as error:
        result["error"] = {
            "code": error.code.name,
            "reason": ErrorReason.Name(error.reason),
            "text": str(error),
            "metadata": error.metadata,
            "violations": [MessageToDict(one) for one in error.violations],
            "retryDelay": error.retry_delay or 0,
        }
    except grpc.RpcError as error:  # of the stubs for health checking
        result["error"] = {"code": error.code().name, "text": error.details()}
    return result


async def search(found: Any, take: int | None, result: dict[str, Any]) -> None:
    hits = result["hits"] = []
    if isinstance(found, AsyncIterable):
        async for hit in found:
            hits.append(MessageToDict(hit))
            if len(hits) == take:
                break
    else:
        for hit in found:
            hits.append(MessageToDict(hit))
            if len(hits) == take:
                break
    result["summary"] = MessageToDict(found.summary) if found.summary else {}


async def health(memories: MemoryClient | AsyncMemoryClient, call: dict[str, Any], statuses: list[str]) -> None:
    stub = health_pb2_grpc.HealthStub(memories.channel)
    request = health_pb2.HealthCheckRequest(service=call["service"])
    if call["health"] == "Check":
        statuses.append(SERVING_STATUS.Name((await finished(stub.Check(request, timeout=30))).status))
        return
    watch = stub.Watch(request, timeout=30)
    while len(statuses) < call["take"]:
        answer = await watch.read() if isinstance(memories, AsyncMemoryClient) else next(watch)
        statuses.append(SERVING_STATUS.Name(answer.status))
    watch.cancel()


async def finished(result: Any) -> Any:
    """What a method of either client gives in the end."""
    return await result if isinstance(result, Awaitable) else result


def with_packed(value: Any) -> Any:
    """Replaces each {"float32": [bits]} by what pack makes of it; JSON carries bytes in base64."""
    if isinstance(value, list):
        return [with_packed(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "float32" in value:
        return base64.b64encode(pack(floats(value["float32"]))).decode()
    return {key: with_packed(one) for key, one in value.items()}


def floats(bits: list[str]) -> list[float]:
    return [struct.unpack(">f", bytes.fromhex(text))[0] for text in bits]


if __name__ == "__main__":
    asyncio.run(main(AsyncMemoryClient if sys.argv[1:] == ["asyncio"] else MemoryClient))

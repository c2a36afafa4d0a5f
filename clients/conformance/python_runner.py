"""Run the cases on standard input and print the result of each call: see README.md.

With the argument "asyncio" the asyncio client runs them, otherwise the sync one.
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

from clients.conformance.python_keywords import arguments

SERVING_STATUS = health_pb2.HealthCheckResponse.ServingStatus


Client = MemoryClient | AsyncMemoryClient


async def main(kind: type[Client]) -> None:
    for case in json.load(sys.stdin):
        to = case["connect"]
        tls = TLS(to["ca"], to.get("certificate"), to.get("key")) if "ca" in to else None
        client = kind(to["address"], tls=tls, token=to.get("token"))
        results = [await run(client, call, case["form"]) for call in case["calls"]]
        await wait(client.close())
        print(json.dumps({"name": case["name"], "results": results}), flush=True)


async def run(client: Client, call: dict[str, Any], form: str) -> dict[str, Any]:
    await asyncio.sleep(call.get("pause", 0))
    result: dict[str, Any] = {}
    timeout = call.get("timeout")
    try:
        if "pack" in call:
            packed = pack(floats(call["pack"]))
            bits = [f"{number:08x}" for number in struct.unpack(f"<{len(packed) // 4}I", unpack(packed).tobytes())]
            return {"packed": packed.hex(), "unpacked": bits}
        if "health" in call:
            await health(client, call, result.setdefault("statuses", []))
            return result
        request = ParseDict(pack_embeddings(call["request"]), getattr(pb, f"{call['rpc']}Request")())
        method = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", call["rpc"]).lower())
        positional, keywords = arguments(call["rpc"], request) if form == "keywords" else ([request], {})
        response = method(*positional, **keywords, timeout=timeout)
        if call["rpc"] == "Search":
            await search(response, call.get("take"), result)
        else:
            result["response"] = MessageToDict(await wait(response))
    except MemoryServiceError as error:
        result["error"] = {
            "code": error.code.name,
            "reason": ErrorReason.Name(error.reason),
            "text": str(error),
            "metadata": error.metadata,
            "violations": [MessageToDict(one) for one in error.violations],
            "retryDelay": error.retry_delay or 0,
        }
    except grpc.RpcError as error:  # from the stub of the health service
        result["error"] = {"code": error.code().name, "text": error.details()}
    return result


async def search(hits: Any, take: int | None, result: dict[str, Any]) -> None:
    taken = result["hits"] = []
    if isinstance(hits, AsyncIterable):
        async for hit in hits:
            taken.append(MessageToDict(hit))
            if len(taken) == take:
                break
    else:
        for hit in hits:
            taken.append(MessageToDict(hit))
            if len(taken) == take:
                break
    result["summary"] = MessageToDict(hits.summary) if hits.summary else {}


async def health(client: Client, call: dict[str, Any], statuses: list[str]) -> None:
    stub = health_pb2_grpc.HealthStub(client.channel)
    request = health_pb2.HealthCheckRequest(service=call["service"])
    if call["health"] == "Check":
        statuses.append(SERVING_STATUS.Name((await wait(stub.Check(request, timeout=30))).status))
        return
    watch = stub.Watch(request, timeout=30)
    while len(statuses) < call["take"]:
        answer = await watch.read() if isinstance(client, AsyncMemoryClient) else next(watch)
        statuses.append(SERVING_STATUS.Name(answer.status))
    watch.cancel()


async def wait(result: Any) -> Any:
    """Await the result of the asyncio client; return that of the sync one."""
    return await result if isinstance(result, Awaitable) else result


def pack_embeddings(value: Any) -> Any:
    """Replace each {"float32": [bits]} by its packed bytes, in base64 as Protobuf's JSON has it."""
    if isinstance(value, list):
        return [pack_embeddings(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "float32" in value:
        return base64.b64encode(pack(floats(value["float32"]))).decode()
    return {key: pack_embeddings(one) for key, one in value.items()}


def floats(bits: list[str]) -> list[float]:
    return [struct.unpack(">f", bytes.fromhex(text))[0] for text in bits]


if __name__ == "__main__":
    asyncio.run(main(AsyncMemoryClient if sys.argv[1:] == ["asyncio"] else MemoryClient))

"""Every case by every client, against one server on a real engine: `make conformance`."""

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from semantic_memory import AsyncMemoryClient, pack
from semantic_memory.v1.index_pb2 import ALGORITHM_HNSW
from semantic_memory.v1.memory_pb2 import ROLE_USER
from semantic_memory.v1.memory_service_pb2 import BatchStoreRequest, EnsureIndexRequest, StoreRequest

from clients.conformance import reading, scripted
from clients.conformance.bedrock import DIMENSION, bedrock
from clients.conformance.certificates import Authority
from memory_service.access.api_keys import new_key
from memory_service.access.callers import Right
from memory_service.embedded import EmbeddedValkey
from memory_service.logs import log_to_stderr
from memory_service.server import running
from memory_service.settings import Settings
from memory_service.valkey import Connections
from memory_service.valkey.url import parse_url

CLIENTS = Path(__file__).parents[1]
# By column of the table; each runs in the folder of its language.
RUNNERS = {
    "python": [sys.executable, "../conformance/python_runner.py"],
    "asyncio": [sys.executable, "../conformance/python_runner.py", "asyncio"],
    "go": ["go", "run", "./conformance"],
    "typescript": ["node", "dist/conformance/main.js"],
    "java": ["java", "-cp", "target/test-classes:target/classes:target/dependency/*", "conformance.Main"],
}
# As other software makes one, without the fields for labels and words.
FOREIGN_INDEX = (
    "FT.CREATE foreign ON JSON PREFIX 1 mem_foreign: SCHEMA $.session_id AS session_id TAG $.role AS role TAG "
    "$.user_id AS user_id TAG $.timestamp AS timestamp NUMERIC "
    f"$.embedding AS embedding VECTOR HNSW 6 DIM {DIMENSION} DISTANCE_METRIC COSINE TYPE FLOAT32"
)
NOWHERE = "http://127.0.0.1:1"
LONGEST = 240.0
"""Seconds for all cases by one client."""


@asynccontextmanager
async def world() -> AsyncIterator[dict[str, str]]:
    """Everything that the cases speak of, by name: addresses and files."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        valkey = EmbeddedValkey(folder / "valkey", appendfsync="no")
        stack.push_async_callback(valkey.stop)
        await valkey.start()
        url = f"valkey://:{valkey.password}@127.0.0.1:{valkey.port}"
        raw = Connections(parse_url(url, connections=1))
        await raw.open()
        await raw.run(FOREIGN_INDEX.split())
        await raw.close()
        os.environ |= {"AWS_ACCESS_KEY_ID": "conformance", "AWS_SECRET_ACCESS_KEY": "conformance"}
        settings: dict[str, Any] = {
            "listen": "127.0.0.1:0",
            "valkey_url": SecretStr(url),
            "embedder": "bedrock",
            "bedrock_model": "amazon.titan-embed-text-v2:0",
            "bedrock_dimension": DIMENSION,
            "bedrock_region": "us-east-1",
            "bedrock_endpoint_url": stack.enter_context(bedrock(reading.embeddings())),
            "embedder_outages": 1_000_000,  # Cases of an outage must not open the breaker for the others.
        }
        server = await stack.enter_async_context(running(Settings(**settings)))
        async with AsyncMemoryClient(server.address) as memories:
            await memories.ensure_index(EnsureIndexRequest())
            await memories.ensure_index(EnsureIndexRequest(index="foreign", algorithms=[ALGORITHM_HNSW]))
            await fill(memories)
        known, stranger = Authority(folder, "known"), Authority(folder, "stranger")
        certificate, key = known.sign("server")
        own, own_key = known.sign("client")
        places = {
            "server": server.address,
            "nowhere": "127.0.0.1:1",
            "known authority": str(known.file),
            "stranger": str(stranger.file),
            "own certificate": str(own),
            "own key": str(own_key),
        }
        token, entry = new_key("reader", ["alice"], [Right.READ])
        keys = folder / "keys.toml"
        keys.write_text(entry)
        tls: dict[str, Any] = {"tls_cert": certificate, "tls_key": key}
        secure = await stack.enter_async_context(running(Settings(**settings, **tls, api_keys=keys)))
        mutual = await stack.enter_async_context(running(Settings(**settings, **tls, tls_client_ca=known.file)))
        modelless = await stack.enter_async_context(running(Settings(**settings | {"bedrock_endpoint_url": NOWHERE})))
        places |= {
            "without a model": modelless.address,
            "secure": secure.address,
            "mutual": mutual.address,
            "alice's key": token,
            "no key": "smk_none",
        }
        for name, healthy in {"scripted": True, "ill": False}.items():
            one, places[name] = await scripted.serve(healthy=healthy)
            stack.push_async_callback(one.stop, None)
        yield places


async def fill(memories: AsyncMemoryClient) -> None:
    """What is too long for a case: the memories of two users whose answers pass 4 MiB."""
    embedding = pack([1.0] + [0.0] * (DIMENSION - 1))

    def memory(user: str, content: str) -> StoreRequest:
        return StoreRequest(user_id=user, session_id="s", role=ROLE_USER, content=content, embedding=embedding)

    for _ in range(10):
        await memories.batch_store(BatchStoreRequest(memories=[memory("many", "x" * 5000)] * 100))
    for _ in range(3):
        await memories.batch_store(BatchStoreRequest(memories=[memory("long", "𝄞" * 50_000)] * 7))


async def run(language: str, concrete: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What a client's runner gave for each case, by name."""
    folder = CLIENTS / ("python" if language == "asyncio" else language)
    process = await asyncio.create_subprocess_exec(
        *RUNNERS[language], cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(LONGEST):
        printed, _ = await process.communicate(json.dumps(concrete).encode())
    lines = [json.loads(line) for line in printed.splitlines()]
    if process.returncode:
        print(f"{language} ended with status {process.returncode} after {len(lines)} cases", file=sys.stderr)
    return {line["name"]: line["results"] for line in lines}


async def main() -> int:
    log_to_stderr(logging.ERROR)
    everything = reading.load()
    failures: dict[str, dict[str, list[str]]] = {case["name"]: {} for case in everything}
    times: dict[str, float] = {}
    two_at_once = asyncio.Semaphore(2)

    async def judge(language: str, places: dict[str, str]) -> None:
        concrete = [reading.concrete(case, f"{language}{number}", places) for number, case in enumerate(everything)]
        async with two_at_once:
            begin = time.monotonic()
            results = await run(language, concrete)
            times[language] = time.monotonic() - begin
        for case in concrete:
            given = results.get(case["name"], [{}] * len(case["calls"]))
            failures[case["name"]][language] = [
                f"call {number}: {difference}"
                for number, (call, result) in enumerate(zip(case["calls"], given, strict=True), 1)
                for difference in reading.differences(call, result)
            ]

    async with world() as places:
        await asyncio.gather(*(judge(name, places) for name, command in RUNNERS.items() if shutil.which(command[0])))
    return report(failures, times)


def report(failures: dict[str, dict[str, list[str]]], times: dict[str, float]) -> int:
    """Print the table, then what failed; the status to exit with."""
    width = max(map(len, failures))
    print("".ljust(width), *times)
    for case, found in failures.items():
        print(case.ljust(width), *(("FAIL" if found[name] else "ok").ljust(len(name)) for name in times))
    print("seconds".rjust(width), *(f"{seconds:.0f}".ljust(len(name)) for name, seconds in times.items()))
    failed = 0
    for case, found in failures.items():
        for language, wrong in found.items():
            failed += bool(wrong)
            for one in wrong:
                print(f"{language}, {case}: {one[:500]}")
    print(f"conformance: {len(failures) * len(times) - failed} passed, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

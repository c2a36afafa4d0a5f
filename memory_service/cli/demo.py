"""The command `demo`: use a temporary server for a few seconds and leave nothing running."""

import asyncio
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop
from rich.text import Text
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.server import run_server
from memory_service.settings import Settings

_MESSAGES = [
    ("sess_1", memory_pb2.ROLE_USER, "We deployed to ECS using a blue-green strategy"),
    ("sess_2", memory_pb2.ROLE_ASSISTANT, "Valkey HNSW index provides sub-millisecond vector search"),
    ("sess_3", memory_pb2.ROLE_USER, "Our CI/CD pipeline runs on CodePipeline with canary deploys"),
]
_QUESTION = "How do I deploy my service?"
_TIMEOUT = 30


def run_demo(settings: Settings) -> None:
    """Run the demo on a temporary Valkey and a free port, which replace those of the settings."""
    with tempfile.TemporaryDirectory(prefix="semantic_memory") as folder:
        temporary = settings.model_copy(
            update={"listen": "127.0.0.1:0", "valkey_url": None, "data_dir": Path(folder), "drain": 0.0, "workers": 1}
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_demo(temporary))


async def _demo(settings: Settings) -> None:
    _say("Starting an embedded Valkey and the gRPC server …")
    async with run_server(settings) as server, client.connect(server.address) as memories:
        _say(f"Serving semantic_memory.v1.MemoryService on {server.address}")
        ensured = await memories.EnsureIndex(pb.EnsureIndexRequest(), timeout=_TIMEOUT)
        index = ensured.index
        _say(f"EnsureIndex: {index.name}, {index.dimension} dimensions of {index.embedding_model}")
        stored = []
        for session, role, content in _MESSAGES:
            request = pb.StoreRequest(user_id="alice", session_id=session, role=role, content=content)
            stored.append(await memories.Store(request, timeout=_TIMEOUT))
            _say(f"Store: alice in {session}: {content}")
        alice = memory_pb2.MemoryFilter(user_id="alice")
        await _search(memories, "in all sessions of alice", alice)
        narrow = memory_pb2.MemoryFilter(user_id="alice", roles=[memory_pb2.ROLE_USER], session_ids=["sess_3"])
        await _search(memories, "only the user messages in sess_3", narrow)
        await _search(memories, "as another user, bob", memory_pb2.MemoryFilter(user_id="bob"))
        await memories.Delete(pb.DeleteRequest(user_id="alice", ids=[stored[0].id]), timeout=_TIMEOUT)
        _say(f"\nDelete: {stored[0].id} (the ECS message)")
        await _search(memories, "after the delete", alice)
    _say("\nStopped: nothing is left running. Next, on a server that keeps its data:")
    program = _program()
    for command in (
        "serve &           # Ctrl-C or SIGTERM stops it",
        "ensure-index",
        "store 'Ship it on Friday' --user me --session today",
        "search 'When do we release?' --user me",
    ):
        output.console.print(f"  {program} {command}")


def _program() -> str:
    """Return this command as a shell finds it: its name, or its path, relative if below this directory."""
    script = Path(sys.executable).with_name("memory-service")
    if not script.is_file():
        return shlex.join([sys.executable, "-m", "memory_service"])
    if (found := shutil.which(script.name)) and Path(found).samefile(script):
        return script.name
    return shlex.quote(str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script))


async def _search(memories: client.Stub, where: str, memory_filter: memory_pb2.MemoryFilter) -> None:
    _say(f"\nSearch: “{_QUESTION}” {where}")
    async for response in memories.Search(
        pb.SearchRequest(query_text=_QUESTION, filter=memory_filter), timeout=_TIMEOUT
    ):
        for hit in response.hits:
            output.print_hit(hit)
        if response.HasField("summary"):
            output.print_summary(response.summary)


def _say(line: str) -> None:
    output.console.print(Text(line, style="bold"))

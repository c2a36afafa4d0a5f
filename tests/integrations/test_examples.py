"""The examples of all clients, run as their documentation says."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memory_service.rpc.server import RpcServer

CLIENTS = Path(__file__).parents[2] / "clients"
# `make test` builds them first.
EXAMPLES = {
    "python": [sys.executable, "examples/remember.py"],
    "go": ["go", "run", "./examples/remember"],
    "typescript": ["node", "dist/examples/remember.js"],
    "java": ["java", "-cp", "target/test-classes:target/classes:target/dependency/*", "examples.Remember"],
}


@pytest.mark.parametrize("language", EXAMPLES)
async def test_an_example_finds_what_it_stored(language: str, server: RpcServer) -> None:
    command = EXAMPLES[language]
    if not shutil.which(command[0]):
        pytest.skip(f"LEFT OUT: needs {command[0]}")
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, server.address],
        cwd=CLIENTS / language,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "monday We ship on Fridays" in done.stdout.splitlines()[0]

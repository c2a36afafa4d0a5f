"""Run `memory-service` commands in the process of the test, since the start of a Python process takes a second."""

import asyncio
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from memory_service.cli import client, output
from memory_service.cli.app import app
from memory_service.logs import log_to_stderr

Completed = subprocess.CompletedProcess[str]


def run_command(*arguments: str, status: int | None = 0, given: str = "", **variables: str) -> Completed:
    """Run a command with only these MEMORY_ variables; check that it raised nothing, and its exit status if given."""
    unset = {name: None for name in os.environ if name.startswith("MEMORY_") and name != "MEMORY_LAYOUT"}
    with _restored():
        done = CliRunner().invoke(app, arguments, input=given, env={**unset, **variables})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert status in {None, done.exit_code}, done.output
    return Completed(arguments, done.exit_code, done.stdout, done.stderr)


async def run_command_for(
    address: str, *arguments: str, status: int = 0, given: str = "", **variables: str
) -> Completed:
    """Run a command against the server at this address, in a thread: the server runs in the test's event loop."""
    return await asyncio.to_thread(
        run_command, *arguments, status=status, given=given, MEMORY_ADDRESS=address, **variables
    )


@contextmanager
def _restored() -> Iterator[None]:
    """Undo what a command leaves in its process: credentials, log configuration, the width of its tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.console, "_width", 200)
        patch.setattr(client, "_credentials", client.Credentials())
        try:
            yield
        finally:
            log_to_stderr(logging.ERROR)

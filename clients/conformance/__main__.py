"""Run every case by every client, against servers on a real engine: `make conformance`."""

import asyncio
import json
import logging
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients.conformance import case_files
from clients.conformance.comparison import differences
from clients.conformance.environment import environment
from memory_service.logs import log_to_stderr

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-m", "clients.conformance.python_runner"]
# By client: the command of its runner, and the folder in which that starts.
RUNNERS = {
    "python": (PYTHON, ROOT),
    "asyncio": ([*PYTHON, "asyncio"], ROOT),
    "go": (["go", "run", "./conformance"], ROOT / "clients/go"),
    "typescript": (["node", "dist/conformance/main.js"], ROOT / "clients/typescript"),
    "java": (
        ["java", "-cp", "target/test-classes:target/classes:target/dependency/*", "conformance.Main"],
        ROOT / "clients/java",
    ),
}
TIMEOUT = 400.0
"""Seconds for all cases by one client."""

Failures = dict[str, dict[str, list[str]]]
"""The differences, by case and client."""


async def run_client(client: str, runs: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the results of each run's calls. After a crash of the runner the last ones are missing."""
    command, folder = RUNNERS[client]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(TIMEOUT):
        output, _ = await process.communicate(json.dumps(runs).encode())
    lines = [json.loads(line) for line in output.splitlines()]
    if process.returncode:
        print(f"{client}: exit status {process.returncode} after {len(lines)} of {len(runs)} runs", file=sys.stderr)
    return [line["results"] for line in lines]


async def check_client(client: str, endpoints: Mapping[str, str], failures: Failures) -> int:
    """Run every case in all its forms. Adds the differences to the failures; returns the number of runs."""
    runs = [
        case_files.resolve(case, form, f"{client}_{form}_{number}", endpoints)
        for number, case in enumerate(case_files.load())
        for form in case_files.forms(case, client)
    ]
    results = await run_client(client, runs)
    results += [[{}] * len(run["calls"]) for run in runs[len(results) :]]
    for run, run_results in zip(runs, results, strict=True):
        failures[run["name"]].setdefault(client, []).extend(
            f"{run['form']}, call {number}: {difference}"
            for number, (call, result) in enumerate(zip(run["calls"], run_results, strict=True), 1)
            for difference in differences(call, result)
        )
    return len(runs)


async def main() -> int:
    log_to_stderr(logging.ERROR)
    clients = [name for name, (command, _) in RUNNERS.items() if shutil.which(command[0])]
    failures: Failures = {case["name"]: {} for case in case_files.load()}
    seconds = dict.fromkeys(clients, 0.0)

    async def check(client: str, endpoints: Mapping[str, str]) -> int:
        begin = time.monotonic()
        count = await check_client(client, endpoints, failures)
        seconds[client] = time.monotonic() - begin
        return count

    async with environment() as endpoints:  # Most cases wait: for a deadline, or between two attempts.
        counts = await asyncio.gather(*(check(client, endpoints) for client in clients))
    return report(failures, seconds, sum(counts))


def report(failures: Failures, seconds: Mapping[str, float], runs: int) -> int:
    """Print a table of cases and clients, then the differences. Returns the exit status."""
    width = max(map(len, failures))
    print("".ljust(width), *seconds)
    for case, by_client in failures.items():
        print(case.ljust(width), *(("FAIL" if by_client[client] else "ok").ljust(len(client)) for client in seconds))
    print("seconds".rjust(width), *(f"{seconds[client]:.0f}".ljust(len(client)) for client in seconds))
    failed = [
        f"{client}, {case}, {difference[:500]}"
        for case, by_client in failures.items()
        for client, differing in by_client.items()
        for difference in differing
    ]
    print(*failed, sep="\n", end="\n" if failed else "")
    cells = sum(len(by_client) for by_client in failures.values())
    failed_cells = sum(bool(differing) for by_client in failures.values() for differing in by_client.values())
    print(f"conformance: {cells - failed_cells} passed, {failed_cells} failed ({runs} runs in both forms)")
    return min(failed_cells, 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

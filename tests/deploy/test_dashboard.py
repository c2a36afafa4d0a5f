"""The dashboard and the alert rules on a real Prometheus that scrapes a server under load."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.embedded.process import free_port
from memory_service.settings import Settings
from tests.deploy.test_alerts import DASHBOARD, ROOT, RULES
from tests.rpc.test_metrics import metered_server
from tests.support.api import TIMEOUT, Stub, search, store_request

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus, such as Debian's package"),
    pytest.mark.slow,
]

QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", [])
]


class Prometheus:
    """The query API of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an API response."""

        def read() -> Any:
            url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                return json.load(answer)["data"]

        return await asyncio.to_thread(read)

    async def values(self, expression: str, *, instance: str = ".*") -> list[float]:
        """Return the current values of an expression, as Grafana shows them; wait for the first number."""
        query = expression.replace("$instance", instance).replace("$__rate_interval", "10s")
        for _ in range(150):
            with contextlib.suppress(urllib.error.URLError):
                found = [float(one["value"][1]) for one in (await self.ask("query", query=query))["result"]]
                if any(one == one for one in found):  # noqa: PLR0124 - quantiles of nothing are no numbers
                    return found
            await asyncio.sleep(0.2)
        pytest.fail(f"no value within 30 seconds: {query}")


@pytest.fixture(scope="module")
async def prometheus(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Prometheus configured as in the compose file, but it scrapes a test server under load every second."""
    assert PROMETHEUS is not None
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load(ROOT.joinpath("deploy/prometheus/prometheus.yaml").read_text())
    config["rule_files"] = [str(ROOT / "deploy/prometheus" / name) for name in config["rule_files"]]
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    async with metered_server(settings, index_look_every=0.5) as (server, stub), _load(stub):
        [job] = config["scrape_configs"]
        job["static_configs"] = [{"targets": [server.metrics_address]}]
        folder.joinpath("prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        with _run_prometheus(PROMETHEUS, folder, port):
            yield Prometheus(port)


@contextlib.contextmanager
def _run_prometheus(program: str, folder: Path, port: int) -> Iterator[None]:
    options = [
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with folder.joinpath("log").open("w") as log, subprocess.Popen([program, *options], stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def _load(stub: Stub) -> AsyncIterator[None]:
    """Make calls of every kind that the dashboard shows, including a failing one, while the context is open."""

    async def use() -> None:
        alice = memory_pb2.MemoryFilter(user_id="alice")
        number = 0
        while True:
            number += 1
            await stub.Store(store_request("alice", f"the canary sings for the {number}th time"), timeout=TIMEOUT)
            await search(stub, pb.SearchRequest(query_text="birds", filter=alice))
            with contextlib.suppress(grpc.aio.AioRpcError):
                await stub.Get(pb.GetRequest(user_id="alice", id="nowhere"), timeout=TIMEOUT)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(use())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()


@pytest.mark.parametrize("expression", QUERIES)
async def test_every_panel_has_live_values(prometheus: Prometheus, expression: str) -> None:
    assert all(one >= 0 for one in await prometheus.values(expression) if one == one)  # noqa: PLR0124 - as above


async def test_panels_show_the_state_of_the_server(prometheus: Prometheus) -> None:
    expressions = {panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"] if "targets" in panel}
    assert await prometheus.values(expressions["Ready"]) == [1]
    assert await prometheus.values(expressions["Ready"], instance="gone") == [0]
    assert await prometheus.values(expressions["Failing"]) == [0]
    [memories] = await prometheus.values(expressions["Memories"])
    assert memories > 0
    [hits] = await prometheus.values(expressions["Cache hits"])
    assert 0 < hits < 1  # the query is cached after its first use; stored texts are always new


async def test_every_rule_evaluates_and_none_fires_for_a_healthy_server(prometheus: Prometheus) -> None:
    for _ in range(150):
        [group] = (await prometheus.ask("rules"))["groups"]
        if all(rule["health"] != "unknown" for rule in group["rules"]):
            break
        await asyncio.sleep(0.2)
    assert {rule["name"]: rule["health"] for rule in group["rules"]} == {one["alert"]: "ok" for one in RULES}
    assert [rule["name"] for rule in group["rules"] if rule["state"] != "inactive"] == []

"""The dashboard and the rules over a real Prometheus (Debian's, or any on the PATH) that scrapes a server at work."""

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
    """What a running Prometheus answers."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""

        def read() -> Any:
            url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                return json.load(answer)["data"]

        return await asyncio.to_thread(read)

    async def values(self, expression: str, *, instance: str = ".*") -> list[float]:
        """What Grafana would draw of an expression now; waits for the first number."""
        asked = expression.replace("$instance", instance).replace("$__rate_interval", "10s")
        for _ in range(150):
            with contextlib.suppress(urllib.error.URLError):
                found = [float(one["value"][1]) for one in (await self.ask("query", query=asked))["result"]]
                if any(one == one for one in found):  # noqa: PLR0124 - quantiles of nothing are no numbers
                    return found
            await asyncio.sleep(0.2)
        pytest.fail(f"no figure within half a minute: {asked}")


@pytest.fixture(scope="module")
async def prometheus(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Prometheus as the compose file has it, but scraping a test's server each second, while that is used."""
    assert PROMETHEUS is not None
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load(ROOT.joinpath("deploy/prometheus/prometheus.yaml").read_text())
    config["rule_files"] = [str(ROOT / "deploy/prometheus" / name) for name in config["rule_files"]]
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    async with metered_server(settings, index_look_every=0.5) as (server, stub), _in_use(stub):
        [job] = config["scrape_configs"]
        job["static_configs"] = [{"targets": [server.metrics_address]}]
        folder.joinpath("prometheus.yaml").write_text(yaml.safe_dump(config))
        port = free_port()
        with _running(PROMETHEUS, folder, port):
            yield Prometheus(port)


@contextlib.contextmanager
def _running(program: str, folder: Path, port: int) -> Iterator[None]:
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
async def _in_use(stub: Stub) -> AsyncIterator[None]:
    """Calls of every kind that the dashboard tells of, a failing one among them, while the context is open."""

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

    using = asyncio.create_task(use())
    try:
        yield
        assert not using.done(), using.exception()
    finally:
        using.cancel()


@pytest.mark.parametrize("expression", QUERIES)
async def test_every_panel_has_live_values(prometheus: Prometheus, expression: str) -> None:
    assert all(one >= 0 for one in await prometheus.values(expression) if one == one)  # noqa: PLR0124 - as above


async def test_panels_show_the_state_of_the_server(prometheus: Prometheus) -> None:
    shown = {panel["title"]: panel["targets"][0]["expr"] for panel in DASHBOARD["panels"] if "targets" in panel}
    assert await prometheus.values(shown["Ready"]) == [1]
    assert await prometheus.values(shown["Ready"], instance="gone") == [0]
    assert await prometheus.values(shown["Failing"]) == [0]
    [memories] = await prometheus.values(shown["Memories"])
    assert memories > 0
    [hits] = await prometheus.values(shown["Cache hits"])
    assert 0 < hits < 1  # the query is known after its first time, what is stored is new each time


async def test_every_rule_evaluates_and_none_fires_for_a_healthy_server(prometheus: Prometheus) -> None:
    for _ in range(150):
        [group] = (await prometheus.ask("rules"))["groups"]
        if all(rule["health"] != "unknown" for rule in group["rules"]):
            break
        await asyncio.sleep(0.2)
    assert {rule["name"]: rule["health"] for rule in group["rules"]} == {one["alert"]: "ok" for one in RULES}
    assert [rule["name"] for rule in group["rules"] if rule["state"] != "inactive"] == []

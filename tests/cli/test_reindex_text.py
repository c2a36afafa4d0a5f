"""The command `reindex-text`."""

import subprocess
import uuid

from pydantic import SecretStr
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.settings import Settings
from tests.support.api import TIMEOUT, Stub, store_request
from tests.support.server_process import COMMAND, environment


def reindex(settings: Settings, index: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, since GLIDE serves one event loop per process."""
    assert isinstance(settings.valkey_url, SecretStr)
    variables = environment(MEMORY_VALKEY_URL=settings.valkey_url.get_secret_value())
    command = [*COMMAND, "reindex-text", "--index", index]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


async def test_reindex_text_reports_what_it_did(stub: Stub, settings: Settings) -> None:
    index = f"test_{uuid.uuid4().hex[:12]}"
    await stub.EnsureIndex(pb.EnsureIndexRequest(index=index), timeout=TIMEOUT)
    request = store_request("alice", "a canary")
    request.index = index
    await stub.Store(request, timeout=TIMEOUT)
    done = reindex(settings, index)
    assert (done.returncode, done.stdout) == (0, "1 keys examined, 0 memories have new words\n"), done.stderr


async def test_reindex_text_of_no_index_says_so(stub: Stub, settings: Settings) -> None:
    done = reindex(settings, "no_such_index")
    assert done.returncode == 1
    assert done.stderr == "--index: there is no index no_such_index\n"
    assert stub

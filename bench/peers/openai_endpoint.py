"""OpenAI's embeddings API on loopback, which looks vectors up by text: for a peer that accepts none from its caller.

    python -m bench.peers.openai_endpoint PORT FOLDER

It is a process of its own, so that its CPU time does not count as the peer's.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import cast

import uvloop

from bench.peers.workload import Workload


class EmbeddingsConnection(asyncio.Protocol):
    """A persistent HTTP/1.1 connection. It answers every POST as a request for embeddings."""

    def __init__(self, vectors: dict[str, bytes]) -> None:
        self._vectors = vectors
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]) if separator else 0
        if not separator or len(rest) < length:
            return
        self._buffer = rest[length:]
        request = json.loads(rest[:length])
        texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
        assert request.get("encoding_format") != "base64", "LiteLLM requests numbers"
        items = b",".join(
            b'{"object":"embedding","index":%d,"embedding":%s}' % (index, self._vectors[text])
            for index, text in enumerate(texts)
        )
        usage = b'{"prompt_tokens":1,"total_tokens":1}'
        body = b'{"object":"list","model":"bench","data":[%s],"usage":%s}' % (items, usage)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )


async def main(port: int, folder: Path) -> None:
    """Print `serving` when the endpoint is ready, and serve until the process ends."""
    work = Workload.load(folder)
    vectors = {
        text: json.dumps(vector.tolist()).encode() for text, vector in zip(work.texts, work.vectors, strict=True)
    }
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: EmbeddingsConnection(vectors), "127.0.0.1", port)
    print("serving", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path, help="where Workload.save wrote the texts and vectors")
    args = parser.parse_args()
    uvloop.run(main(args.port, args.folder))

"""A stand-in for OpenAI's embeddings: it looks vectors up by text, for a peer that takes none from its caller.

    python -m bench.peers.openai_endpoint PORT FOLDER

A process of its own: what it takes is not counted as the peer's, though it runs on the same machine.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import cast

import uvloop

from bench.peers.workload import Workload


class Embeddings(asyncio.Protocol):
    """A kept connection of HTTP/1.1; whatever is posted is a request for embeddings."""

    def __init__(self, known: dict[str, bytes]) -> None:
        self._known = known
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]) if found else 0
        if not found or len(rest) < length:
            return
        self._buffer = rest[length:]
        asked = json.loads(rest[:length])
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        assert asked.get("encoding_format") != "base64", "LiteLLM asks for numbers"
        items = b",".join(
            b'{"object":"embedding","index":%d,"embedding":%s}' % (index, self._known[text])
            for index, text in enumerate(texts)
        )
        usage = b'{"prompt_tokens":1,"total_tokens":1}'
        body = b'{"object":"list","model":"bench","data":[%s],"usage":%s}' % (items, usage)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )


async def main(port: int, folder: Path) -> None:
    """Serve until the process is ended."""
    work = Workload.load(folder)
    known = {text: json.dumps(vector.tolist()).encode() for text, vector in zip(work.texts, work.vectors, strict=True)}
    server = await asyncio.get_running_loop().create_server(lambda: Embeddings(known), "127.0.0.1", port)
    print("serving", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2])))

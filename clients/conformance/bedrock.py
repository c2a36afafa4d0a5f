"""A server with the wire format of Bedrock. The cases supply its embeddings and errors."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSION = 256


@contextmanager
def bedrock(texts: dict[str, Any]) -> Iterator[str]:
    """Serve while the context is open. Yields the URL.

    Args:
        texts: By text the first numbers of its embedding, or a dict: `embedding`, `delay` in seconds, and `status`,
            `error` and `message` of an error. A text may end in " for …", which makes it unknown to caches.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputText"]
            supplied = texts.get(text.partition(" for ")[0], [1.0])
            answer = supplied if isinstance(supplied, dict) else {"embedding": supplied}
            time.sleep(answer.get("delay", 0))
            first = answer.get("embedding", [])
            embedding = [*first, *[0.0] * (DIMENSION - len(first))]
            message = {"message": answer["message"]} if "message" in answer else {}
            body = json.dumps({"embedding": embedding, "inputTextTokenCount": 1, **message}).encode()
            self.send_response(answer.get("status", 200))
            self.send_header("x-amzn-ErrorType", answer.get("error", ""))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

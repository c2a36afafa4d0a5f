"""Bedrock's wire format on a loopback port, with the embeddings and errors that the cases supply for each text."""

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
    """Serve while the context is open; gives its URL. A text has its first numbers, or {"status", "error", "delay"}."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputText"]
            supplied = texts.get(text, [1.0])
            wrong = supplied if isinstance(supplied, dict) else {}
            time.sleep(wrong.get("delay", 0))
            embedding = [] if wrong else [*supplied, *[0.0] * (DIMENSION - len(supplied))]
            body = json.dumps({"embedding": embedding, "inputTextTokenCount": 1}).encode()
            self.send_response(wrong.get("status", 200))
            self.send_header("x-amzn-ErrorType", wrong.get("error", ""))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

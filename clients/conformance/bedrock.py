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
    """Serve while the context is open; gives its URL. A text has its first numbers, or an answer; " for …" makes it one
    that no cache knows."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputText"]
            supplied = texts.get(text.partition(" for ")[0], [1.0])
            answer = supplied if isinstance(supplied, dict) else {"embedding": supplied}
            time.sleep(answer.get("delay", 0))
            first = answer.get("embedding", [])
            embedding = [*first, *[0.0] * (DIMENSION - len(first))]
            said = {"message": answer["message"]} if "message" in answer else {}
            body = json.dumps({"embedding": embedding, "inputTextTokenCount": 1, **said}).encode()
            self.send_response(answer.get("status", 200))
            self.send_header("x-amzn-ErrorType", answer.get("error", ""))
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

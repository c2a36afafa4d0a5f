"""A local HTTP endpoint that speaks Bedrock's wire format and returns the answers that a test sets."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import numpy as np

from memory_service.embedding.bedrock import BedrockEmbedder, BedrockSettings


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `error` is an AWS error code with its message, `delay` in seconds."""

    status: int = 200
    error: str = ""
    message: str = "a message with internals of AWS"
    body: bytes | None = None
    delay: float = 0.0


@dataclass
class Endpoint:
    """Returns the answers of `script` in order, then always `otherwise`; records requests and models."""

    url: str = ""
    script: list[Answer] = field(default_factory=list)
    otherwise: Answer = field(default_factory=Answer)
    requests: list[dict[str, Any]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    max_concurrent: int = 0


def embedding_of(text: str, dimension: int) -> list[float]:
    """Return a vector that depends only on the text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    numbers = np.random.default_rng(seed).normal(size=dimension)
    return [float(one) for one in numbers]


@contextmanager
def bedrock_endpoint() -> Iterator[Endpoint]:
    """Serve on a free loopback port while the context is open."""
    endpoint = Endpoint()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bedrock_embedder(endpoint: Endpoint, **changes: Any) -> BedrockEmbedder:
    """An embedder that calls the endpoint once per text, unless `changes` say otherwise."""
    settings = {"region": "us-east-1", "endpoint_url": endpoint.url, "attempts": 1, **changes}
    return BedrockEmbedder(BedrockSettings(**settings))


def _handler(endpoint: Endpoint) -> Callable[..., BaseHTTPRequestHandler]:
    lock = threading.Lock()
    in_progress = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are sent separately; Nagle's algorithm and a delayed ACK would delay the body by 40 ms.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            nonlocal in_progress
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                in_progress += 1
                endpoint.max_concurrent = max(endpoint.max_concurrent, in_progress)
                endpoint.requests.append(request)
                endpoint.models.append(unquote(self.path.split("/")[2]))
                answer = endpoint.script.pop(0) if endpoint.script else endpoint.otherwise
            time.sleep(answer.delay)
            with lock:
                in_progress -= 1
            self._send(answer, request)

        def _send(self, answer: Answer, request: dict[str, Any]) -> None:
            body = answer.body
            if body is None and answer.error:
                body = json.dumps({"message": answer.message}).encode()
            elif body is None:
                dimension = request.get("dimensions", 1536)
                numbers = embedding_of(request["inputText"], dimension)
                body = json.dumps({"embedding": numbers, "inputTextTokenCount": 3}).encode()
            try:
                self.send_response(answer.status)
                if answer.error:
                    self.send_header("x-amzn-ErrorType", f"{answer.error}:http://internal.amazon.com/coral/")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # The client has closed the connection before a slow answer.

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler

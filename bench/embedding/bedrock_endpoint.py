"""Bedrock's wire format on loopback, in a process of its own: every text has the same embedding, after some time.

python -m bench.embedding.bedrock_endpoint SECONDS     (says its address on standard output)
"""

import json
import signal
import sys

from tests.support.bedrock_endpoint import Answer, bedrock_endpoint, embedding_of

DIMENSION = 1536


def main(delay: float) -> None:
    """Serve until the process is ended."""
    # Made once: the machine's cores are for the service that is measured.
    body = json.dumps({"embedding": embedding_of("any", DIMENSION), "inputTextTokenCount": 20}).encode()
    with bedrock_endpoint() as endpoint:
        endpoint.otherwise = Answer(body=body, delay=delay)
        print(f"serving {endpoint.url}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main(float(sys.argv[1]))

"""Bedrock's wire format on loopback, in a process of its own. Every text gets the same embedding, after a delay.

    python -m bench.embedding.bedrock_endpoint SECONDS

It prints `serving` and its URL when it is ready.
"""

import argparse
import json
import signal

from tests.support.bedrock_endpoint import Answer, bedrock_endpoint, embedding_of

DIMENSION = 1536


def main(delay: float) -> None:
    """Serve until the process ends."""
    # Serialize the response once: the machine's cores are for the service under measurement.
    body = json.dumps({"embedding": embedding_of("any", DIMENSION), "inputTextTokenCount": 20}).encode()
    with bedrock_endpoint() as endpoint:
        endpoint.otherwise = Answer(body=body, delay=delay)
        print(f"serving {endpoint.url}", flush=True)
        signal.pause()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("delay", type=float, help="seconds before each response")
    main(parser.parse_args().delay)

"""Stores two messages of different sessions and searches them: python examples/remember.py 127.0.0.1:50051"""

import sys

from semantic_memory import MemoryClient

USER = "guido"

with MemoryClient(sys.argv[1]) as client:
    client.store("We ship on Fridays", user_id=USER, session_id="monday", role="user")
    client.store("My cat is called Miso", user_id=USER, session_id="tuesday", role="user")
    for hit in client.search("When do we release?", user_id=USER, k=1):
        print(f"{hit.score:.3f} {hit.memory.session_id} {hit.memory.content}")

"""Remembers a conversation and asks across sessions: python examples/remember.py 127.0.0.1:50051"""

import sys

from semantic_memory import MemoryClient
from semantic_memory.v1.memory_pb2 import ROLE_USER, MemoryFilter
from semantic_memory.v1.memory_service_pb2 import SearchRequest, StoreRequest

USER = "guido"

with MemoryClient(sys.argv[1]) as memories:
    for session, said in {"monday": "We ship on Fridays", "tuesday": "My cat is called Miso"}.items():
        memories.store(StoreRequest(user_id=USER, session_id=session, role=ROLE_USER, content=said))
    question = SearchRequest(query_text="When do we release?", filter=MemoryFilter(user_id=USER), k=1)
    for hit in memories.search(question):
        print(f"{hit.score:.3f} {hit.memory.session_id} {hit.memory.content}")

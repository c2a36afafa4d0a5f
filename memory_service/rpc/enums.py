"""The enums of the contract and their counterparts in the domain: one table for each enum.

The values of the contract are numbers. `*_NUMBERS` is the reverse of each table, for responses.
"""

from semantic_memory.v1 import index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain.query import Mode
from memory_service.domain.types import Algorithm, Layout, Role

ROLES = {
    memory_pb2.ROLE_USER: Role.USER,
    memory_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    memory_pb2.ROLE_SYSTEM: Role.SYSTEM,
    memory_pb2.ROLE_TOOL: Role.TOOL,
}
ROLE_NUMBERS = {role: number for number, role in ROLES.items()}

ALGORITHMS = {
    index_pb2.ALGORITHM_HNSW: Algorithm.HNSW,
    index_pb2.ALGORITHM_FLAT: Algorithm.FLAT,
}
ALGORITHM_NUMBERS = {algorithm: number for number, algorithm in ALGORITHMS.items()}

LAYOUTS = {
    index_pb2.LAYOUT_JSON: Layout.JSON,
    index_pb2.LAYOUT_HASH: Layout.HASH,
}
LAYOUT_NUMBERS = {layout: number for number, layout in LAYOUTS.items()}

SEARCH_MODES = {
    pb.SEARCH_MODE_UNSPECIFIED: Mode.VECTOR,
    pb.SEARCH_MODE_VECTOR: Mode.VECTOR,
    pb.SEARCH_MODE_TEXT: Mode.TEXT,
    pb.SEARCH_MODE_HYBRID: Mode.HYBRID,
}
"""Only requests use this enum, so the table has no reverse. UNSPECIFIED means the default, VECTOR."""

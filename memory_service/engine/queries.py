"""The text of searches: filters and the FT.SEARCH command."""

from memory_service.engine.documents import FIELDS, seconds
from memory_service.engine.tags import encode_tag
from memory_service.memory.embeddings import pack_embedding
from memory_service.memory.types import Algorithm, Embedding, Filter

DISTANCE = "distance"
"""The name under which a search returns the distance."""


def filter_text(where: Filter) -> str:
    """The filter in the query language that valkey-search and RediSearch share; `*` for no filter."""
    clauses = []
    if where.user_id is not None:
        clauses.append(f"@user_id:{{{encode_tag(where.user_id)}}}")
    if where.session_ids:
        clauses.append(f"@session_id:{{{'|'.join(encode_tag(one) for one in where.session_ids)}}}")
    if where.roles:
        clauses.append(f"@role:{{{'|'.join(where.roles)}}}")
    if where.start is not None or where.end is not None:
        start = "-inf" if where.start is None else seconds(where.start)
        end = "+inf" if where.end is None else f"({seconds(where.end)}"
        clauses.append(f"@timestamp:[{start} {end}]")
    return f"({' '.join(clauses)})" if clauses else "*"


def search_command(
    index: str,
    where: Filter,
    embedding: Embedding,
    k: int,
    *,
    algorithm: Algorithm,
    ef_runtime: int,
    timeout_ms: int,
    all_shards: bool,
) -> list[str | bytes]:
    """One KNN search. Each part is there for a reason in engines that differ:

    `EF_RUNTIME` before `AS`, the only order that RediSearch takes; LIMIT, without which both return ten; RETURN,
    without which whole embeddings come back; no SORTBY, which valkey-search refuses; DIALECT 2, as RediSearch's default
    is 1.
    """
    effort = f" EF_RUNTIME {max(ef_runtime, k)}" if algorithm is Algorithm.HNSW else ""
    query = f"{filter_text(where)}=>[KNN {k} @embedding $vec{effort} AS {DISTANCE}]"
    returned = [DISTANCE]
    for name in FIELDS:
        returned += [f"$.{name}", "AS", name]
    command: list[str | bytes] = ["FT.SEARCH", index, query]
    if all_shards:
        command += ["ALLSHARDS"]
    command += ["PARAMS", "2", "vec", pack_embedding(embedding)]
    command += ["RETURN", str(len(returned)), *returned]
    command += ["LIMIT", "0", str(k)]
    command += ["TIMEOUT", str(timeout_ms)]
    command += ["DIALECT", "2"]
    return command

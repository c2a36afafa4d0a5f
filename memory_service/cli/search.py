"""The command `search`."""

from typing import Annotated, Literal

import typer
from google.protobuf.duration_pb2 import Duration
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.options import SERVER, UINT32, Address, AsJson, Index, Timeout, filtered, parse_duration

commands = typer.Typer()


@commands.command()
@filtered
def search(
    query: Annotated[str, typer.Argument(help="The text to search for.")],
    where: memory_pb2.MemoryFilter,
    k: Annotated[int, typer.Option("-k", min=0, max=UINT32, help="The maximum number of hits.")] = 5,
    min_score: Annotated[float | None, typer.Option(help="Omit hits with a lower score.")] = None,
    mode: Annotated[
        Literal["vector", "text", "hybrid"], typer.Option(help="Search by meaning, by words, or by both.")
    ] = "vector",
    text_weight: Annotated[
        float | None, typer.Option(help="With hybrid: the weight of words against meaning, 0 to 1.")
    ] = None,
    neighbors: Annotated[
        float | None,
        typer.Option(metavar="WEIGHT", help="Include neighboring messages in the score; 0.5 is a good value."),
    ] = None,
    recency: Annotated[
        Duration | None,
        typer.Option(
            parser=parse_duration, metavar="HALFLIFE", help="Rank newer memories higher, with this half-life: 12h, 30d."
        ),
    ] = None,
    recency_weight: Annotated[
        float | None, typer.Option(help="The weight of recency against relevance, 0 to 1.")
    ] = None,
    diversity: Annotated[float | None, typer.Option(help="Prefer hits that differ from each other, 0 to 1.")] = None,
    exclude_id: Annotated[list[str] | None, typer.Option(help="Exclude this memory; repeatable.")] = None,
    before: Annotated[int, typer.Option(min=0, max=UINT32, help="Show this many messages before each hit.")] = 0,
    after: Annotated[int, typer.Option(min=0, max=UINT32, help="Show this many messages after each hit.")] = 0,
    ef_runtime: Annotated[
        int | None,
        typer.Option(
            min=0, max=UINT32, help="HNSW effort of a search over all users: higher finds more and is slower."
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Allow partial results if shards are unavailable.")
    ] = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Search messages by meaning; print the best first."""
    if recency_weight is not None and recency is None:
        raise typer.BadParameter("--recency-weight needs --recency")
    request = pb.SearchRequest(
        index=index,
        query_text=query,
        filter=where,
        k=k,
        min_score=min_score,
        mode=f"SEARCH_MODE_{mode.upper()}",
        text_weight=text_weight,
        neighbor_weight=neighbors,
        recency=pb.Recency(half_life=recency, weight=recency_weight) if recency is not None else None,
        diversity=diversity,
        exclude_ids=exclude_id,
        context=pb.ContextSize(before=before, after=after) if before or after else None,
        consistency=pb.CONSISTENCY_PARTIAL if partial else pb.CONSISTENCY_COMPLETE,
        ef_runtime=ef_runtime,
    )

    async def command(memories: client.Stub) -> None:
        async for response in memories.Search(request, timeout=timeout):
            if as_json:
                output.print_json(response)
                continue
            for hit in response.hits:
                output.print_hit(hit)
            if response.HasField("summary"):
                output.print_summary(response.summary, by_words=mode == "text")

    client.call(address, command)

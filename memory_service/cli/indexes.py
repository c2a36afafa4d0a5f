"""The commands of indexes: make or check one, list them, drop one."""

from typing import Annotated

import typer
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.options import SERVER, UINT32, Address, Algorithm, AsJson, Layout, Timeout, Yes

commands = typer.Typer()


@commands.command()
def ensure_index(
    index: Annotated[str, typer.Argument(help="The index; the server's default one when left out.")] = "",
    dimension: Annotated[int | None, typer.Option(min=0, max=UINT32, help="Numbers in each embedding.")] = None,
    model: Annotated[str, typer.Option(help="The model of the embeddings, when callers bring them.")] = "",
    algorithm: Annotated[list[Algorithm] | None, typer.Option(help="Repeatable; both when left out.")] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="How memories lie in the engine; hash takes far less of its memory.")
    ] = None,
    address: Address = SERVER,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Create an index, or check that it is as asked."""
    request = pb.EnsureIndexRequest(
        index=index,
        dimension=dimension,
        embedding_model=model,
        algorithms=[f"ALGORITHM_{one}" for one in algorithm or []],
        layout=f"LAYOUT_{layout}" if layout else None,
    )

    response = client.call(address, lambda memories: memories.EnsureIndex(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    else:
        output.console.print("created" if response.created else "already as asked")
        output.print_indexes([response.index])


@commands.command()
def indexes(address: Address = SERVER, timeout: Timeout = 30.0, as_json: AsJson = False) -> None:
    """List the indexes."""

    response = client.call(address, lambda memories: memories.ListIndexes(pb.ListIndexesRequest(), timeout=timeout))
    if as_json:
        output.print_json(response)
    elif response.indexes:
        output.print_indexes(response.indexes)
    else:
        output.console.print("no index yet: memory-service ensure-index")


@commands.command()
def drop_index(
    index: Annotated[str, typer.Argument(help="The index.")],
    delete_memories: Annotated[bool, typer.Option("--delete-memories", help="The memories of every user too.")] = False,
    yes: Yes = False,
    address: Address = SERVER,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
) -> None:
    """Remove an index. Its memories stay, and an index made again under its name finds them, unless told otherwise."""
    if not yes:
        described = client.call(
            address, lambda memories: memories.GetIndex(pb.GetIndexRequest(index=index), timeout=timeout)
        )
        fate = "deletes" if delete_memories else "keeps"
        output.confirm(f"Drop {index}? This {fate} its {output.counted(described.index.memory_count)}.")

    request = pb.DropIndexRequest(index=index, delete_memories=delete_memories)
    response = client.call(address, lambda memories: memories.DropIndex(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    elif delete_memories:
        output.print_told(f"dropped {index} and deleted {output.counted(response.deleted_memory_count)}")
        if kept := response.kept_key_count:
            output.print_told(f"{kept:,} keys under its prefix are no memories and were kept", "yellow")
    else:
        output.print_told(f"dropped {index}; its memories are kept")

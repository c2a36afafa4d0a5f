"""Commands for indexes: `ensure-index`, `indexes` and `drop-index`."""

from typing import Annotated

import typer
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.options import SERVER, UINT32, Address, Algorithm, AsJson, Layout, Timeout, Yes

commands = typer.Typer()


@commands.command()
def ensure_index(
    index: Annotated[str, typer.Argument(help="The index; by default the server's default index.")] = "",
    dimension: Annotated[int | None, typer.Option(min=0, max=UINT32, help="The dimension of the embeddings.")] = None,
    model: Annotated[str, typer.Option(help="The embedding model, if clients send embeddings.")] = "",
    algorithm: Annotated[
        list[Algorithm] | None, typer.Option(help="A vector index type; repeatable; by default both.")
    ] = None,
    layout: Annotated[Layout | None, typer.Option(help="The type of the keys; HASH uses far less memory.")] = None,
    address: Address = SERVER,
    timeout: Timeout = 60.0,
    as_json: AsJson = False,
) -> None:
    """Create an index, or check that an existing one matches these options."""
    request = pb.EnsureIndexRequest(
        index=index,
        dimension=dimension,
        embedding_model=model,
        algorithms=[f"ALGORITHM_{name}" for name in algorithm or []],
        layout=f"LAYOUT_{layout}" if layout else None,
    )

    response = client.call(address, lambda memories: memories.EnsureIndex(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    else:
        output.console.print("created" if response.created else "exists and matches")
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
        output.console.print("no index: create one with memory-service ensure-index")


@commands.command()
def drop_index(
    index: Annotated[str, typer.Argument(help="The index.")],
    delete_memories: Annotated[
        bool, typer.Option("--delete-memories", help="Delete the memories of every user too.")
    ] = False,
    yes: Yes = False,
    address: Address = SERVER,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
) -> None:
    """Drop an index. Its memories stay unless --delete-memories is set; a new index of the same name has them again."""
    if not yes:
        described = client.call(
            address, lambda memories: memories.GetIndex(pb.GetIndexRequest(index=index), timeout=timeout)
        )
        effect = "deletes" if delete_memories else "keeps"
        output.confirm(f"Drop {index}? This {effect} its {output.format_count(described.index.memory_count)}.")

    request = pb.DropIndexRequest(index=index, delete_memories=delete_memories)
    response = client.call(address, lambda memories: memories.DropIndex(request, timeout=timeout))
    if as_json:
        output.print_json(response)
    elif delete_memories:
        output.print_text(f"dropped {index} and deleted {output.format_count(response.deleted_memory_count)}")
        if kept := response.kept_key_count:
            output.print_text(f"kept {kept:,} keys under its prefix that are not memories", "yellow")
    else:
        output.print_text(f"dropped {index} and kept its memories")

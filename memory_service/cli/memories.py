"""The commands of memories: store, get, list and delete them. For `search` see search.py."""

import sys
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from semantic_memory.v1 import memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.cli import client, output
from memory_service.cli.options import (
    SERVER,
    Address,
    AllUsers,
    AsJson,
    Index,
    Role,
    Time,
    Timeout,
    User,
    Yes,
    filtered,
    parse_duration,
)

commands = typer.Typer()

_MOST_ON_A_PAGE = 1000


@commands.command()
def store(
    content: Annotated[str, typer.Argument(help="The text of the message; - reads it from standard input.")],
    user: User,
    session: Annotated[str, typer.Option("--session", "-s", help="The session of the message.")] = "",
    role: Annotated[Role, typer.Option(help="Who wrote it.")] = Role.USER,
    id: Annotated[str, typer.Option(help="An id of your own, unique within the user.")] = "",  # noqa: A002
    at: Time = None,
    label: Annotated[list[str] | None, typer.Option(help="A word to filter by; repeatable.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Comes back with the message; repeatable.")
    ] = None,
    ttl: Annotated[
        Duration | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="It ends after 90s, 15m, 24h, 30d."),
    ] = None,
    expires_at: Time = None,
    near_duplicates: Annotated[
        float | None, typer.Option(metavar="SCORE", help="Tell which memories of the user score so high against it.")
    ] = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Store one message."""
    if ttl is not None and expires_at is not None:
        raise typer.BadParameter("--ttl and --expires-at contradict each other: give one of them")
    request = pb.StoreRequest(
        index=index,
        user_id=user,
        session_id=session,
        role=f"ROLE_{role.upper()}",
        content=_standard_input() if content == "-" else content,
        timestamp=at,
        id=id,
        ttl=ttl,
        expire_time=expires_at,
        labels=label,
        metadata=_pairs(metadata or []),
        near_duplicate_min_score=near_duplicates,
    )

    response = client.call(address, lambda memories: memories.Store(request, timeout=timeout))
    if as_json:
        output.print_json(response)
        return
    output.print_told(f"{'was stored already as' if response.already_stored else 'stored'} {response.id}")
    if response.truncated:
        output.print_told("the embedding model read only the beginning: the rest is found by its words alone", "yellow")
    for one in response.near_duplicates:
        output.print_told(f"{one.score:+.3f}  {one.id} is nearly the same", "yellow")


@commands.command()
def get(
    id: Annotated[str, typer.Argument(help="The id of the memory.")],  # noqa: A002
    user: User = "",
    all_users: AllUsers = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Show one memory."""
    request = pb.GetRequest(index=index, user_id=user, all_users=all_users, id=id)

    response = client.call(address, lambda memories: memories.Get(request, timeout=timeout))
    if as_json:
        output.print_json(response.memory)
    else:
        output.print_memory(response.memory)


@commands.command("list")
@filtered
def list_memories(
    where: memory_pb2.MemoryFilter,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="The oldest come first otherwise.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many memories.")] = 100,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """List memories in the order of their times; with --json a memory a line."""
    order = pb.LIST_ORDER_NEWEST_FIRST if newest_first else pb.LIST_ORDER_OLDEST_FIRST
    request = pb.ListRequest(index=index, filter=where, order=order)

    async def command(memories: client.Stub) -> None:
        left = limit
        while left:
            request.page_size = min(left, _MOST_ON_A_PAGE)
            page = await memories.List(request, timeout=timeout)
            for memory in page.memories:
                if as_json:
                    output.print_json(memory)
                else:
                    output.print_line(memory, with_user=where.all_users)
            left -= len(page.memories)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return

    client.call(address, command)


@commands.command()
def delete(
    ids: Annotated[list[str], typer.Argument(help="The ids of the memories.")],
    user: User = "",
    all_users: AllUsers = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Delete memories."""
    request = pb.DeleteRequest(index=index, user_id=user, all_users=all_users, ids=ids)

    response = client.call(address, lambda memories: memories.Delete(request, timeout=timeout))
    if as_json:
        output.print_json(response)
        return
    for one in response.deleted_ids:
        output.print_told(f"deleted {one}")
    for one in response.missing_ids:
        output.print_told(f"not there {one}", "yellow")


@commands.command()
@filtered
def delete_matching(
    where: memory_pb2.MemoryFilter,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them and delete nothing.")] = False,
    yes: Yes = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
) -> None:
    """Delete every memory that passes the filter."""

    def matching(*, dry_run: bool) -> pb.DeleteMatchingResponse:
        request = pb.DeleteMatchingRequest(index=index, filter=where, dry_run=dry_run)
        return client.call(address, lambda memories: memories.DeleteMatching(request, timeout=timeout))

    response = matching(dry_run=dry_run or not yes)
    if response.count and not (dry_run or yes):
        output.confirm(f"Delete {output.counted(response.count)}?")
        response = matching(dry_run=False)
    if as_json:
        output.print_json(response)
    else:
        output.console.print(f"{'would delete' if dry_run else 'deleted'} {output.counted(response.count)}")


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        output.fail("standard input", f"is not UTF-8: byte {error.start + 1}")


def _pairs(written: list[str]) -> dict[str, str]:
    pairs = {}
    for one in written:
        key, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r} is no metadata: write it as key=value", param_hint="--metadata")
        pairs[key] = value
    return pairs

"""Commands for memories: `store`, `get`, `list`, `delete` and `delete-matching`."""

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
    At,
    ExpiresAt,
    Index,
    Role,
    Timeout,
    User,
    Yes,
    filtered,
    parse_duration,
)

commands = typer.Typer()

_MAX_PAGE_SIZE = 1000


@commands.command()
def store(
    content: Annotated[str, typer.Argument(help="The text of the message; - reads it from standard input.")],
    user: User,
    session: Annotated[str, typer.Option("--session", "-s", help="The session of the message.")] = "",
    role: Annotated[Role, typer.Option(help="The author of the message.")] = Role.USER,
    id: Annotated[str, typer.Option(help="An id of your choice, unique for the user.")] = "",  # noqa: A002
    at: At = None,
    label: Annotated[list[str] | None, typer.Option(help="A label for filters; repeatable.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Data returned with the message; repeatable.")
    ] = None,
    ttl: Annotated[
        Duration | None,
        typer.Option(
            parser=parse_duration, metavar="DURATION", help="The message expires after this time: 90s, 15m, 24h, 30d."
        ),
    ] = None,
    expires_at: ExpiresAt = None,
    near_duplicates: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Report memories of the user with at least this score against it."),
    ] = None,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """Store one message."""
    if ttl is not None and expires_at is not None:
        raise typer.BadParameter("--ttl and --expires-at exclude each other: use one of them")
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
        metadata=_parse_metadata(metadata or []),
        near_duplicate_min_score=near_duplicates,
    )

    response = client.call(address, lambda memories: memories.Store(request, timeout=timeout))
    if as_json:
        output.print_json(response)
        return
    output.print_text(f"{'already stored' if response.already_stored else 'stored'} {response.id}")
    if response.truncated:
        output.print_text(
            "the text is too long for the embedding model: only --mode text and hybrid search its end", "yellow"
        )
    for duplicate in response.near_duplicates:
        output.print_text(f"{duplicate.score:+.3f}  {duplicate.id} is a near-duplicate", "yellow")


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
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Print the newest first instead of the oldest.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of memories.")] = 100,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 30.0,
    as_json: AsJson = False,
) -> None:
    """List memories in order of time; with --json, print one memory per line."""
    order = pb.LIST_ORDER_NEWEST_FIRST if newest_first else pb.LIST_ORDER_OLDEST_FIRST
    request = pb.ListRequest(index=index, filter=where, order=order)

    async def command(memories: client.Stub) -> None:
        remaining = limit
        while remaining:
            request.page_size = min(remaining, _MAX_PAGE_SIZE)
            page = await memories.List(request, timeout=timeout)
            for memory in page.memories:
                if as_json:
                    output.print_json(memory)
                else:
                    output.print_memory_row(memory, with_user=where.all_users)
            remaining -= len(page.memories)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        if remaining == limit:
            output.errors.print(output.NO_MATCH)
        elif request.page_token:
            output.errors.print(f"more memories match: --limit {2 * limit} shows more than these {limit}")

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
    for id_ in response.deleted_ids:
        output.print_text(f"deleted {id_}")
    for id_ in response.missing_ids:
        output.print_text(f"not found {id_}", "yellow")


@commands.command()
@filtered
def delete_matching(
    where: memory_pb2.MemoryFilter,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the memories without deleting them.")] = False,
    yes: Yes = False,
    index: Index = "",
    address: Address = SERVER,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
) -> None:
    """Delete every memory that matches the filter."""

    def matching(*, dry_run: bool) -> pb.DeleteMatchingResponse:
        request = pb.DeleteMatchingRequest(index=index, filter=where, dry_run=dry_run)
        return client.call(address, lambda memories: memories.DeleteMatching(request, timeout=timeout))

    response = matching(dry_run=dry_run or not yes)
    if response.count and not (dry_run or yes):
        output.confirm(f"Delete {output.format_count(response.count)}?")
        response = matching(dry_run=False)
    if as_json:
        output.print_json(response)
    else:
        output.console.print(f"{'would delete' if dry_run else 'deleted'} {output.format_count(response.count)}")


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        output.fail("standard input", f"is not UTF-8: byte {error.start + 1}")


def _parse_metadata(pairs: list[str]) -> dict[str, str]:
    parsed = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} has no '=': use the form KEY=VALUE", param_hint="--metadata")
        parsed[key] = value
    return parsed

"""The contract, its Python stubs and the domain are consistent."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import example, given
from hypothesis import strategies as st
from semantic_memory.v1 import error_reason_pb2, index_pb2, memory_pb2
from semantic_memory.v1 import memory_service_pb2 as pb

from memory_service.domain import errors
from memory_service.domain.query import Hit, Mode, SearchSummary
from memory_service.domain.types import Algorithm, IndexInfo, Layout, Memory, Role
from memory_service.rpc import enums, search_stream
from memory_service.rpc.errors import to_status
from memory_service.rpc.request_parsing import parse_new_memory
from memory_service.rpc.responses import fill_timestamp

ROOT = Path(__file__).parents[2]


def names(enum: Any, prefix: str) -> set[str]:
    """Return the names of an enum of the contract without prefix and UNSPECIFIED."""
    return {name.removeprefix(prefix) for name in enum.DESCRIPTOR.values_by_name} - {"UNSPECIFIED"}


def test_every_reason_of_the_domain_is_in_the_contract_and_the_other_way_round() -> None:
    in_contract = names(error_reason_pb2.ErrorReason, "ERROR_REASON_")
    assert in_contract == {reason.value for reason in errors.Reason}


def test_every_reason_is_documented_with_its_status_and_an_example() -> None:
    text = (ROOT / "protos/semantic_memory/v1/error_reason.proto").read_text()
    for reason in errors.Reason:
        [comment] = re.findall(rf"((?:  //.*\n)+)  ERROR_REASON_{reason.value} = ", text)
        assert re.search(r"// Status [A-Z_]+\.", comment)
        assert f'"reason": "{reason.value}", "domain": "semantic-memory"' in comment


def test_every_error_has_a_status_and_one_error_info() -> None:
    for kind in errors.MemoryServiceError.__subclasses__():
        status = to_status(kind(errors.Reason.INTERNAL, "message"))
        assert status.code.name not in {"UNKNOWN", "OK"}


def test_stubs_need_nothing_of_buf_validate() -> None:
    for file in (ROOT / "clients/python/src").rglob("*.py*"):
        if file.suffix in {".py", ".pyi"}:
            assert "buf" not in re.findall(r"^(?:from|import) (\w+)", file.read_text(), re.MULTILINE)
    descriptor = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(descriptor)
    assert not [name for name in descriptor.dependency if "validate" in name]
    assert b"buf.validate" not in descriptor.SerializeToString()


def test_stubs_import_without_the_service() -> None:
    code = (
        "import sys; from semantic_memory.v1 import memory_service_pb2_grpc, error_reason_pb2; "
        "assert not [name for name in sys.modules if name.startswith(('memory_service', 'protovalidate'))]"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


ENUMS: dict[str, tuple[Any, str, type[StrEnum], Mapping[Any, StrEnum]]] = {
    "Role": (memory_pb2.Role, "ROLE_", Role, enums.ROLES),
    "Algorithm": (index_pb2.Algorithm, "ALGORITHM_", Algorithm, enums.ALGORITHMS),
    "Layout": (index_pb2.Layout, "LAYOUT_", Layout, enums.LAYOUTS),
    "SearchMode": (pb.SearchMode, "SEARCH_MODE_", Mode, enums.SEARCH_MODES),
}


@pytest.mark.parametrize("name", ENUMS)
def test_each_enum_of_the_contract_maps_to_the_values_of_the_same_name(name: str) -> None:
    in_contract, prefix, in_domain, table = ENUMS[name]
    assert names(in_contract, prefix) == {value.upper() for value in in_domain}
    by_name = {in_contract.Name(number).removeprefix(prefix): value for number, value in table.items()}
    by_name.pop("UNSPECIFIED", None)
    assert by_name == {value.upper(): value for value in in_domain}


def test_an_unset_search_mode_is_vector() -> None:
    assert enums.SEARCH_MODES[pb.SEARCH_MODE_UNSPECIFIED] is Mode.VECTOR


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_times_survive_the_way_there_and_back(microseconds: int) -> None:
    timestamp = Timestamp()
    fill_timestamp(timestamp, microseconds)
    request = pb.StoreRequest(user_id="u", role=memory_pb2.ROLE_USER, content="c", timestamp=timestamp)
    assert parse_new_memory(request).timestamp == microseconds


def memory(number: int, characters: int, entries: int) -> Memory:
    """Return a memory with this many characters of four bytes, and this many metadata entries of the largest size."""
    metadata = {str(n): "v" * 4096 for n in range(entries)}
    return Memory(str(number), "u", "s", Role.USER, "\N{BIRD}" * characters, number, metadata=metadata)


@given(st.lists(st.tuples(st.sampled_from([1, 20_000, 50_000]), st.sampled_from([0, 32])), max_size=60))
@example([(20_000, 32)] * 25)
@example([(1, 0)] * 130)
async def test_chunks_joined_are_the_whole_answer_and_each_is_one_that_any_client_takes(
    sizes: list[tuple[int, int]],
) -> None:
    count = len(sizes)

    async def hits() -> AsyncIterator[Hit]:
        for n, size in enumerate(sizes):
            yield Hit(str(n), memory(n, *size), 1 - n / 1000, n / 1000)

    info = IndexInfo("i", 3, "m", frozenset(Algorithm), True, count, 0)
    found = SearchSummary(count, 0, 1.0 if count else None, info, Algorithm.FLAT, False, 0.1, 0.2)
    responses = [one async for one in search_stream.search_responses(found, hits())]
    assert [hit.memory.id for response in responses for hit in response.hits] == [str(n) for n in range(count)]
    assert [response.HasField("summary") for response in responses] == [False] * (len(responses) - 1) + [True]
    assert all(response.hits for response in responses) or count == 0
    assert all(len(response.hits) <= search_stream.CHUNK_HITS for response in responses)
    assert all(response.ByteSize() < 4 * 2**20 for response in responses)

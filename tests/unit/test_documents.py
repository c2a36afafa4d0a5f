"""Fields of documents: encoding, decoding, and documents of other software."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from memory_service.domain.types import Memory, Role
from memory_service.valkey.documents import (
    MEMORY_FIELDS,
    decode_fields,
    decode_tags,
    encode_fields,
    seconds,
)

characters = st.characters(exclude_categories=["Cs"])
names = st.text(characters, min_size=1, max_size=30)
times = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
memories = st.builds(
    Memory,
    id=names,
    user_id=names,
    session_id=st.just("") | names,
    role=st.sampled_from(Role),
    content=st.text(characters, min_size=1),
    timestamp=times,
    labels=st.lists(names, max_size=4, unique=True).map(tuple),
    metadata=st.dictionaries(names, st.text(characters), max_size=4),
    expires_at=st.none() | times,
)


@given(memories, st.booleans(), st.lists(names))
def test_encoded_fields_decode_to_the_same_memory(memory: Memory, own_id: bool, stems: list[str]) -> None:
    fields = encode_fields(memory, stems, own_id=own_id)
    assert decode_fields("some-storage_id" if own_id else memory.id, fields) == memory
    assert decode_tags(fields.get("terms")) == tuple(stems)


@given(times)
def test_seconds_are_exact_and_plain_decimals(microseconds: int) -> None:
    text = seconds(microseconds)
    assert Decimal(text) * 1_000_000 == microseconds
    assert "e" not in text.lower()


@given(times, times)
def test_seconds_sort_like_their_timestamps(one: int, other: int) -> None:
    if one < other:
        assert float(seconds(one)) <= float(seconds(other))


def test_a_cookbook_document_decodes_to_a_memory() -> None:
    document = {
        "session_id": "sess_1",
        "user_id": "alice",
        "role": "user",
        "content": "hi",
        "timestamp": 1700000000.123,
    }
    assert decode_fields("k", document) == Memory("k", "alice", "sess_1", Role.USER, "hi", 1_700_000_000_123_000)


@given(st.dictionaries(st.sampled_from(MEMORY_FIELDS), st.text() | st.floats() | st.none() | st.integers()))
def test_any_document_of_other_software_decodes(document: dict[str, object]) -> None:
    assert isinstance(decode_fields("storage_id", document), Memory)

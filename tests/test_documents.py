import json
from decimal import Decimal

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from memory_service.engine.documents import (
    FIELDS,
    decode_fields,
    decode_json_reply,
    decode_tags,
    encode_document,
    seconds,
)
from memory_service.memory.types import Memory, Role

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
    expires=st.none() | times,
)


@given(memories, st.booleans(), st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=16), st.lists(names))
def test_a_document_reads_back_as_its_memory_and_its_embedding(
    memory: Memory, own_id: bool, numbers: list[float], stems: list[str]
) -> None:
    embedding = np.array(numbers, np.float32)
    document = json.loads(encode_document(memory, embedding, stems, own_id=own_id))
    slot = "some-slot" if own_id else memory.id
    assert decode_fields(slot, document) == memory
    reply = orjson.dumps({f"$.{name}": [document[name]] if name in document else [] for name in FIELDS})
    assert decode_json_reply(slot, reply) == memory
    assert decode_tags(document.get("terms")) == tuple(stems)
    assert np.array_equal(np.array(document["embedding"], np.float32), embedding)


@given(times)
def test_seconds_are_exact_and_plain_decimals(microseconds: int) -> None:
    text = seconds(microseconds)
    assert Decimal(text) * 1_000_000 == microseconds
    assert "e" not in text.lower()


@given(times, times)
def test_seconds_order_as_the_engine_reads_them_as_the_times_do(one: int, other: int) -> None:
    if one < other:
        assert float(seconds(one)) <= float(seconds(other))


def test_numbers_are_the_shortest_float32_text() -> None:
    text = encode_document(
        Memory("i", "u", "", Role.USER, "c", 0), np.array([0.1, -1 / 3], np.float32), [], own_id=False
    )
    assert b"[0.1,-0.33333334]" in text


def test_a_document_of_the_cookbook_reads_as_a_memory() -> None:
    document = {
        "session_id": "sess_1",
        "user_id": "alice",
        "role": "user",
        "content": "hi",
        "timestamp": 1700000000.123,
    }
    assert decode_fields("k", document) == Memory("k", "alice", "sess_1", Role.USER, "hi", 1_700_000_000_123_000)


@given(st.dictionaries(st.sampled_from(FIELDS), st.text() | st.floats() | st.none() | st.integers()))
def test_documents_of_other_software_never_break_the_reader(document: dict[str, object]) -> None:
    assert isinstance(decode_fields("slot", document), Memory)

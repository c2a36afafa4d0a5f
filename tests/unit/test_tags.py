"""Tags: ids as safe characters, and back."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from memory_service.valkey.tags import decode_tag, encode_tag

ids = st.text(min_size=1, max_size=64).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
plain = st.from_regex(r"[a-z0-9_]{1,20}[a-z0-9][a-z0-9_]{1,20}", fullmatch=True)


@given(ids | plain)
@example("x_")
@example("x_616c696365")
@example("alice")
@example("_")
@example("a,b|c}=>[KNN*")
def test_a_tag_contains_only_safe_characters_and_decodes_to_its_id(identity: str) -> None:
    tag = encode_tag(identity)
    assert re.fullmatch(r"[a-z0-9_]+", tag)
    assert decode_tag(tag) == identity


@given(ids | plain, ids | plain)
@example("alice", "x_616c696365")
@example("Alice", "alice")
@example("é", "e\u0301")
def test_different_ids_have_different_tags(one: str, other: str) -> None:
    assert (encode_tag(one) == encode_tag(other)) == (one == other)


@given(plain.filter(lambda text: not text.startswith("x_")))
def test_an_id_of_plain_characters_is_its_own_tag(identity: str) -> None:
    assert encode_tag(identity) == identity


@given(st.text())
def test_any_text_of_other_software_decodes(tag: str) -> None:
    assert isinstance(decode_tag(tag), str)

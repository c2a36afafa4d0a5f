"""The local embedding model: similarities, tokens and truncation."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from memory_service.embedding.local import LocalEmbedder


@pytest.fixture(scope="module")
def embedder() -> Iterator[LocalEmbedder]:
    embedder = LocalEmbedder()
    yield embedder
    embedder.close()


async def test_similarities_match_the_published_model(embedder: LocalEmbedder) -> None:
    """The similarities that all-MiniLM-L6-v2's model card shows; int8 weights move them in the third decimal."""
    person, dog, very, sunny = [
        (await embedder.embed(text)).embedding
        for text in (
            "That is a happy person",
            "That is a happy dog",
            "That is a very happy person",
            "Today is a sunny day",
        )
    ]
    assert float(person @ dog) == pytest.approx(0.695, abs=0.01)
    assert float(person @ very) == pytest.approx(0.943, abs=0.01)
    assert float(person @ sunny) == pytest.approx(0.257, abs=0.01)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello, World!", [101, 7592, 1010, 2088, 999, 102]),
        ("How do I deploy my service?", [101, 2129, 2079, 1045, 21296, 2026, 2326, 1029, 102]),
        ("café naïve", [101, 7668, 15743, 102]),
        ("北京", [101, 1781, 1755, 102]),
        ("\U0001f600", [101, 100, 102]),
    ],
)
def test_tokens_are_those_of_bert_base_uncased(embedder: LocalEmbedder, text: str, ids: list[int]) -> None:
    assert embedder.tokens(text) == ids


async def test_a_long_text_is_truncated_to_256_tokens(embedder: LocalEmbedder) -> None:
    assert len(embedder.tokens("word " * 50_000)) == 256
    long = await embedder.embed("word " * 300)
    longer = await embedder.embed("word " * 300 + "entirely different")
    assert np.array_equal(long.embedding, longer.embedding)


@pytest.mark.parametrize(("words", "truncated"), [(1, False), (254, False), (255, True), (10_000, True)])
async def test_truncation_is_reported(embedder: LocalEmbedder, words: int, truncated: bool) -> None:
    assert (await embedder.embed("word " * words)).truncated == truncated


@hypothesis_settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
async def test_any_text_has_an_embedding_of_unit_length(embedder: LocalEmbedder, text: str) -> None:
    embedding = (await embedder.embed(text)).embedding
    assert embedding.shape == (384,)
    assert embedding.dtype == np.float32
    assert float(np.linalg.norm(embedding)) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(embedding, (await embedder.embed(text)).embedding)

"""The query texts of bench.embedding, and the loads that send them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

CALLERS, KNOWN = 64, 256
"""Callers at once; texts that the embedding cache has from the start."""
SUBJECTS = ("our deployment", "the index of Valkey", "Anna's holiday", "the invoice of March", "the rota")
QUESTIONS = ("What did we decide about {}", "When will {} be ready", "Who informed me that {} has to change")

Search: TypeAlias = "Callable[[str], Awaitable[None]]"
Load: TypeAlias = "Callable[[Search, Texts, float], Awaitable[None]]"


class Texts:
    """Questions of about eighteen words."""

    def __init__(self) -> None:
        self.new_count = 0
        """How many different texts there were so far."""
        self.known = [self.fresh() for _ in range(KNOWN)]

    def fresh(self) -> str:
        """Return a new text."""
        self.new_count += 1
        subject = SUBJECTS[self.new_count % len(SUBJECTS)]
        question = QUESTIONS[self.new_count % len(QUESTIONS)].format(subject)
        return f"{question}, as we said in conversation {self.new_count} some weeks ago, before the team moved?"

    def repeated(self) -> str:
        """Return a text that the cache has."""
        return random.choice(self.known)

    def mixed(self) -> str:
        """Return a text that the cache has, in four of five cases, and a new one otherwise."""
        return self.repeated() if random.random() < 0.8 else self.fresh()


def independent(text: Callable[[Texts], str]) -> Load:
    """Return a load in which each caller sends one search after the other, each with its own text."""

    async def load(search: Search, texts: Texts, seconds: float) -> None:
        deadline = time.monotonic() + seconds

        async def caller() -> None:
            while time.monotonic() < deadline:
                await search(text(texts))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    return load


async def simultaneous(search: Search, texts: Texts, seconds: float) -> None:
    """Let all callers search for one new text at once, then for the next one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = texts.fresh()
        await asyncio.gather(*(search(text) for _ in range(CALLERS)))


LOADS: dict[str, Load] = {
    "fresh": independent(Texts.fresh),
    "mixed": independent(Texts.mixed),
    "repeated": independent(Texts.repeated),
    "same": simultaneous,
}

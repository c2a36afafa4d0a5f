"""Short names for types of grpc.aio that the interceptors and the servicer share."""

from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Deserializer: TypeAlias = "Callable[[bytes], Any] | None"
"""Parses bytes into a message; None in handlers of services without generated code."""

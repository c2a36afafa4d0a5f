"""The rules of the contract, enforced on the server.

Clients' stubs carry no rules, so that they depend on nothing; the server keeps the contract with its rules in
contract.binpb, which `make generate` writes beside the stubs.
"""

import json
from pathlib import Path
from typing import Any

import protovalidate
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from memory_service.domain.errors import InvalidRequest, Reason, Violation
from memory_service.rpc.truncation import truncate

MAX_VIOLATIONS = 20
"""Violations travel in trailers, of which gRPC takes 8 kB."""
_MAX_KEY_BYTES = 80
"""Bytes of a map's key that an error repeats: every key that is allowed, and the beginning of others."""


class RequestValidator:
    """Checks requests against the rules written in the protos."""

    def __init__(self) -> None:
        """Load the contract and compile its rules: tens of milliseconds, spent at the start and not in a call."""
        contract = descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("contract.binpb").read_bytes())
        pool = descriptor_pool.DescriptorPool()
        for file in contract.file:
            pool.Add(file)
        service = pool.FindServiceByName("semantic_memory.v1.MemoryService")
        self._validator = protovalidate.Validator()
        self._validated_classes: dict[str, type[Message]] = {}
        for method in service.methods:
            self._validated_classes[method.input_type.full_name] = message_factory.GetMessageClass(method.input_type)
        for ruled in self._validated_classes.values():
            self._validator.collect_violations(ruled())

    def check(self, request: Message, serialized: bytes) -> None:
        """Refuse a request that breaks a rule; `serialized` is the same request as it came.

        Raises:
            InvalidRequest: with the first MAX_VIOLATIONS violations.
        """
        ruled = self._validated_classes[request.DESCRIPTOR.full_name].FromString(serialized)
        found = self._validator.collect_violations(ruled)
        if not found:
            return
        violations = [
            Violation(_path(one.proto.field), one.proto.message, one.proto.rule_id) for one in found[:MAX_VIOLATIONS]
        ]
        summary = "; ".join(
            f"{one.field}: {one.description}" if one.field else one.description for one in violations[:3]
        )
        raise InvalidRequest(Reason.INVALID_REQUEST, summary, violations=violations)


def _path(field: Any) -> str:
    """A field path as in the AIP: `filter.session_ids[2]`, `metadata["key"]`."""
    return "" if field is None else ".".join(map(_element, field.elements))


def _element(element: Any) -> str:
    if element.subscript is None:
        return str(element.field_name)
    # Positions of lists are numbers, keys of maps texts: JSON tells them apart.
    value = element.subscript.value
    shown = truncate(value, _MAX_KEY_BYTES) if isinstance(value, str) else value
    return f"{element.field_name}[{json.dumps(shown, ensure_ascii=False)}]"

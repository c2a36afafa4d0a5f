"""The rules of the contract, enforced on the server.

Generated clients carry no rules, so that they need no validation library. The server reads the contract with its rules
from contract.binpb, which `make generate` writes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import protovalidate
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from memory_service.domain.errors import InvalidRequest, Reason, Violation
from memory_service.rpc.truncation import truncate
from memory_service.rpc.violation_messages import describe_violation

MAX_VIOLATIONS = 20
"""Most violations in one error: they travel in trailers, which gRPC limits to 8 kB."""
_MAX_SUMMARY_VIOLATIONS = 3
"""Violations that the error's message repeats."""
_MAX_KEY_BYTES = 80
"""Most bytes of a map key in a field path. No valid key is longer."""


class RequestValidator:
    """Checks requests against the rules in the protos."""

    def __init__(self) -> None:
        """Load the contract and compile its rules. This takes tens of milliseconds, so it happens at startup."""
        contract = descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("contract.binpb").read_bytes())
        pool = descriptor_pool.DescriptorPool()
        for file in contract.file:
            pool.Add(file)
        service = pool.FindServiceByName("semantic_memory.v1.MemoryService")
        self._validator = protovalidate.Validator()
        self._request_classes: dict[str, type[Message]] = {}
        for method in service.methods:
            self._request_classes[method.input_type.full_name] = message_factory.GetMessageClass(method.input_type)
        for request_class in self._request_classes.values():
            self._validator.collect_violations(request_class())

    def check(self, request: Message, serialized: bytes) -> None:
        """Check every field of a request. `serialized` is the same request as it arrived.

        Raises:
            InvalidRequest: a rule is broken; carries the first MAX_VIOLATIONS violations.
        """
        with_rules: Any = self._request_classes[request.DESCRIPTOR.full_name].FromString(serialized)
        broken = self._validator.collect_violations(with_rules)
        if not broken:
            return
        violations = [
            Violation(
                _path(violation.proto.field),
                describe_violation(violation, with_rules.DESCRIPTOR),
                violation.proto.rule_id,
            )
            for violation in broken[:MAX_VIOLATIONS]
        ]
        raise InvalidRequest(Reason.INVALID_REQUEST, _summary(violations, len(broken)), violations=violations)


def _summary(violations: Sequence[Violation], count: int) -> str:
    """Return one line about the first of `count` violations."""
    parts = [
        f"{violation.field}: {violation.description}" if violation.field else violation.description
        for violation in violations[:_MAX_SUMMARY_VIOLATIONS]
    ]
    if count > len(parts):
        parts.append(f"{count - len(parts)} more")
    return "; ".join(parts)


def _path(field: Any) -> str:
    """Return a field path as Google's AIP-193 writes it: `filter.session_ids[2]`, `metadata["key"]`."""
    return "" if field is None else ".".join(map(_element, field.elements))


def _element(element: Any) -> str:
    if element.subscript is None:
        return str(element.field_name)
    # List positions are numbers and map keys are strings. Their JSON forms differ.
    value = element.subscript.value
    subscript = truncate(value, _MAX_KEY_BYTES) if isinstance(value, str) else value
    return f"{element.field_name}[{json.dumps(subscript, ensure_ascii=False)}]"

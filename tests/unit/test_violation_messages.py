"""Each rule of the contract that a request breaks is described in a plain sentence that fits its field."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from semantic_memory.v1 import memory_service_pb2 as pb
from semantic_memory.v1.memory_pb2 import MemoryFilter

from memory_service.domain.errors import InvalidRequest, Violation
from memory_service.rpc import validation
from memory_service.rpc.validation import RequestValidator

VALIDATOR = RequestValidator()
ROLES = "ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM or ROLE_TOOL"
NAME = "must be a lower-case letter followed by at most 47 lower-case letters, digits or underscores"


def store(**fields: Any) -> pb.StoreRequest:
    return pb.StoreRequest(**{"user_id": "alice", "role": "ROLE_USER", "content": "text", **fields})


def search(**fields: Any) -> pb.SearchRequest:
    return pb.SearchRequest(**{"query_text": "text", "filter": MemoryFilter(user_id="alice"), **fields})


SENTENCES: list[tuple[Message, str, str]] = [
    (store(role=0), "enum.not_in", f"role: is required: set {ROLES}"),
    (store(role=99), "enum.defined_only", f"role: 99 is not a known value: set {ROLES}"),
    (
        search(filter=MemoryFilter(user_id="a", roles=cast("Any", [0]))),
        "enum.not_in",
        f"filter.roles[0]: must not be ROLE_UNSPECIFIED: set {ROLES}",
    ),
    (
        search(filter=MemoryFilter(user_id="a", roles=cast("Any", [7]))),
        "enum.defined_only",
        f"filter.roles[0]: 7 is not a known value: set {ROLES}",
    ),
    (
        search(mode=9),
        "enum.defined_only",
        "mode: 9 is not a known value: set SEARCH_MODE_VECTOR, SEARCH_MODE_TEXT or SEARCH_MODE_HYBRID",
    ),
    (store(content=""), "string.min_len", "content: is required"),
    (store(labels=["a", ""]), "string.min_len", "labels[1]: must not be empty"),
    (store(metadata={"": "v"}), "string.min_len", 'metadata[""]: the key must not be empty'),
    (store(metadata={"k" * 65: "v"}), "string.max_bytes", f'metadata["{"k" * 65}"]: the key must be at most 64 bytes'),
    (store(metadata={"k": "v" * 4097}), "string.max_bytes", 'metadata["k"]: must be at most 4,096 bytes'),
    (store(content="é" * 50_001), "string.max_len", "content: must be at most 50,000 characters"),
    (store(embedding=b"\0" * 131_076), "bytes.max_len", "embedding: must be at most 131,072 bytes"),
    (store(index="Robert'); DROP"), "string.pattern", f"index: {NAME}, or empty for the default index"),
    (pb.DropIndexRequest(index="*"), "string.pattern", f"index: {NAME}"),
    (pb.DropIndexRequest(), "string.pattern", "index: is required: set the name of an index"),
    (pb.DeleteRequest(user_id="a"), "repeated.min_items", "ids: is required: set at least 1 item"),
    (pb.DeleteRequest(user_id="a", ids=["a"] * 1001), "repeated.max_items", "ids: must have at most 1,000 items"),
    (store(labels=["a", "a"]), "repeated.unique", "labels: must not contain the same value twice"),
    (store(metadata={str(n): "" for n in range(33)}), "map.max_pairs", "metadata: must have at most 32 entries"),
    (pb.ListRequest(), "required", "filter: is required"),
    (search(recency=pb.Recency()), "required", "recency.half_life: is required"),
    (search(k=0), "uint32.gte_lte", "k: must be from 1 to 1,000"),
    (search(context=pb.ContextSize(before=11)), "uint32.lte", "context.before: must be at most 10"),
    (search(min_score=math.nan), "float.gte_lte", "min_score: must be from -1 to 1"),
    (search(diversity=0), "float.gt_lte", "diversity: must be greater than 0 and at most 1"),
    (store(ttl=Duration()), "duration.gte_lte", "ttl: must be from 1 millisecond to 100 years"),
    (
        search(recency=pb.Recency(half_life=Duration())),
        "duration.gte_lte",
        "recency.half_life: must be from 1 second to 100 years",
    ),
    (
        pb.GetRequest(id="a"),
        "get.scope",
        "set exactly one of user_id and all_users",
    ),
]


def check(request: Message) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        VALIDATOR.check(request, request.SerializeToString())
    return caught.value


@pytest.mark.parametrize(("broken", "rule", "sentence"), SENTENCES, ids=[sentence for _, _, sentence in SENTENCES])
def test_a_violation_is_described_once_in_a_plain_sentence(broken: Message, rule: str, sentence: str) -> None:
    error = check(broken)
    field, _, description = sentence.rpartition(": ") if rule == "get.scope" else sentence.partition(": ")
    assert error.violations == (Violation(field, description, rule),)
    assert error.message == sentence


def test_a_long_message_says_how_many_violations_it_leaves_out() -> None:
    error = check(pb.DeleteRequest(user_id="a", ids=[""] * 900))
    assert len(error.violations) == 20
    fields = "; ".join(f"ids[{n}]: must not be empty" for n in range(3))
    assert error.message == f"{fields}; 897 more"


def rules_of_the_contract() -> set[str]:
    """The ids of all standard rules that the protos set on fields, as protovalidate reports them."""
    path = Path(validation.__file__).with_name("contract.binpb")
    contract = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in contract.file:
        pool.Add(file)
    options_class = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FieldOptions"))
    extension = pool.FindExtensionByName("buf.validate.field")
    messages = [
        pool.FindMessageTypeByName(f"{file.package}.{message.name}")
        for file in contract.file
        if file.package == "semantic_memory.v1"
        for message in file.message_type
    ]
    fields = [field for message in messages for field in message.fields]
    options: list[Any] = [options_class.FromString(field.GetOptions().SerializeToString()) for field in fields]
    return {rule for one in options for rule in rule_ids(one.Extensions[extension])}


def rule_ids(field_rules: Any) -> Iterator[str]:
    """The rules of one field, of its items, keys and values."""
    if field_rules.required:
        yield "required"
    kind = field_rules.WhichOneof("type")
    if kind is None:
        return
    rules = getattr(field_rules, kind)
    names = [field.name for field, _ in rules.ListFields()]
    for nested in ("items", "keys", "values"):
        if nested in names:
            names.remove(nested)
            yield from rule_ids(getattr(rules, nested))
    bounds = [name for name in ("gt", "gte", "lt", "lte") if name in names]
    yield from (f"{kind}.{name}" for name in {*names} - {*bounds})
    if bounds:
        yield f"{kind}.{'_'.join(bounds)}"


def test_every_rule_of_the_contract_has_a_case_here() -> None:
    assert rules_of_the_contract() == {rule for _, rule, _ in SENTENCES} - {"get.scope"}

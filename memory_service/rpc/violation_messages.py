"""Plain sentences for the rules of protovalidate that requests break.

Each sentence follows the path of its field: "role: is required: set ROLE_USER, …". Rules without a sentence
here keep protovalidate's own text, or the text that the protos give them.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor

_INDEX_NAME = "must be a lower-case letter followed by at most 47 lower-case letters, digits or underscores"
_PATTERNS = {
    "^([a-z][a-z0-9_]{0,47})?$": f"{_INDEX_NAME}, or empty for the default index",
    "^[a-z][a-z0-9_]{0,47}$": _INDEX_NAME,
}
"""What the regular expressions of the protos accept, in words."""

_RANGE = re.compile(r"must be greater than (or equal to )?(\S+) and less than or equal to (\S+)")
_DURATIONS = {"0.001s": "1 millisecond", "1s": "1 second", "3153600000s": "100 years"}


def describe_violation(violation: Any, request: Descriptor) -> str:
    """Return what is wrong with a field, and what to do, for a violation that protovalidate reports."""
    describe = _SENTENCES.get(violation.proto.rule_id)
    sentence = describe(violation, request) if describe is not None else None
    return sentence if sentence is not None else str(violation.proto.message)


def _required(_: Any, __: Descriptor) -> str:
    return "is required"


def _min_len(violation: Any, _: Descriptor) -> str | None:
    if violation.rule_value != 1:
        return None
    if violation.proto.for_key:
        return "the key must not be empty"
    return "must not be empty" if _is_item(violation) else "is required"


def _max_length(unit: str) -> Callable[[Any, Descriptor], str]:
    def describe(violation: Any, _: Descriptor) -> str:
        subject = "the key must" if violation.proto.for_key else "must"
        return f"{subject} be at most {violation.rule_value:,} {unit}"

    return describe


def _pattern(violation: Any, _: Descriptor) -> str | None:
    sentence = _PATTERNS.get(violation.rule_value)
    return sentence if violation.field_value else "is required: set the name of an index"


def _max_items(violation: Any, _: Descriptor) -> str:
    return f"must have at most {violation.rule_value:,} items"


def _min_items(violation: Any, _: Descriptor) -> str | None:
    return "is required: set at least 1 item" if violation.rule_value == 1 else None


def _unique(_: Any, __: Descriptor) -> str:
    return "must not contain the same value twice"


def _max_pairs(violation: Any, _: Descriptor) -> str:
    return f"must have at most {violation.rule_value:,} entries"


def _enum_defined(violation: Any, request: Descriptor) -> str:
    return f"{violation.field_value} is not a known value: set {_choices(_enum_of(violation, request))}"


def _enum_not_in(violation: Any, request: Descriptor) -> str:
    enum = _enum_of(violation, request)
    if not _is_item(violation):
        return f"is required: set {_choices(enum)}"
    return f"must not be {enum.values_by_number[violation.field_value].name}: set {_choices(enum)}"


def _at_most(violation: Any, _: Descriptor) -> str:
    return f"must be at most {violation.rule_value:,}"


def _range(violation: Any, _: Descriptor) -> str | None:
    if (match := _RANGE.fullmatch(violation.proto.message)) is None:
        return None
    inclusive, low, high = match.groups()
    low, high = (_DURATIONS.get(bound, bound) for bound in (low, high))
    high = f"{int(high):,}" if high.isdecimal() else high
    return f"must be from {low} to {high}" if inclusive else f"must be greater than {low} and at most {high}"


_SENTENCES: dict[str, Callable[[Any, Descriptor], str | None]] = {
    "required": _required,
    "string.min_len": _min_len,
    "string.max_len": _max_length("characters"),
    "string.max_bytes": _max_length("bytes"),
    "string.pattern": _pattern,
    "bytes.max_len": _max_length("bytes"),
    "repeated.min_items": _min_items,
    "repeated.max_items": _max_items,
    "repeated.unique": _unique,
    "map.max_pairs": _max_pairs,
    "enum.defined_only": _enum_defined,
    "enum.not_in": _enum_not_in,
    "uint32.lte": _at_most,
    "uint32.gte_lte": _range,
    "float.gte_lte": _range,
    "float.gt_lte": _range,
    "duration.gte_lte": _range,
}


def _is_item(violation: Any) -> bool:
    """Return whether the violation is about an item of a list or a map, not about the field itself."""
    return violation.proto.field.elements[-1].subscript is not None


def _enum_of(violation: Any, request: Descriptor) -> EnumDescriptor:
    """Return the enum of the field that the violation is about."""
    message: Any = request
    *parents, last = (element.field_name for element in violation.proto.field.elements)
    for name in parents:
        message = message.fields_by_name[name].message_type
    enum: EnumDescriptor = message.fields_by_name[last].enum_type
    return enum


def _choices(enum: EnumDescriptor) -> str:
    """Return the names of an enum's values, except UNSPECIFIED: "A, B or C"."""
    return _join([value.name for value in enum.values if value.number])


def _join(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]

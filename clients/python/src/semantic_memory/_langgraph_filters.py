"""LangGraph's filters of values and namespaces, with the semantics of its own stores."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from langgraph.store.base import MatchCondition, Op, SearchOp

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def require_known_operators(op: Op) -> None:
    """Raise ValueError for a filter with an unknown operator."""
    if isinstance(op, SearchOp):
        _require_known(*(op.filter or {}).values())


def _require_known(*conditions: Any) -> None:
    for condition in conditions:
        if isinstance(condition, dict):
            operators = any(name.startswith("$") for name in condition)
            if operators and (unknown := condition.keys() - _COMPARE.keys()):
                raise ValueError(f"filter operator {min(unknown)!r} is unknown: use one of {', '.join(_COMPARE)}")
            if not operators:
                _require_known(*condition.values())
        elif isinstance(condition, list | tuple):
            _require_known(*condition)


def matches_filter(value: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    """Return whether a value matches a filter."""
    return all(_field_matches(value.get(name), condition) for name, condition in conditions.items())


def _field_matches(value: Any, condition: Any) -> bool:
    if isinstance(condition, dict):
        if any(name.startswith("$") for name in condition):
            return all(_compare(name, value, operand) for name, operand in condition.items())
        return isinstance(value, dict) and matches_filter(value, condition)
    if isinstance(condition, list | tuple):
        return (
            isinstance(value, list)
            and len(value) == len(condition)
            and all(_field_matches(item, inner) for item, inner in zip(value, condition, strict=True))
        )
    return bool(value == condition)


def _compare(name: str, value: Any, operand: Any) -> bool:
    try:
        return bool(_COMPARE[name](value, operand))
    except TypeError:  # A field of another type does not match. It must not fail the search for other items.
        return False


def matches_namespace(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """Return whether a namespace matches a condition of list_namespaces."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(expected in ("*", actual) for expected, actual in zip(path, part, strict=True))

"""LangGraph's filters of values and namespaces, as its own stores understand them."""

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


def _require_known(*wanted: Any) -> None:
    for one in wanted:
        if isinstance(one, dict):
            operators = any(name.startswith("$") for name in one)
            if operators and (unknown := one.keys() - _COMPARE.keys()):
                raise ValueError(f"filter operator {min(unknown)!r} is unknown: use one of {', '.join(_COMPARE)}")
            if not operators:
                _require_known(*one.values())
        elif isinstance(one, list | tuple):
            _require_known(*one)


def passes(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a value passes a filter."""
    return all(_field_passes(value.get(name), inner) for name, inner in wanted.items())


def _field_passes(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        if any(name.startswith("$") for name in wanted):
            return all(_compare(name, value, other) for name, other in wanted.items())
        return isinstance(value, dict) and passes(value, wanted)
    if isinstance(wanted, list | tuple):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(_field_passes(one, other) for one, other in zip(value, wanted, strict=True))
        )
    return bool(value == wanted)


def _compare(name: str, value: Any, other: Any) -> bool:
    try:
        return bool(_COMPARE[name](value, other))
    except TypeError:  # One item whose field has another type must not fail the search for the others.
        return False


def matches(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """Tell whether a namespace meets a condition of list_namespaces."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", given) for wanted, given in zip(path, part, strict=True))

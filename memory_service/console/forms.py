"""The fields of a form, parsed and checked."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import typer
from google.protobuf.message import Message

T = TypeVar("T")


class FormError(ValueError):
    """Invalid fields, each with its error message."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))
        self.problems = problems


class Form:
    """The fields of a form. Empty fields count as absent."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            if value.strip():
                self._values.setdefault(name, []).append(value)
        self._problems: list[tuple[str, str]] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def items(self) -> list[tuple[str, str]]:
        """All fields with their values; a field with several values occurs several times."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def text(self, name: str, default: str = "") -> str:
        """The unchanged value."""
        return self._values.get(name, [default])[0]

    def word(self, name: str, default: str = "") -> str:
        """The value without surrounding whitespace."""
        return self.text(name, default).strip()

    def joined(self, name: str) -> str:
        """All values of the field, one per line."""
        return "\n".join(self._values.get(name, ()))

    def lines(self, name: str) -> list[str]:
        """The lines of all values, without surrounding whitespace and empty lines."""
        return [line.strip() for value in self._values.get(name, ()) for line in value.splitlines() if line.strip()]

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The parsed value. None if the field is empty or invalid; `build` reports invalid fields."""
        return next(iter(self._parsed(name, [self.word(name)] if name in self else [], parse)), None)

    def read_lines(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """The parsed lines, without invalid ones; `build` reports those."""
        return list(self._parsed(name, self.lines(name), parse))

    def _parsed(self, name: str, texts: list[str], parse: Callable[[str], T]) -> Iterator[T]:
        for text in texts:
            try:
                yield parse(text)
            except (ValueError, typer.BadParameter) as error:
                self._problems.append((name, getattr(error, "message", "") or str(error)))

    def build(self, message: type[Message], **fields: Any) -> Any:
        """Build the message.

        Raises:
            FormError: a field is invalid, or its value does not fit the message.
        """
        if self._problems:
            raise FormError(self._problems)
        try:
            return message(**fields)
        except ValueError as error:
            raise FormError([("request", str(error))]) from error

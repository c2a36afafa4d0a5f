"""Generate docs/reference.md from the comments of the protos. `make generate` pipes their descriptors to it."""

import sys
import textwrap
from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

HEAD = """# API reference: semantic_memory.v1

`make generate` generates this page from the comments in `protos/semantic_memory/v1`. What v1 guarantees:
[compatibility](compatibility.md).
"""
PACKAGE = "semantic_memory.v1"
# Field numbers in descriptor.proto. The paths of comments consist of them.
MESSAGES, ENUMS, SERVICES, FIELDS, VALUES, METHODS = 4, 5, 6, 2, 2, 2


class File:
    """A proto file and its comments by path."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self._comments = {tuple(one.path): one.leading_comments for one in file.source_code_info.location}

    def comment(self, *path: int) -> str:
        return "\n".join(line.removeprefix(" ") for line in self._comments.get(path, "").splitlines()).strip()

    def sections(self) -> Iterator[str]:
        for number, service in enumerate(self.file.service):
            yield from self._service(service, number)
        for number, message in enumerate(self.file.message_type):
            yield from self._message(message, number)
        for number, enum in enumerate(self.file.enum_type):
            yield from self._enum(enum, number)

    def _service(self, service: ServiceDescriptorProto, number: int) -> Iterator[str]:
        yield f"## {service.name}\n\n{self.comment(SERVICES, number)}\n"
        for index, method in enumerate(service.method):
            stream = "stream of " if method.server_streaming else ""
            yield f"### {method.name}\n\n{_link(method.input_type)} → {stream}{_link(method.output_type)}\n"
            yield self.comment(SERVICES, number, METHODS, index) + "\n"

    def _message(self, message: DescriptorProto, number: int) -> Iterator[str]:
        yield f"## {message.name}\n\n{self.comment(MESSAGES, number)}\n"
        for index, field in enumerate(message.field):
            comment = self.comment(MESSAGES, number, FIELDS, index)
            yield f"- `{field.name}` ({_type(field, message)}, {field.number}). {_indented(comment)}"
        yield ""

    def _enum(self, enum: EnumDescriptorProto, number: int) -> Iterator[str]:
        yield f"## {enum.name}\n\n{self.comment(ENUMS, number)}\n"
        for index, value in enumerate(enum.value):
            yield f"- `{value.name}` ({value.number}). {_indented(self.comment(ENUMS, number, VALUES, index))}"
        yield ""


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = _link(field.type_name) if field.type_name else kind
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{nested.name}"):
            return "map of " + " to ".join(_type(part, nested) for part in nested.field)
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(name: str) -> str:
    short = name.removeprefix(f".{PACKAGE}.")
    return f"[{short}](#{short.lower()})" if short != name else name.removeprefix(".")


def _indented(comment: str) -> str:
    return textwrap.indent(comment, "  ").lstrip()


def main() -> None:
    files = [File(one) for one in FileDescriptorSet.FromString(sys.stdin.buffer.read()).file if one.package == PACKAGE]
    files.sort(key=lambda one: not one.file.service)
    sections = [section for file in files for section in file.sections()]
    sys.stdout.write("\n".join([HEAD, *sections]).rstrip() + "\n")


if __name__ == "__main__":
    main()

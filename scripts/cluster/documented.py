"""The kubectl and helm commands that the documentation tells users to run."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{2,4} .*$", re.MULTILINE)
_CLUSTER = ("kubectl ", "helm ")


@dataclass
class Documented:
    """The commands of docs/runbook.md that concern a cluster. Each is to be run once at least."""

    text: str
    taken: set[str] = field(default_factory=set)

    @classmethod
    def read(cls) -> "Documented":
        """Read the runbook."""
        return cls(Path("docs/runbook.md").read_text())

    def section(self, heading: str) -> list[str]:
        """Return the commands of a section in their order.

        Raises:
            LookupError: the section has none.
        """
        commands = [one for block in _BLOCK.findall(_section(self.text, heading)) for one in _commands(block)]
        if not commands:
            raise LookupError(f"docs/runbook.md: the section {heading!r} has no commands")
        self.taken.update(commands)
        return commands

    def inline(self, beginning: str) -> str:
        """Return the one command within a sentence that begins so.

        Raises:
            LookupError: there is none, or several differ.
        """
        found = {one for one in _INLINE.findall(_BLOCK.sub("", self.text)) if one.startswith(beginning)}
        if len(found) != 1:
            raise LookupError(f"docs/runbook.md has {len(found)} commands that begin with {beginning!r}")
        self.taken.update(found)
        return str(found.pop())

    def left_out(self) -> list[str]:
        """Return the commands that nothing has taken, but those of a move to another embedding model."""
        text = self.text.replace(_section(self.text, "### Embedding model"), "")
        blocks = [one for block in _BLOCK.findall(text) for one in _commands(block)]
        inline = [one for one in _INLINE.findall(_BLOCK.sub("", text)) if " " in one.strip()]
        return [one for one in [*blocks, *inline] if one.startswith(_CLUSTER) and one not in self.taken]


def notes_commands(installed: str) -> list[str]:
    """Return the commands in the output of helm install: its indented lines."""
    notes = installed.partition("NOTES:")[2]
    return [one.strip() for one in notes.splitlines() if one.startswith("  ") and one.strip().startswith(_CLUSTER)]


def _section(text: str, heading: str) -> str:
    begin = text.index(f"{heading}\n") + len(heading)
    following = _HEADING.search(text, begin)
    return text[begin : following.start() if following else len(text)]


def _commands(block: str) -> list[str]:
    lines = block.replace("\\\n", " ").splitlines()
    return [" ".join(re.sub(r"\s# .*$| {2,}#.*$", "", one).split()) for one in lines if one and not one.startswith("#")]

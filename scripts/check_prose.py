"""Finds phrases that make our English hard to read, in every text file of the repository: `make check` runs it.

It knows the worst cases only; CONTRIBUTING.md has the rules. A file that must quote a phrase is listed in _EXEMPT; a
single line is exempt with a comment "prose: REASON".
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ADVICE = {
    r"told": "say 'reported', 'returned' or 'named'",
    r"whoever": "name the caller or client",
    r"whatever": "say 'regardless of' or name the things",
    r"anew|made again|make again": "say 'recreate', 'rebuild' or 'again'",
    r"in vain|for want of|to be had|in hand": "say it plainly",
    r"(is|are|was|were|be|counts as) away": "say 'unavailable'",
    r"(is|are|not|be|was|yet|for) whole|whole (one|answer|memory|memories)": "say 'ready' or 'complete'",
    r"(time|life) is (over|gone)": "say 'expired' or 'the deadline passed'",
    r"let in": "say 'authenticated' or 'authorized'",
    r"asked for": "say 'requested'",
    r"(stands?|stood|standing) still": "say 'suspended' or 'stalls'",
    r"(such|those) as have": "say 'that have'",
    r"so many (of|as|memories|connections|seconds|times)": "say the number or 'as many'",
    r"stretch(es)? of time": "say 'time window' or 'time range'",
    r"(key|file|memory|memories|document|documents|where it|they) (lie|lies) ": "say 'is stored' or 'is'",
    r"is what it is for|nobody else does better|takes nobody": "say it plainly",
    r"hears? of (it|the)": "say 'reaches'",
    r"are marked as failing|kept, as one that fails": "say 'xfail'",
}
_PATTERNS = [(re.compile(rf"\b(?:{phrase})\b", re.IGNORECASE), advice) for phrase, advice in _ADVICE.items()]
_SUFFIXES = {
    ".cfg", ".css", ".go", ".html", ".java", ".js", ".json", ".md", ".mk", ".proto", ".py", ".sh", ".toml", ".tpl",
    ".ts", ".txt", ".yaml",
}  # fmt: skip
_EXEMPT = (
    "scripts/check_prose.py",
    "tests/unit/test_check_prose.py",
    "requirements/",
    "memory_service/embedding/",  # the model's vocabulary and notices
    "package-lock.json",
    "clients/conformance/embeddings.json",
    "third_party/",
)
_GENERATED = re.compile(r"/generated/|_pb2|\.pb\.go|_grpc\.pb\.go|package-lock")


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line number, the phrase and the advice for each finding in a text."""
    for number, line in enumerate(text.splitlines(), start=1):
        if "# prose: " in line:
            continue
        for pattern, advice in _PATTERNS:
            for match in pattern.finditer(line):
                yield number, match.group(), advice


def _files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S607
    return [
        name
        for name in listed
        if (Path(name).suffix in _SUFFIXES or Path(name).name in {"Makefile", "Dockerfile"})
        and not _GENERATED.search(name)
        and (not any(part in name for part in _EXEMPT) or (name.endswith(".py") and "embedding/" in name))
    ]


def main() -> int:
    """Print every finding; return 1 if there is any."""
    count = 0
    for name in _files():
        path = Path(name)
        if not path.is_file():
            continue
        for number, phrase, advice in findings(path.read_text(errors="replace")):
            print(f"{name}:{number}: {phrase!r}: {advice}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())

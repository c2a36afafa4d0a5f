"""Install a lock file into this Python's environment with pip, and report progress package by package.

.venv/bin/python scripts/install_demo.py requirements/demo.txt
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.-]*==", re.MULTILINE)
_PACKAGE = re.compile(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
_SIZE = re.compile(r"\s+(Downloading|Using cached) .*\(([\d.]+) (bytes|kB|MB|GB)\)")
_UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def progress(requirements: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield a line of progress for each package in pip's output, and the totals before pip unpacks them."""
    total, count, downloaded, package = len(_REQUIREMENT.findall(requirements)), 0, 0.0, ""
    for line in lines:
        if line.startswith("Ignoring "):  # Its marker names another platform.
            total -= 1
        elif found := _PACKAGE.match(line):
            count, package = count + 1, found[1]
            if line.startswith("Requirement"):
                yield f"[{count:>2}/{total}] {package} (already installed)"
        elif size := _SIZE.match(line):
            if size[1] == "Downloading":
                downloaded += float(size[2]) * _UNITS[size[3]]
            source = "" if size[1] == "Downloading" else ", from pip's cache"
            yield f"[{count:>2}/{total}] {package} ({size[2]} {size[3]}{source})"
        elif line.startswith("Installing collected packages"):
            yield f"Downloaded {downloaded / 1e6:.0f} MB; unpacking {count} packages …"


def main(file: Path) -> int:
    """Run pip; return its exit status. Its errors go to standard error unchanged."""
    pip = (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off")
    # A terminal shows the current package in place; a log gets a line for each package.
    begin, end = ("\r\x1b[K", "") if sys.stdout.isatty() else ("", "\n")
    with subprocess.Popen(  # noqa: S603 - the arguments are this repository's
        [*pip, "--require-hashes", "-r", str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        for line in progress(file.read_text(), process.stdout):
            sys.stdout.write(f"{begin}{line}{end}")
            sys.stdout.flush()
    if process.returncode == 0:
        sys.stdout.write(f"{begin}The packages are installed. Next: install this checkout and start the demo.\n")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

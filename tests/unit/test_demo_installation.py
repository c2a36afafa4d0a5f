"""The choice of Python in the Makefile, and the installation for `make demo`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.install_demo import progress

ROOT = Path(__file__).parents[2]


def interpreter(folder: Path, name: str, version: tuple[int, int]) -> None:
    """A program that answers as a Python of this version."""
    folder.mkdir(exist_ok=True)
    shown = f"{version[0]}.{version[1]}.0"
    answer = f"import sys, platform; sys.version_info = {version}; platform.python_version = lambda: '{shown}'"
    script = folder / name
    script.write_text(f"""#!/bin/sh\nexec {sys.executable} -c "{answer}; exec(sys.argv[1])" "$2"\n""")
    script.chmod(0o755)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of the checkout without environments, with `folder` first on PATH."""
    copy = folder / "checkout"
    (copy / "clients").mkdir(parents=True, exist_ok=True)
    (copy / "requirements").mkdir(exist_ok=True)
    for name in (
        "Makefile",
        "clients/clients.mk",
        "pyproject.toml",
        "requirements/demo.txt",
        "requirements/development.txt",
    ):
        (copy / name).write_bytes((ROOT / name).read_bytes())
    environment = {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(["make", *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False)


def test_make_takes_the_first_python_on_path_that_is_new_enough(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3", (3, 10))
    interpreter(tmp_path, "python3.14", (3, 10))
    interpreter(tmp_path, "python3.13", (3, 13))
    assert "python3.13 -m venv .venv" in make(tmp_path, "--dry-run", "demo").stdout.replace('"', "")


@pytest.mark.parametrize(("name", "version"), [("old", "3.10.0"), ("none", "missing")])
@pytest.mark.parametrize("target", ["demo", ".venv/installed"])
def test_make_says_which_python_it_needs_in_one_line(tmp_path: Path, target: str, name: str, version: str) -> None:
    interpreter(tmp_path, "old", (3, 10))
    done = make(tmp_path, target, f"PYTHON={tmp_path / name}")
    [line, _] = done.stderr.splitlines()  # make reports the target as well.
    assert line == (
        f"error: Python 3.11 or newer is needed, and {tmp_path / name} is {version}: install it, or name it with "
        f"make {target} PYTHON=/path/to/python3.11"
    )
    assert done.returncode == 2


def test_the_installation_reports_each_package_and_the_total() -> None:
    lock = "a==1 \\\n    --hash=sha256:0\nb-c==2 ; sys_platform == 'win32' \\\nd==3 \\\ne==4 \\\n"
    output = [
        "Ignoring b-c: markers 'sys_platform == \"win32\"' don't match your environment",
        "Collecting a==1 (from -r lock (line 1))",
        "  Downloading a-1-py3-none-any.whl (5.3 kB)",
        "Collecting d==3 (from -r lock (line 3))",
        "  Downloading d-3.whl (16.6 MB)",
        "Requirement already satisfied: e==4 in /somewhere (from -r lock (line 4))",
        "Installing collected packages: a, d",
    ]
    assert list(progress(lock, output)) == [
        "[ 1/3] a (5.3 kB)",
        "[ 2/3] d (16.6 MB)",
        "[ 3/3] e (already installed)",
        "Downloaded 17 MB; unpacking 3 packages …",
    ]


def test_the_demo_installs_the_tested_versions_without_development_tools() -> None:
    demo, development = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
        for name in ("demo", "development")
    )
    assert demo <= development
    assert not {one for one in demo if one.split("==")[0] in {"mypy", "ruff", "pytest", "matplotlib", "langgraph"}}

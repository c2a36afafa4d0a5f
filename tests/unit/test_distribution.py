"""What is installed under which name: versions, hints that install, and other software with a module of our name."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from memory_service.distribution import CLIENT, NAME
from scripts.install_demo import progress

ROOT = Path(__file__).parents[2]
OURS = ROOT / "clients/python/src/semantic_memory"
STRANGER = "semantic-memory"
SERVER = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIENT_PACKAGE = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]


def python(*arguments: str, path: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run it as from a shell, with these folders before what is installed."""
    environment = {"PYTHONPATH": ":".join(str(one) for one in [*path, ROOT])}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


def distribution(folder: Path, name: str, url: dict[str, Any] | None = None) -> None:
    """What pip leaves of a distribution that has the module."""
    info = folder / f"{name.replace('-', '_')}-9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9\n")
    (info / "RECORD").write_text(f"semantic_memory/__init__.py,,\n{info.name}/METADATA,,\n{info.name}/RECORD,,\n")
    if url is not None:
        (info / "direct_url.json").write_text(json.dumps(url))


def module(folder: Path, source: str) -> None:
    (folder / "semantic_memory").mkdir(parents=True)
    (folder / "semantic_memory/__init__.py").write_text(source)


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("source", ["", "import a_module_that_is_not_there", "raise ValueError('no API key')"])
def test_another_distribution_with_the_module_is_named_in_one_line(tmp_path: Path, source: str) -> None:
    module(tmp_path, source)
    distribution(tmp_path, STRANGER)
    line = only_line(python("-m", "memory_service", "--version", path=[tmp_path]))
    assert line.startswith(f"error: {STRANGER}, which is not part of this software, has a module semantic_memory too:")
    assert f"-m pip uninstall --yes {STRANGER} && " in line


def test_a_module_that_was_overwritten_is_named_in_one_line(tmp_path: Path) -> None:
    module(tmp_path, "")
    for part in OURS.iterdir():
        if part.name != "__init__.py":
            (tmp_path / "semantic_memory" / part.name).symlink_to(part)
    distribution(tmp_path, STRANGER)
    assert STRANGER in only_line(python("-m", "memory_service", "--version", path=[tmp_path]))


def test_a_module_of_no_distribution_is_named_by_its_path(tmp_path: Path) -> None:
    module(tmp_path, "")
    line = only_line(python("-m", "memory_service", "--version", path=[tmp_path]))
    assert f"the module semantic_memory at {tmp_path}/semantic_memory/__init__.py is not this software's" in line


def test_an_import_that_fails_for_another_reason_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("import a_module_that_is_not_there")
    done = python("-m", "memory_service", "--version", path=[tmp_path, OURS.parent])
    assert "a_module_that_is_not_there" in done.stderr
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("others", "state", "told"),
    [
        ([], "ok", "version "),
        ([STRANGER], "wrong", f"{STRANGER}, which is not part"),
        ([CLIENT], "ok", "version "),
        ([NAME, CLIENT], "risk", f"{CLIENT} is installed beside {NAME}"),
    ],
)
def test_doctor_looks_at_who_owns_the_module(tmp_path: Path, others: list[str], state: str, told: str) -> None:
    for other in others:
        distribution(tmp_path, other)
    first = (
        "import asyncio; from memory_service.doctor.checks import run_checks\n"
        "from memory_service.settings import Settings\n"
        "one = asyncio.run(anext(run_checks(Settings()))); print(one.state, one.summary)"
    )
    done = python("-c", first, path=[OURS.parent, tmp_path])
    assert done.stdout.startswith(f"{state} {told}"), done.stderr


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ({"url": "file://{}/a%20wheel.whl", "archive_info": {}}, ["{}/a wheel.whl[mcp]"]),
        ({"url": "file://{}/checkout", "dir_info": {}}, ["{}/checkout[mcp]"]),
        ({"url": "file://{}/checkout", "dir_info": {"editable": True}}, ["--editable", "{}/checkout[mcp]"]),
        ({"url": "file://{}/gone.whl", "archive_info": {}}, [".[mcp]"]),
        (None, [".[mcp]"]),
    ],
)
def test_a_hint_installs_from_where_pip_has_it(
    tmp_path: Path, url: dict[str, Any] | None, arguments: list[str]
) -> None:
    (tmp_path / "a wheel.whl").touch()
    (tmp_path / "checkout").mkdir()
    distribution(tmp_path, NAME, url and url | {"url": url["url"].format(tmp_path)})
    code = "from memory_service.distribution import install_command; print(install_command(extra='mcp'))"
    words = shlex.split(python("-c", code, path=[tmp_path]).stdout)
    wanted = [sys.executable, "-m", "pip", "install", *(one.format(tmp_path) for one in arguments)]
    assert words[: len(wanted)] == wanted
    assert words[len(wanted) :] == (
        []
        if url and "gone" not in url["url"]
        else shlex.split("in its checkout, or with the path of its wheel for the dot")
    )


def test_the_version_is_the_project_s() -> None:
    done = python("-m", "memory_service", "--version", path=[OURS.parent])
    assert done.stdout == f"memory-service {SERVER['version']}\n"


OLD = (
    "import sys, runpy; sys.version_info = (3, 10, 4, 'final', 0); sys.version = '3.10.4 (main)'; "
    "runpy.run_module('memory_service', run_name='__main__')"
)


def test_an_old_python_gets_one_line_with_the_version_to_install() -> None:
    line = only_line(python("-c", OLD, path=[OURS.parent]))
    assert line == f"error: memory-service needs Python 3.11 or newer; {sys.executable} is 3.10.4"


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


def test_the_demo_s_installation_reports_each_package_and_the_total() -> None:
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
        "Unpacking 3 packages …",
        "Downloaded 17 MB. Next: install this checkout and start the demo.",
    ]


def test_the_demo_installs_the_versions_that_are_tested_and_no_tools_of_development() -> None:
    demo, development = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))
        for name in ("demo", "development")
    )
    assert demo <= development
    assert not {one for one in demo if one.split("==")[0] in {"mypy", "ruff", "pytest", "matplotlib", "langgraph"}}


def test_the_server_contains_the_client_and_what_it_needs() -> None:
    assert SERVER["name"] == NAME
    assert CLIENT_PACKAGE["name"] == CLIENT
    named = {re.split(r"[^\w-]", one)[0] for one in SERVER["dependencies"]}
    assert {re.split(r"[^\w-]", one)[0] for one in CLIENT_PACKAGE["dependencies"]} <= named
    assert SERVER["version"] == CLIENT_PACKAGE["version"]
    extras = CLIENT_PACKAGE["optional-dependencies"]
    assert {name: SERVER["optional-dependencies"][name] for name in extras} == extras


def test_nothing_installs_ours_by_name() -> None:
    """No index has our packages: a name there is another's, or anyone's to take."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {name: ROOT / name for name in listed if name.endswith((".py", ".md", ".sh", ".toml", ".mk", "Makefile"))}
    by_name = re.compile(
        r"(pip|uv|npm|pnpm|yarn) (install|i|add|download)\b[^\n`]*[ '\"@]semantic[-_]memory(?![^\n ]*\.(whl|tgz))"
    )
    found = [name for name, path in texts.items() if path.is_file() and by_name.search(path.read_text())]
    assert [name for name in found if name != "tests/unit/test_distribution.py"] == []


def test_every_import_of_the_contract_is_in_protos_or_third_party() -> None:
    folders, left, seen = (ROOT / "protos", ROOT / "third_party"), sorted((ROOT / "protos").rglob("*.proto")), set()
    while left:
        for name in re.findall(r'^import "(.+)";', left.pop().read_text(), re.MULTILINE):
            if name not in seen and not name.startswith("google/protobuf/"):  # Every compiler brings those.
                seen.add(name)
                left.append(next(folder / name for folder in folders if (folder / name).is_file()))
    assert "buf/validate/validate.proto" in seen


def test_no_lock_file_has_a_download_address() -> None:
    lock = json.loads((ROOT / "clients/typescript/package-lock.json").read_text())
    assert [name for name, one in lock["packages"].items() if name and "integrity" not in one] == []
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text()
        assert not [line for line in path.read_text().splitlines() if line.startswith("--")], (
            "an option, such as an index"
        )

"""Package names and versions, install hints, and conflicts with other packages."""

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

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CLIENT_SOURCE = ROOT / "clients/python/src/semantic_memory"
OTHER_PACKAGE = "semantic-memory"
SERVER = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CLIENT_PACKAGE = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]


def python(*arguments: str, path: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run Python with these directories before the installed packages."""
    environment = {"PYTHONPATH": ":".join(str(one) for one in [*path, ROOT])}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False)


def distribution(folder: Path, name: str, url: dict[str, Any] | None = None) -> None:
    """Write the metadata of an installed package that has the module."""
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
def test_another_package_with_the_module_is_named_in_one_line(tmp_path: Path, source: str) -> None:
    module(tmp_path, source)
    distribution(tmp_path, OTHER_PACKAGE)
    line = only_line(python("-m", "memory_service", "--version", path=[tmp_path]))
    assert line.startswith(
        f"error: {OTHER_PACKAGE}, which is not part of this software, has a module semantic_memory too:"
    )
    assert f"-m pip uninstall --yes {OTHER_PACKAGE} && " in line


def test_a_package_that_overwrote_the_module_is_named_in_one_line(tmp_path: Path) -> None:
    module(tmp_path, "")
    for part in CLIENT_SOURCE.iterdir():
        if part.name != "__init__.py":
            (tmp_path / "semantic_memory" / part.name).symlink_to(part)
    distribution(tmp_path, OTHER_PACKAGE)
    assert OTHER_PACKAGE in only_line(python("-m", "memory_service", "--version", path=[tmp_path]))


def test_a_module_of_no_package_is_named_by_its_path(tmp_path: Path) -> None:
    module(tmp_path, "")
    line = only_line(python("-m", "memory_service", "--version", path=[tmp_path]))
    assert f"the module semantic_memory at {tmp_path}/semantic_memory/__init__.py is not this software's" in line


def test_another_import_error_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("import a_module_that_is_not_there")
    done = python("-m", "memory_service", "--version", path=[tmp_path, CLIENT_SOURCE.parent])
    assert "a_module_that_is_not_there" in done.stderr
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("others", "state", "text"),
    [
        ([], "ok", "version "),
        ([OTHER_PACKAGE], "wrong", f"{OTHER_PACKAGE}, which is not part"),
        ([CLIENT], "ok", "version "),
        ([NAME, CLIENT], "risk", f"{CLIENT} is installed next to {NAME}"),
    ],
)
def test_doctor_checks_which_package_has_the_module(tmp_path: Path, others: list[str], state: str, text: str) -> None:
    for other in others:
        distribution(tmp_path, other)
    first = (
        "import asyncio; from memory_service.doctor.checks import run_checks\n"
        "from memory_service.settings import Settings\n"
        "one = asyncio.run(anext(run_checks(Settings()))); print(one.state, one.summary)"
    )
    done = python("-c", first, path=[CLIENT_SOURCE.parent, tmp_path])
    assert done.stdout.startswith(f"{state} {text}"), done.stderr


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
def test_an_install_hint_names_the_source_of_the_installation(
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
        else shlex.split("in its checkout, or with the path of its wheel instead of the dot")
    )


def test_the_version_is_that_of_the_project() -> None:
    done = python("-m", "memory_service", "--version", path=[CLIENT_SOURCE.parent])
    assert done.stdout == f"memory-service {SERVER['version']}\n"


OLD = (
    "import sys, runpy; sys.version_info = (3, 10, 4, 'final', 0); sys.version = '3.10.4 (main)'; "
    "runpy.run_module('memory_service', run_name='__main__')"
)


def test_an_old_python_gets_one_line_with_the_version_to_install() -> None:
    line = only_line(python("-c", OLD, path=[CLIENT_SOURCE.parent]))
    assert line == f"error: memory-service needs Python 3.11 or newer; {sys.executable} is 3.10.4"


def test_the_server_contains_the_client_and_its_dependencies() -> None:
    assert SERVER["name"] == NAME
    assert CLIENT_PACKAGE["name"] == CLIENT
    named = {re.split(r"[^\w-]", one)[0] for one in SERVER["dependencies"]}
    assert {re.split(r"[^\w-]", one)[0] for one in CLIENT_PACKAGE["dependencies"]} <= named
    assert SERVER["version"] == CLIENT_PACKAGE["version"]
    extras = CLIENT_PACKAGE["optional-dependencies"]
    assert {name: SERVER["optional-dependencies"][name] for name in extras} == extras


def test_no_file_installs_these_packages_by_name() -> None:
    """Our packages are on no index, so their names there belong to others."""
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

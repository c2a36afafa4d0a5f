"""Runs Helm's library: `template`, `lint` and the notes of an installation, without the program, which takes minutes to
compile.

The library is the native part of helm-java, which `make .venv-deploy/installed` downloads. Its lint takes no values, so
`lint` copies the chart and merges the values into the chart's defaults.
"""

import argparse
import ctypes
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

FOLDER = Path(__file__).parents[1] / ".venv-deploy/helm"


class Result(ctypes.Structure):
    """What a function of the library returns: its output, or an error."""

    _fields_ = [(name, ctypes.c_char_p) for name in ("out", "err", "stdout", "stderr")]


class TemplateOptions(ctypes.Structure):
    """The options of `helm template`, as `helm-linux-amd64.h` in the library's archive declares them."""

    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("name", "version", "chart", "namespace", "kube_version")),
        *((name, ctypes.c_int) for name in ("dependency_update", "skip_crds")),
        *((name, ctypes.c_char_p) for name in ("values", "set_files", "values_files", "cert", "key", "ca")),
        *((name, ctypes.c_int) for name in ("insecure_skip_tls_verify", "plain_http")),
        ("keyring", ctypes.c_char_p),
        ("debug", ctypes.c_int),
        ("repository_config", ctypes.c_char_p),
    ]


class InstallOptions(ctypes.Structure):
    """The options of `helm install`."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("generate_name", ctypes.c_int),
        *((name, ctypes.c_char_p) for name in ("name_template", "version", "chart", "namespace", "kube_version")),
        *((name, ctypes.c_int) for name in ("atomic", "create_namespace")),
        ("description", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in ("devel", "dependency_update", "disable_open_api_validation", "dry_run")),
        ("dry_run_option", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in ("skip_crds", "wait", "timeout")),
        *((name, ctypes.c_char_p) for name in ("values", "set_files", "values_files", "kube_config")),
        *((name, ctypes.c_char_p) for name in ("kube_config_contents", "cert", "key", "ca")),
        *((name, ctypes.c_int) for name in ("insecure_skip_tls_verify", "plain_http")),
        ("keyring", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in ("debug", "client_only")),
        ("repository_config", ctypes.c_char_p),
    ]


class LintOptions(ctypes.Structure):
    """The options of `helm lint`."""

    _fields_ = [("path", ctypes.c_char_p), ("strict", ctypes.c_int), ("quiet", ctypes.c_int)]


def call(function: str, options: ctypes.Structure) -> str:
    """Call a function of the library, and return its output.

    Raises:
        SystemExit: The library returned an error.
    """
    [library] = FOLDER.iterdir()
    of_library = ctypes.CDLL(str(library))[function]
    of_library.restype = Result
    result = of_library(ctypes.byref(options))
    if result.err:
        raise SystemExit(f"Error: {result.err.decode()}")
    return (result.out or b"").decode()


def merged(defaults: Any, values: Any) -> Any:
    """Merge values into defaults as Helm does: objects by key, everything else replaced."""
    if not isinstance(defaults, dict) or not isinstance(values, dict):
        return values
    return defaults | {key: merged(defaults.get(key), value) for key, value in values.items()}


def template(arguments: argparse.Namespace) -> str:
    """Render the chart."""
    with common_options(arguments) as options:
        return call("Template", TemplateOptions(**options))


def notes(arguments: argparse.Namespace) -> str:
    """Return what an installation would print, without a cluster."""
    with common_options(arguments) as options:
        printed = call("Install", InstallOptions(**options, dry_run=1, dry_run_option=b"client", client_only=1))
    return printed.partition("NOTES:\n")[2]


@contextmanager
def common_options(arguments: argparse.Namespace) -> Iterator[dict[str, bytes]]:
    """The options that rendering and installing share. Values from standard input are in a file meanwhile."""
    pairs = (pair.partition("=") for pair in arguments.set)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as from_stdin:
        if "-" in arguments.values:
            from_stdin.write(sys.stdin.read())
            from_stdin.flush()
        files = [from_stdin.name if one == "-" else one for one in arguments.values]
        options = {
            "name": arguments.release,
            "chart": arguments.chart,
            "namespace": arguments.namespace,
            "kube_version": arguments.kube_version,
            "values": "&".join(f"{key}={quote(value)}" for key, _, value in pairs),
            "values_files": ",".join(files),
        }
        yield {name: value.encode() for name, value in options.items()}


def lint(arguments: argparse.Namespace) -> str:
    """Check the chart with these values; a warning is an error."""
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / Path(arguments.chart).name
        shutil.copytree(arguments.chart, chart)
        values = yaml.safe_load((chart / "values.yaml").read_text())
        for file in arguments.values:
            values = merged(values, yaml.safe_load(Path(file).read_text()))
        (chart / "values.yaml").write_text(yaml.safe_dump(values))
        report = call("Lint", LintOptions(path=str(chart).encode(), strict=1, quiet=1))
        if "Failed: true" in report:
            raise SystemExit(report)
        return ""


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for run in (template, notes):
        command = commands.add_parser(run.__name__)
        command.add_argument("release")
        command.add_argument("chart")
        command.add_argument("--namespace", default="default")
        command.add_argument("--kube-version", default="")
        command.add_argument("--values", action="append", default=[])
        command.add_argument("--set", action="extend", default=[], type=lambda given: given.split(","))
        command.set_defaults(run=run)
    of_lint = commands.add_parser("lint")
    of_lint.add_argument("chart")
    of_lint.add_argument("--values", action="append", default=[])
    of_lint.set_defaults(run=lint)
    arguments = parser.parse_args()
    sys.stdout.write(arguments.run(arguments))


if __name__ == "__main__":
    main()

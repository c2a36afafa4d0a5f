"""Walk over a real Kubernetes with the chart: make calls all the time, change the release, count failed calls.

Run by `make try-cluster` on the network of the node (node_up.sh). Prints a table, and exits with status 1 if a client
of this project had a failed call that the event does not explain, or if a check failed.

    walk.py [PART_OF_AN_EVENT'S_NAME …]    # only these events
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from scripts.cluster.alerts import Prometheus
from scripts.cluster.clients import ALL, DEADLINE, PRODUCTS, Call, Clients, calls_between, delete_old_calls, summary
from scripts.cluster.documented import Documented
from scripts.cluster.events import EVENTS, Event
from scripts.cluster.kube import NAMESPACE, CommandFailed, kubectl, service_pods
from scripts.cluster.release import FOLDER, install, install_valkey, operate, prepare_folder, try_trials
from scripts.cluster.state import Walk

_QUIET = 10.0
"""Seconds between events. Failures in this time count as those of the event before."""
_AFTER_OUTAGE = 5.0
_OUTAGE_REASONS = {"ENGINE_UNAVAILABLE", ""}
"""Without a reason where no server is ready: the client then reports the failure without a call."""
_SECONDS = 3 * 3600.0
"""More than the walk takes: it stops the clients at its end."""
_EXPECTED_ALERTS = {"SemanticMemoryNotReady", "SemanticMemoryFailing"}


class Report:
    """The problems of the walk, and the rows of its table."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.rows: list[str] = []

    def check(self, name: str, action: Callable[[], list[str]]) -> None:
        """Run a check. It returns its problems, or raises an error."""
        began = time.monotonic()
        try:
            found = action()
        except (CommandFailed, TimeoutError, LookupError, ValueError, OSError) as error:
            found = [str(error) if isinstance(error, CommandFailed) else repr(error)]
        print(f"{'FAILED' if found else 'ok'} {name} ({time.monotonic() - began:.0f} s)", flush=True)
        for one in found:
            print(f"    {one}".replace("\n", "\n    "), flush=True)
        self.problems += [f"{name}: {one}" for one in found]


def main() -> int:
    """Walk. Return the exit status."""
    report, runbook = Report(), Documented.read()
    chosen = [one for one in EVENTS if not sys.argv[1:] or any(part in one.name for part in sys.argv[1:])]
    delete_old_calls()
    prepare_folder()
    install_valkey()
    if not sys.argv[1:]:
        report.check("commands of the trial", lambda: try_trials(runbook))
    installed = install(runbook)
    documented = [runbook.inline("kubectl -n semantic-memory exec"), *runbook.section("### Words")]
    for command in [*installed.commands, *documented]:
        report.check(command, partial(_operate, command, installed.operator_key))
    # The walk goes on where a documented command failed.
    _operate(
        f"memory-service --ca ca.crt ensure-index --address semantic-memory.{NAMESPACE}:50051", installed.operator_key
    )
    prometheus = Prometheus()
    walk = Walk(runbook, installed.key, installed.tests_key, Clients(installed.key, generation=0), _SECONDS)
    walk.clients.start(FOLDER / "ca.crt", _SECONDS)
    try:
        time.sleep(15)
        walk.counted_until = time.time()
        for event in chosen:
            _happen(event, walk, report)
        report.check("Prometheus", lambda: _prometheus(prometheus, all_events=len(chosen) == len(EVENTS)))
        report.check("all commands of the runbook ran", lambda: runbook.left_out() if not sys.argv[1:] else [])
    finally:
        walk.clients.stop()
        prometheus.close()
    _print(report, walk)
    return 1 if report.problems else 0


def _happen(event: Event, walk: Walk, report: Report) -> None:
    walk.outage = (float("inf"), float("inf"))
    report.check(event.name, lambda: event.run(walk))
    time.sleep(_QUIET)
    begin, walk.counted_until = walk.counted_until, time.time()
    time.sleep(0.5)  # A client writes a call just after its end.
    calls = calls_between(begin, walk.counted_until)
    row = f"| {event.name} | {' | '.join(summary(calls, name) for name in ALL)} |"
    report.rows.append(row)
    print(row, flush=True)
    report.check(f"calls during: {event.name}", lambda: [*_unexplained(calls, walk.outage), *_missing(walk)])


def _unexplained(calls: list[Call], outage: tuple[float, float]) -> list[str]:
    """Return the failures of this project's clients, but those that an outage of Valkey explains."""
    groups: Counter[str] = Counter()
    for call in calls:
        if call.failed and call.client in PRODUCTS and not _explained(call, *outage):
            late = " (ended when Valkey was available again)" if call.end > outage[1] + _AFTER_OUTAGE else ""
            groups[f"{call.client}: {call.code} {call.reason}: {call.message[:160]}{late}"] += 1
    return [f"{count} × {group}" for group, count in sorted(groups.items())]


def _explained(call: Call, unavailable_at: float, available_at: float) -> bool:
    """Return whether a call failed as it should while Valkey is unavailable: it says so, or was retried to its end."""
    if call.at < unavailable_at - 1 or call.end > available_at + _AFTER_OUTAGE:
        return False
    if call.code == "DEADLINE_EXCEEDED":
        return call.seconds > DEADLINE - 0.5
    return call.code == "UNAVAILABLE" and call.reason in _OUTAGE_REASONS


def _missing(walk: Walk) -> list[str]:
    return [f"the client {name} has ended" for name in walk.clients.ended()]


def _prometheus(prometheus: Prometheus, *, all_events: bool) -> list[str]:
    problems = [f"the rule {name} is not healthy" for name in prometheus.unhealthy_rules()]
    expected = {f"{pod.ip}:9464" for pod in service_pods()}
    if not expected <= set(prometheus.targets()):
        problems.append(f"Prometheus scrapes {prometheus.targets()}, not all of {expected}")
    fired = prometheus.fired()
    problems += [f"{name} fired" for name in sorted(fired - _EXPECTED_ALERTS)]
    if all_events and "SemanticMemoryNotReady" not in fired:
        problems.append("SemanticMemoryNotReady did not fire while Valkey was unavailable")
    print(f"    alerts that fired: {', '.join(sorted(fired)) or 'none'}")
    return problems


def _operate(command: str, key: str) -> list[str]:
    operate(command, ADMIN_KEY=key, OPERATOR_KEY=key, MEMORY_TOKEN=key)
    return []


def _print(report: Report, walk: Walk) -> None:
    print(f"\nFailed calls / calls / longest call:\n\n| event | {' | '.join(ALL)} |")
    print(f"| --- |{' --- |' * len(ALL)}")
    print("\n".join([*report.rows, "", *walk.notes, "", *(f"FAILED {one}" for one in report.problems)]))
    print("failed" if report.problems else "all passed")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (CommandFailed, subprocess.SubprocessError) as error:
        sys.exit(f"error: {error}\n{kubectl('get pods --all-namespaces', namespace='default')}")

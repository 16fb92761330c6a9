"""Many hosts: `exec` and `status` beside Paramiko by hand and beside other tools, on slow hosts, and with a silent one.

CPU is that of the client, with all that it starts. "Each further host" is the CPU on N hosts less that on one,
through N - 1: the start of the program, which is measured elsewhere, is no part of it.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from orchestrator.model.cluster import Cluster, Role
from orchestrator.model.inventory.parse import load
from orchestrator.model.ssh_target import host_port
from orchestrator.plan import docker
from orchestrator.plan.actions.adhoc import plan_exec
from orchestrator.plan.facts.host import Depth
from orchestrator.remote.ssh.login_shell import login_line

from . import rivals, terminal
from .farm import ONE_SESSION, Farm, farm
from .measure import BenchError, Run, Way, cpu, peak, side_by_side, timed, wall
from .row import Row

SIZES = {50: 9, 200: 7}
"""How many hosts, and how often each way is measured on them."""
FEW, MANY = SIZES
SLOW = 3
"""Seconds that `docker ps` takes on slow hosts."""
CONNECT_TIMEOUT = 3
PATIENCE = 60
"""Seconds; what takes longer on many hosts is measured on few alone."""

RATIO = 1.15
CPU_MS = 12.0
PEAK_MB = 150.0
MB = 1_000_000

EXEC, STATUS = "exec", "status"
BARE, LINE, LOOK = (f"paramiko by hand{what}" for what in ("", ", the same line", ", the same look"))
ANSWER = re.compile(r"id-of-h(\d+)\b")
Say = Callable[[str], None]
Runs = Mapping[str, Sequence[Run]]


def rows(say: Say) -> list[Row]:
    """Needs root, and up to eight minutes."""
    with farm() as made:
        say("exec and status on one host")
        one = side_by_side(_ways(made, 1), SIZES[FEW])
        return [
            *(row for count in SIZES for row in _size(made, count, one, say)),
            *_on_other_accounts(made, say),
            *_on_slow_hosts(made, say),
            *_with_a_silent_host(made, say),
            *_rivals(made, say),
        ]


def _ways(made: Farm, count: int) -> dict[str, Way]:
    """Ours and the floor, by name."""
    return _ours(made, count) | {
        BARE: _answered(made, rivals.floor(made, _commands(made, count, "plain", {})), count),
        LINE: _answered(
            made, rivals.floor(made, _commands(made, count, "lines", _lines(made, count))), count
        ),
        LOOK: _answered(
            made, rivals.floor(made, _commands(made, count, "looks", _looks(made, count))), count
        ),
    }


def _ours(made: Farm, count: int, *options: str) -> dict[str, Way]:
    inventory = made.cluster(count)
    healthy = f" is healthy: .* lists {count} of {count} hosts"
    ps = raycluster("exec", "--on-host", "-i", inventory, *options, "--", "docker", "ps")
    return {
        EXEC: _answered(made, ps, count),
        STATUS: says(made, raycluster("status", inventory, *options), healthy),
    }


def raycluster(*words: str | Path) -> rivals.Argv:
    return [sys.executable, "-m", "orchestrator", *words]


def _answered(made: Farm, argv: rivals.Argv, count: int) -> Way:
    """Runs it, and demands that each host has answered."""

    def way() -> Run:
        run, said = timed(made.command(argv))
        missing = {*range(1, count + 1)} - {int(number) for number in ANSWER.findall(said)}
        if missing:
            raise BenchError(
                f"{argv[0]}: no answer from h{', h'.join(map(str, sorted(missing)))}\n{said[-2000:]}"
            )
        return run

    return way


def says(made: Farm, argv: rivals.Argv, pattern: str, good: int = 0) -> Way:
    def way() -> Run:
        run, said = timed(made.command(argv), good=(good,))
        if not re.search(pattern, said):
            raise BenchError(f"{argv[0]} does not say {pattern!r}\n{said[-2000:]}")
        return run

    return way


def _commands(made: Farm, count: int, name: str, instead: Mapping[str, str]) -> Path:
    """The file with each address's command: `docker ps`, or another."""
    file = made.home / f"{name}{count}.json"
    file.write_text(json.dumps(dict.fromkeys(made.addresses(count), "docker ps") | dict(instead)))
    return file


def _lines(made: Farm, count: int) -> dict[str, str]:
    """By address, what `exec` runs there, so that Ctrl-C can end it."""
    cluster = _loaded(made, count)
    jobs = plan_exec(cluster, cluster.nodes, ("docker", "ps"), "bench", on_host=True, stdin=False)
    return {
        node.ip or "": login_line(job.command, to_the_end=True)
        for node, job in zip(cluster.nodes, jobs, strict=True)
    }


def _looks(made: Farm, count: int) -> dict[str, str]:
    """By address, what `status` runs there."""
    cluster = _loaded(made, count)
    gcs = {Role.HEAD: host_port(cluster.head.ip or "", cluster.ray.port)}
    return {
        node.ip or "": login_line(
            docker.observe(cluster, node, gcs.get(node.role, ""), Depth.RAY), to_the_end=False
        )
        for node in cluster.nodes
    }


def _loaded(made: Farm, count: int) -> Cluster:
    cluster = load(str(made.cluster(count)))
    if not isinstance(cluster, Cluster):
        raise BenchError(f"the inventory is not right: {cluster}")
    return cluster


def _size(made: Farm, count: int, one: Runs, say: Say) -> list[Row]:
    say(f"exec and status on {count} hosts")
    runs = side_by_side(_ways(made, count), SIZES[count])
    return [
        ratio(EXEC, BARE, count, runs, RATIO),
        ratio(STATUS, LOOK, count, runs, RATIO),
        ratio(EXEC, LINE, count, runs, None),
        ratio(STATUS, BARE, count, runs, None),
        *(_further(way, count, runs[way], one[way], CPU_MS) for way in (EXEC, STATUS)),
        *(_further(way, count, runs[way], one[way], None) for way in (BARE, LINE, LOOK)),
        *(_in_all(way, count, runs[way]) for way in (EXEC, STATUS)),
        *(_peak(way, count, runs[way]) for way in (EXEC, STATUS) if count == MANY),
    ]


def ratio(way: str, beside: str, count: int, runs: Runs, limit: float | None) -> Row:
    ours, theirs = wall(runs[way]), wall(runs[beside])
    note = f"{ours:.2f} s to {theirs:.2f} s"
    return Row(f"{way}, {count} hosts", beside, ours / theirs, limit=limit, note=note)


def _further(way: str, count: int, many: Sequence[Run], one: Sequence[Run], limit: float | None) -> Row:
    each = (cpu(many) - cpu(one)) / (count - 1) * 1000
    note = f"{cpu(many):.2f} s on {count}, {cpu(one):.2f} s on one"
    return Row(f"{way}, {count} hosts", "CPU of each further host", each, "ms", limit, note=note)


def _in_all(way: str, count: int, runs: Sequence[Run]) -> Row:
    note = "the start of the program included"
    return Row(f"{way}, {count} hosts", "CPU in all, by host", cpu(runs) / count * 1000, "ms", note=note)


def _peak(way: str, count: int, runs: Sequence[Run]) -> Row:
    return Row(f"{way}, {count} hosts", "memory at its peak", peak(runs) / MB, "MB", PEAK_MB)


def _on_other_accounts(made: Farm, say: Say) -> list[Row]:
    say(f"status on {MANY} hosts that greet, and on {MANY} that allow one session on a connection")
    healthy = f" is healthy: .* lists {MANY} of {MANY} hosts"
    plain = says(made, raycluster("status", made.cluster(MANY)), healthy)

    def greeted() -> Run:
        with made.greeting():
            return plain()

    single = says(made, raycluster("status", made.cluster(MANY, port=ONE_SESSION)), healthy)
    greet, one_session = f"{STATUS} where hosts greet", f"{STATUS} where MaxSessions is 1"
    runs = side_by_side({STATUS: plain, greet: greeted, one_session: single}, SIZES[MANY])
    return [ratio(way, STATUS, MANY, runs, RATIO) for way in (greet, one_session)]


def _on_slow_hosts(made: Farm, say: Say) -> list[Row]:
    say(f"exec and status on {FEW} hosts whose Docker takes {SLOW} s")
    everyone = ("-j", str(FEW))
    with made.slow(SLOW):
        one = side_by_side(_ours(made, 1), 3)
        runs = side_by_side(_ours(made, FEW, *everyone), 3)
    slow = {way: f"{way} where Docker takes {SLOW} s" for way in runs}
    cpus = [_further(slow[way], FEW, runs[way], one[way], CPU_MS) for way in runs]
    return [*cpus, *(_wall(slow[way], FEW, runs[way], f"-j {FEW}") for way in runs)]


def _wall(way: str, count: int, runs: Sequence[Run], note: str = "") -> Row:
    return Row(f"{way}, {count} hosts", "by the clock", wall(runs), "s", note=note)


def _with_a_silent_host(made: Farm, say: Say) -> list[Row]:
    say(f"status on {FEW} hosts of which one is silent")
    inventory = made.cluster(FEW, silent=True)
    status = raycluster("status", inventory)
    runs = side_by_side({STATUS: says(made, status, f"lists {FEW - 1} of {FEW} hosts", good=3)}, 3)[STATUS]
    beyond = wall(runs) - CONNECT_TIMEOUT
    others, given_up = terminal.marks(made.command(["env", "TERM=xterm-256color", *status]), FEW - 1)
    what = f"{STATUS}, {FEW} hosts, the last one silent"
    seen = f"the others at {others:.1f} s, the silent one at {given_up:.1f} s"
    note = f"{wall(runs):.2f} s, the start of the program included"
    return [
        Row(what, f"beyond its connect_timeout of {CONNECT_TIMEOUT} s", beyond, "s", 1.0, note=note),
        Row(
            what,
            "others marked on a terminal before it is",
            given_up - others,
            "s",
            1.0,
            more=True,
            note=seen,
        ),
    ]


def _rivals(made: Farm, say: Say) -> list[Row]:
    programs = rivals.installed(say)
    say(f"other tools on {FEW} hosts, and on one")
    few = side_by_side(_others(made, FEW, programs), 2)
    single = {name: [way()] for name, way in _others(made, 1, programs).items()}
    bearable = {name for name, runs in few.items() if wall(runs) * MANY / FEW < PATIENCE}
    say(f"other tools on {MANY} hosts, once: {', '.join(sorted(bearable))}")
    many = {name: [way()] for name, way in _others(made, MANY, programs).items() if name in bearable}
    said = {rivals.UNCHECKED: "host keys are not checked"}
    return [
        *(_wall(name, FEW, runs, said.get(name, "")) for name, runs in few.items()),
        *(_further(name, FEW, runs, single[name], None) for name, runs in few.items()),
        *(_wall(name, MANY, runs, "one run") for name, runs in many.items()),
        *(_further(name, MANY, runs, single[name], None) for name, runs in many.items()),
    ]


def _others(made: Farm, count: int, programs: Path | None) -> dict[str, Way]:
    argvs = rivals.rivals(made, count, _commands(made, count, "plain", {}), programs)
    return {name: _answered(made, argv, count) for name, argv in argvs.items()}

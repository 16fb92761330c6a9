"""How soon the tool is there: its help and its completion beside the framework they are made with."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.measure import BenchError, Run, Way, side_by_side, timed, wall
from tests.bench.row import Row

ROUNDS = 15
HOSTS = 200
LIMIT = 1.3
OF_MANY = f"completion of a host, of {HOSTS}"
FLOOR = "python -c 'import typer'"
FORBIDDEN = (
    "fabric",
    "invoke",
    "paramiko",
    "cryptography",
    "orchestrator.remote",
    "orchestrator.plan.docker",
)
"""What only a connection, or a container, needs."""

ROOT = Path(__file__).parents[2]
MAIN = "from orchestrator.cli.app import main; main()"
TOLD = f"import sys\ntry:\n    {MAIN}\nfinally:\n    print('modules:', *sys.modules)"
LIMITED = {
    "--help": (("--help",), "Turn a YAML list"),
    "up --help": (("up", "--help"), "Start the cluster"),
}
COMPLETED = {
    "completion of a command": ("raycluster u", "up"),
    "completion of an option": ("raycluster up --", "--jobs"),
}


def rows(say: Callable[[str], None]) -> list[Row]:
    """Needs nothing but this machine, and a minute."""
    with _place() as (inventory, env):
        say(f"start: {ROUNDS} rounds")
        runs = side_by_side(_ways(inventory, env), ROUNDS)
        limits = dict.fromkeys((*LIMITED, *COMPLETED, OF_MANY), LIMIT)
        return [
            *(
                _row(name, those, runs[FLOOR], limits.get(name))
                for name, those in runs.items()
                if name != FLOOR
            ),
            *(
                Row(f"modules for SSH or containers: {' '.join(words)}", "none", found, "", 0)
                for words, found in (
                    (("--version",), len(forbidden(("--version",), env))),
                    (("config", "check"), len(forbidden(("config", "check", str(inventory)), env))),
                )
            ),
        ]


def forbidden(words: Sequence[str], env: Mapping[str, str] | None = None) -> set[str]:
    """The modules that the command imports though it needs none of them."""
    _, said = timed([sys.executable, "-c", TOLD, *words], env)
    names = said.rpartition("modules: ")[2].split()
    if "orchestrator.cli.app" not in names:
        raise BenchError(f"these are no modules: {said}")
    return {name for name in names if any(name == each or name.startswith(f"{each}.") for each in FORBIDDEN)}


@contextmanager
def _place() -> Iterator[tuple[Path, dict[str, str]]]:
    """An inventory of 200 hosts, and an environment in which compiled modules are kept, as they are once installed."""
    with TemporaryDirectory() as folder:
        inventory = Path(folder, "inventory.yaml")
        inventory.write_text(_inventory())
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        yield inventory, kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}


def _inventory() -> str:
    hosts = [f"{{name: h{n}, host: 198.18.0.{n}, ip: 198.18.0.{n}}}" for n in range(1, HOSTS + 1)]
    workers = "".join(f"  - {host}\n" for host in hosts[1:])
    return f"cluster: bench\nimage: vllm/vllm-openai\nhead: {hosts[0]}\nworkers:\n{workers}"


def _ways(inventory: Path, env: Mapping[str, str]) -> dict[str, Way]:
    return {
        FLOOR: _way(("import typer",), env, ""),
        **{name: _way((MAIN, *words), env, answer) for name, (words, answer) in LIMITED.items()},
        **{name: _completion(line, env, answer) for name, (line, answer) in COMPLETED.items()},
        OF_MANY: _completion(f"raycluster up {inventory} -l h19", env, "h199"),
        "--version": _way((MAIN, "--version"), env, "raycluster "),
        "config check, 200 hosts": _way((MAIN, "config", "check", str(inventory)), env, "and 199 workers"),
    }


def _completion(line: str, env: Mapping[str, str], answer: str) -> Way:
    """As bash asks: the cursor stands at the end of the line."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_RAYCLUSTER_COMPLETE": "complete_bash"}
    return _way((MAIN,), {**env, **asked}, answer)


def _way(words: Sequence[str], env: Mapping[str, str], answer: str) -> Way:
    def run() -> Run:
        took, said = timed([sys.executable, "-c", *words], env)
        if answer not in said:
            raise BenchError(f"{' '.join(words)} said: {said}")
        return took

    return run


def _row(name: str, runs: Sequence[Run], floor: Sequence[Run], limit: float | None) -> Row:
    note = f"{wall(runs) * 1000:.0f} ms against {wall(floor) * 1000:.0f} ms"
    return Row(name, FLOOR, wall(runs) / wall(floor), limit=limit, note=note)

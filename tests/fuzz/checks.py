"""What holds for any file: a cluster, or mistakes with positions, soon, and a cluster can be planned."""

import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import monotonic

from orchestrator.cli.output.plan_script import script
from orchestrator.cli.output.plan_text import show_plan
from orchestrator.model.cluster import Cluster
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import load
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.facts.offline import all_there, nothing_there
from orchestrator.plan.steps import Plan

SOON = 5.0
"""Seconds that no file may take."""


def check(file: Path, *, bash: bool) -> bool:
    """Looks at one file; whether it is an inventory. `bash` reads the scripts, too."""
    began = monotonic()
    found = load(str(file))
    assert monotonic() - began < SOON
    if isinstance(found, InventoryError):
        _check_mistakes(found, file)
        return False
    for plan in _plans(found):
        _check_plan(found, plan, bash=bash)
    return True


def _check_mistakes(found: InventoryError, file: Path) -> None:
    text = found.text()
    assert found.mistakes
    assert all(character.isprintable() or character in "\t\n" for character in text)
    assert all(line.startswith((f"{file}:", "There is more", " ")) for line in text.splitlines())
    for mistake in found.mistakes:
        assert mistake.message
        assert mistake.position.column >= 1 or mistake.position.line == 0


def _plans(cluster: Cluster) -> tuple[Plan, Plan]:
    sealed = Secrets(tuple(Secret(name, "x") for name in cluster.secrets), Secret("ray-token", "y"))
    return plan_up(cluster, nothing_there(cluster), sealed), plan_down(cluster, all_there(cluster))


def _check_plan(cluster: Cluster, plan: Plan, *, bash: bool) -> None:
    assert {step.host for step in plan} == {node.name for node in cluster.nodes}
    with redirect_stdout(StringIO()) as shown:
        show_plan(plan)
    text = script(cluster, plan)
    for written in (shown.getvalue(), text):
        assert all(character.isprintable() or character == "\n" for character in written)
    if bash:
        read = subprocess.run(["bash", "-n"], input=text.encode(), capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, b"")

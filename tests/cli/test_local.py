"""An inventory with `host: local`, as the program speaks of it: no word of SSH where there is none."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.host_keys import Known
from orchestrator.remote.ssh.known_hosts import HostKey
from tests.cli.conftest import INVENTORY, Raycluster
from tests.remote.fakes import FakeFleet

ON_THE_HEAD = INVENTORY.replace("host: gpu1", "host: local, name: gpu1")


@pytest.fixture
def on_the_head(folder: Path, hosts: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is where the program runs."""
    (folder / "inventory.yaml").write_text(ON_THE_HEAD)
    monkeypatch.setattr("orchestrator.remote.fleet.LocalTransport", lambda *_: hosts["gpu1"])


@pytest.mark.usefixtures("on_the_head")
def test_a_script_runs_its_lines_here_word_for_word_at_home(raycluster: Raycluster) -> None:
    script = raycluster("up", "--dry-run", "--offline", "-o", "sh").stdout
    functions = script.partition("wait_for()")[0]
    words = ["it's", "$HOME", "a  b", ""]
    shown = subprocess.run(
        ["bash", "-c", functions + 'on gpu1 printf "<%s>" "$@"; on gpu1 pwd', "bash", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"<it's><$HOME><a  b><>{Path.home()}\n"
    assert "gpu2) ssh -o BatchMode=yes " in functions


@pytest.mark.usefixtures("on_the_head")
def test_trust_is_for_the_other_hosts(raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def examine(host: str, _ssh: Ssh) -> Known:
        asked.append(host)
        return Known(host, HostKey("ssh-ed25519", "AAAA"))

    monkeypatch.setattr("orchestrator.remote.ssh.keyscan.examine", examine)
    trust = raycluster("trust")
    assert (trust.exit_code, trust.stdout) == (0, "the host keys of 1 host are known\n")
    assert asked == ["gpu2"]


@pytest.mark.usefixtures("on_the_head")
def test_there_is_nothing_to_trust_in_this_machine(raycluster: Raycluster) -> None:
    trust = raycluster("trust", "-l", "head")
    assert (trust.exit_code, trust.stdout) == (0, "nothing to trust: this machine is reached without SSH\n")

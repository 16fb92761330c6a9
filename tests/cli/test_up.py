"""`raycluster up`, as a person sees it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, asks_state, seen, sent
from tests.plan.recordings import ORDERLY, Said
from tests.remote.fakes import Answer, FakeFleet

CHANGING = ("docker run", "keep-token", "remove", "discard", "pull", "forget-token")


def changed(hosts: FakeFleet) -> list[str]:
    """The commands that were sent and could change a host."""
    return [
        each.command.line()
        for each in hosts.sent
        if set(CHANGING) & set(each.command.argv) or "run" in each.command.argv
    ]


def test_success_is_the_answer_and_everything_else_goes_to_standard_error(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    up = raycluster("up")
    assert up.exit_code == 0, up.stderr
    assert up.stdout.startswith("cluster demo is up: Ray 2.56.0 lists all 2 hosts, 16 GPUs (")
    assert "\n  raycluster serve MODEL\n" in up.stdout
    assert "gpu1, gpu2: no container yet" in up.stderr
    assert "gpu2: start its container: ok" in up.stderr
    assert "start its container" not in up.stdout
    assert hosts.closed == {"gpu1", "gpu2"}


def test_a_worker_that_fails_is_named_with_cause_remedy_and_log(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    hosts.on("gpu2", sent("run"), Output(125, "", "docker: could not select device driver"))
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (1, "")
    assert "✗ cluster demo is not complete: 1 of 2 hosts failed" in up.stderr
    assert (
        "  gpu2  start its container: docker: could not select device driver (exit code 125)\n" in up.stderr
    )
    assert "→ install the NVIDIA container toolkit" in up.stderr
    (log,) = (folder / "state").rglob("*-up.log")
    assert f"log: {log}" in up.stderr
    assert log.stat().st_mode & 0o777 == 0o600
    assert "docker run --detach" in log.read_text()


def test_a_docker_run_that_ends_with_127_has_dockers_words_as_its_headline_and_no_advice_on_ray(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    words = 'docker: Error response from daemon: error gathering device information while adding custom device "/dev/x"'
    hosts.on(
        "gpu2", sent("run"), Output(127, "", f"{words}: no such file or directory.\nSee 'docker run --help'.")
    )
    up = raycluster("up")
    assert up.exit_code == 1
    assert f"  gpu2  start its container: {words}: no such file or directory (exit code 127)\n" in up.stderr
    assert "→ install the driver that the device is of there; or set `accelerator` (" in up.stderr
    assert "no Ray" not in up.stderr


@pytest.mark.parametrize("exit_code", [1, 125, 126, 127, 128, 137])
@pytest.mark.parametrize("script", ["keep-token", "run", "last-words"])
def test_no_remedy_is_given_on_an_exit_code_alone(
    hosts: FakeFleet, raycluster: Raycluster, script: str, exit_code: int
) -> None:
    hosts.on("gpu2", sent(script), Output(exit_code))
    if script == "last-words":
        ended = (
            f'{{"state": {{"Status": "exited", "ExitCode": {exit_code}, "OOMKilled": false}}, "restarts": 0}}'
        )
        hosts.on("gpu2", asks_state, Output(0, ended))
    up = raycluster("up")
    assert up.exit_code == 1
    assert "→" not in up.stderr.partition("✗")[2]


@pytest.mark.parametrize(
    ("script", "fix"),
    [
        (
            "run",
            "→ does Docker hang there? on gpu2: `docker ps`; if it does, on gpu2: `sudo systemctl restart",
        ),
        ("reach", "→ let gpu2 reach TCP"),
    ],
)
def test_a_command_that_did_not_end_in_time_is_told_by_what_it_was(
    hosts: FakeFleet, raycluster: Raycluster, script: str, fix: str
) -> None:
    hosts.on("gpu2", sent(script), Output(124))
    assert fix in raycluster("up").stderr.partition("✗")[2]


def test_where_the_connection_is_lost_its_own_remedy_is_given_and_not_that_of_what_was_asked(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    lost = Failure(FailureKind.UNREACHABLE, "gpu2:22 does not answer any more", fix="is the host still up?")
    hosts.on("gpu2", sent("reach"), lost)
    up = raycluster("up")
    assert "gpu2:22 does not answer any more\n      → is the host still up?\n" in up.stderr
    assert "let gpu2 reach" not in up.stderr


def test_a_device_that_a_host_lacks_is_named_before_anything_starts(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    machine = Said(f"{ORDERLY['machine'].text}missing /dev/kfd /dev/dri\n")
    hosts.on("gpu1", sent("observe"), seen("10.0.0.1", **{**ORDERLY, "machine": machine}))
    inventory = folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("accelerator: none", "accelerator: amd"))
    up = raycluster("up")
    assert up.exit_code == 1
    told = "`accelerator` is amd, and there is no /dev/kfd, /dev/dri on it"
    assert f"  gpu1  {told}\n      → install its driver there, or set `accelerator`" in up.stderr
    assert changed(hosts) == []


def test_identical_failures_are_said_once(hosts: FakeFleet, raycluster: Raycluster) -> None:
    for name in ("gpu1", "gpu2"):
        hosts.on(name, sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer", fix="plug it in"))
    up = raycluster("up")
    assert up.exit_code == 1
    assert "  gpu1, gpu2  does not answer\n      → plug it in\nNothing was started." in up.stderr


def test_a_head_that_fails_starts_nothing_else_and_leaves_nothing_behind(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ended = '{"state": {"Status": "exited", "ExitCode": 127, "OOMKilled": false}, "restarts": 0}'
    hosts.on("gpu1", sent("listening"), Output(1, ended))
    hosts.on("gpu1", sent("last-words"), Output(0, "ray: not found\nray: not found\n"))
    up = raycluster("up")
    assert up.exit_code == 1
    assert (
        "its container ended with exit code 127\n      | ray: not found (2 times)\n"
        "      → stock vLLM images lost Ray after v0.17.1. Put it in: inventory.yaml:4: under `ray`, add `install: "
        in up.stderr
    )
    assert "Nothing was done on gpu2." in up.stderr
    assert [line for line in changed(hosts) if "docker run" in line and "gpu2" in line] == []
    assert any("discard" in line for line in hosts.lines("gpu1"))


def test_what_the_first_look_has_found_wrong_is_told_before_the_others_are_waited_for(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.on("gpu2", sent("observe"), seen("10.0.0.7"))
    up = raycluster("up")
    assert up.exit_code == 1
    early, _, late = up.stderr.partition("Start the head\n")
    assert "✗ gpu2: ip 10.0.0.2 is on no interface of this host, which has 10.0.0.7 (eth0)" in early
    assert "gpu2  ip 10.0.0.2 is on no interface of this host, which has 10.0.0.7 (eth0)\n      → " in late


def test_what_a_host_says_cannot_steer_the_terminal(hosts: FakeFleet, raycluster: Raycluster) -> None:
    hosts.on("gpu2", sent("run"), Output(1, "", "\x1b]0;owned\x07\x1b[2Jbad"))
    up = raycluster("up")
    assert "\x1b" not in up.stderr
    assert "\\x1b]0;owned\\x07\\x1b[2Jbad" in up.stderr


def test_a_dry_run_looks_and_changes_nothing(hosts: FakeFleet, raycluster: Raycluster) -> None:
    shown = raycluster("up", "--dry-run")
    assert shown.exit_code == 0
    assert "docker run --detach --name raycluster-demo-gpu1" in shown.stdout
    assert shown.stdout.endswith("Nothing was changed.\n")
    assert changed(hosts) == []


@pytest.mark.usefixtures("hosts")
def test_offline_contacts_nobody(hosts: FakeFleet, raycluster: Raycluster) -> None:
    assert raycluster("up", "--dry-run", "--offline").exit_code == 0
    assert hosts.sent == []


def test_offline_alone_is_a_contradiction(hosts: FakeFleet, raycluster: Raycluster) -> None:
    up = raycluster("up", "--offline")
    assert (up.exit_code, hosts.sent) == (2, [])
    assert "goes with --dry-run" in up.stderr


def test_the_script_is_bash_and_holds_no_secret(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [HF_TOKEN]\n")
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    script = raycluster("up", "-o", "sh")
    assert script.exit_code == 0
    assert subprocess.run(["bash", "-n"], input=script.stdout, text=True, check=False).returncode == 0
    assert "hf_very_secret" not in script.stdout
    assert 'printf %s HF_TOKEN= "$HF_TOKEN" ' in script.stdout
    assert changed(hosts) == []


def test_a_secret_is_shown_nowhere_even_when_the_container_says_it(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [HF_TOKEN]\n")
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    hosts.on("gpu2", sent("run"), Output(1, "", "bad token hf_very_secret"))
    up = raycluster("up", "-vv")
    (log,) = (folder / "state").rglob("*.log")
    assert "bad token <HF_TOKEN>" in up.stderr
    assert "hf_very_secret" not in up.stdout + up.stderr + log.read_text()


def test_a_secret_that_is_not_set_is_asked_for_before_anything_happens(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [NOBODY_SET_THIS]\n")
    up = raycluster("up")
    assert (up.exit_code, hosts.sent) == (2, [])
    assert "NOBODY_SET_THIS not set in this shell's environment" in up.stderr


def test_ctrl_c_removes_what_was_started_and_ends_with_130(hosts: FakeFleet, raycluster: Raycluster) -> None:
    def interrupted(_command: Command, cancel: object) -> Answer:
        os.kill(os.getpid(), signal.SIGINT)
        assert cancel.wait(20)  # type: ignore[attr-defined]
        return Failure(FailureKind.CANCELLED, "interrupted")

    hosts.on("gpu1", sent("listening"), interrupted)
    up = raycluster("up")
    assert (up.exit_code, up.stdout) == (130, "")
    assert "  gpu1  wait for its GCS on port 6379: interrupted\n" in up.stderr
    assert "      |" not in up.stderr
    assert not [each for each in hosts.sent if each.command.script == "last-words"]
    assert any("discard" in line for line in hosts.lines("gpu1"))
    assert "What this run had started was removed again." in up.stderr


TRACE = """\
  File "/usr/lib/python3/dist-packages/click/core.py", line 1130, in __call__
    return self.main(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3/dist-packages/ray/scripts/scripts.py", line 939, in start
    node = ray._private.node.Node(
ConnectionError: Ray is not at 10.0.0.1:6379
    (a line of its own that is set back)
"""


def test_of_a_traceback_only_what_went_wrong_is_shown_and_the_log_has_all_of_it(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    hosts.on("gpu1", sent("run"), Output(125, stderr="no such image"))
    hosts.on("gpu1", sent("last-words"), Output(0, f"before it\nTraceback (most recent call last):\n{TRACE}"))
    up = raycluster("up")
    quoted = [line[8:] for line in up.stderr.splitlines() if line.startswith("      | ")]
    assert quoted == [
        *("no such image", "before it", "ConnectionError: Ray is not at 10.0.0.1:6379"),
        "    (a line of its own that is set back)",
    ]
    (log,) = (folder / "state").rglob("*.log")
    assert 'core.py", line 1130, in __call__' in log.read_text()


def test_words_that_are_nothing_but_a_traceback_s_middle_are_shown_as_they_are(
    hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.on("gpu1", sent("run"), Output(125, stderr=TRACE.partition("ConnectionError")[0].rstrip()))
    assert "core.py" in raycluster("up").stderr


def test_limit_that_matches_nobody_is_usage(hosts: FakeFleet, raycluster: Raycluster) -> None:
    up = raycluster("up", "-l", "gpu9")
    assert (up.exit_code, hosts.sent) == (2, [])
    assert 'no host matches "gpu9"' in up.stderr

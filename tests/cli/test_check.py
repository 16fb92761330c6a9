"""`raycluster check` as a person and as a program meet it."""

import json
import os
import signal
from pathlib import Path
from threading import Event

import pytest

from orchestrator.plan.command import Command
from orchestrator.plan.lock import TAKEN
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.recordings import links_told, trial_line
from tests.remote.fakes import Answer, FakeFleet, held

from .conftest import HEAD_LINKS, INVENTORY, Raycluster, script, sent
from .serving import MODEL, has_model

GOOD = """\
✓ docker     all hosts  Engine 27.3.1, x86_64
✓ address    all hosts  ip on eth0
✓ network    gpu1  1 worker reaches it
✓ network    gpu1  Ray's ports between the hosts: 6379,10002:19999,32768:60999
               → on each host whose firewall is closed: sudo iptables -I INPUT -p tcp -s 10.0.0.1,10.0.0.2\
 -m multiport --dports 6379,10002:19999,32768:60999 -j ACCEPT
✓ network    gpu2  the head reaches it
✓ ports      gpu1  port 6379 free
✓ image      all hosts  vllm/vllm-openai:v0.17.1 is there (one)
✓ ray        all hosts  Ray 2.56.0, Python 3.12.3
✓ memory     all hosts  /dev/shm has 10.0 GiB
✓ disk       all hosts  /var/lib/docker has room
✓ hf_home    all hosts  /data/hf has room
cluster demo: 0 failures, 0 warnings on 2 hosts
Next: raycluster up
"""


@pytest.mark.usefixtures("good")
def test_hosts_in_good_order_are_told_by_topic_and_the_same_of_all_is_said_once(
    raycluster: Raycluster,
) -> None:
    check = raycluster("check")
    assert (check.exit_code, check.stdout, check.stderr) == (0, GOOD, "")


def test_nothing_is_changed_while_nobody_else_may_work_on_the_cluster(
    good: FakeFleet, raycluster: Raycluster
) -> None:
    raycluster("check")
    scripts = {each.command.script for each in good.sent}
    assert scripts == {"hold-lock", "observe", "inspect", "trial", "python", ""}
    assert good.sent[0].command.script == "hold-lock"
    assert {each.command.argv for each in good.sent if not each.command.script} == {("date", "+%s.%N")}
    assert good.closed == {"gpu1", "gpu2"}


def test_a_cluster_that_another_run_works_on_is_not_checked_meanwhile(
    good: FakeFleet, raycluster: Raycluster
) -> None:
    good.streams("gpu1", sent("hold-lock"), "7", "1000", "ben@desk", "up", "1065", Output(TAKEN))
    check = raycluster("check")
    assert (check.exit_code, check.stdout) == (4, "")
    assert "ben@desk has run `raycluster up` for 65 s" in check.stderr


def test_a_failure_is_told_with_its_last_words_and_a_line_that_mends_it(
    good: FakeFleet, raycluster: Raycluster
) -> None:
    words = "".join(f"line {number}\n" for number in range(1, 10))
    good.streams("gpu2", script("trial"), Output(125, stderr=f"docker: ray: not found\n{words}"))
    check = raycluster("check")
    assert check.exit_code == 3
    told = check.stdout[check.stdout.index("✗") :].splitlines()
    assert told[0] == "✗ image      gpu2  a container from it does not start: docker: ray: not found"
    assert told[1:6] == [f"               | line {number}" for number in range(5, 10)]
    assert told[6].startswith("               → stock vLLM images lost Ray after v0.17.1. ")
    assert check.stdout.endswith(
        "cluster demo: 1 failure, 0 warnings on 2 hosts\nOnce this is fixed: raycluster check\n"
    )


def test_within_a_topic_the_worst_stands_last(good: FakeFleet, raycluster: Raycluster) -> None:
    good.streams("gpu1", script("trial"), trial_line(python="3.11.9", ray="2.40.0"))
    marks = [line[0] for line in raycluster("check").stdout.splitlines() if " ray  " in line]
    assert marks == ["✓", "✓", "!", "✗"]


def test_a_warning_is_no_failure_and_one_line_of_several_hosts_counts_once(
    good: FakeFleet, raycluster: Raycluster
) -> None:
    few = trial_line(nofile=1024)
    good.streams("*", script("trial"), few)
    check = raycluster("check")
    assert check.exit_code == 0
    assert "! memory     all hosts  containers may open only 1024 files\n" in check.stdout
    assert check.stdout.endswith("cluster demo: 0 failures, 1 warning on 2 hosts\nNext: raycluster up\n")


def test_a_host_that_cannot_be_asked_is_a_failure_with_its_name_and_the_others_are_checked(
    good: FakeFleet, raycluster: Raycluster
) -> None:
    silent = Failure(FailureKind.UNREACHABLE, "10.0.0.2:22 refuses connections", fix="is sshd running?")
    good.on("gpu2", sent("observe"), silent)
    check = raycluster("check")
    assert check.exit_code == 3
    assert check.stdout.startswith(
        "✗ ssh        gpu2  10.0.0.2:22 refuses connections\n               → is sshd running?\n"
    )
    assert "✓ docker     gpu1  Engine 27.3.1, x86_64\n" in check.stdout


def test_a_closer_look_that_came_to_nothing_is_a_failure(good: FakeFleet, raycluster: Raycluster) -> None:
    good.on("gpu2", script("inspect"), Failure(FailureKind.TIMEOUT, "no answer within 150 s"))
    check = raycluster("check")
    assert check.exit_code == 3
    assert "✗ ssh        gpu2  the second look at it failed: no answer within 150 s\n" in check.stdout


def test_programs_are_told_every_finding_with_a_version(good: FakeFleet, raycluster: Raycluster) -> None:
    good.on("gpu2", sent("exec"), Output(0, links_told(*HEAD_LINKS, outcome="silent")))
    check = raycluster("check", "-o", "json")
    assert check.exit_code == 3
    answer = json.loads(check.stdout)
    assert (answer["version"], answer["cluster"]) == (2, "demo")
    (bad,) = (each for each in answer["findings"] if each["level"] == "failure")
    assert bad == {
        "host": "gpu1",
        "topic": "network",
        "level": "failure",
        "text": "gpu2 does not reach it at 10.0.0.1:19999: a firewall, for the host answers,"
        " but this port is dropped",
        "fix": "on gpu1: sudo iptables -I INPUT -p tcp -s 10.0.0.1,10.0.0.2"
        " -m multiport --dports 6379,10002:19999,32768:60999 -j ACCEPT",
        "detail": "",
    }
    assert {each["level"] for each in answer["findings"]} == {"ok", "failure"}


@pytest.mark.usefixtures("good")
def test_good_hosts_are_zero_for_programs_too(raycluster: Raycluster) -> None:
    check = raycluster("check", "-o", "json")
    assert (check.exit_code, check.stderr) == (0, "")


def interrupts(command: Command, cancel: Event) -> Answer:
    """Somebody presses Ctrl-C while this command runs."""
    os.kill(os.getpid(), signal.SIGINT)
    return held(command, cancel)


@pytest.mark.parametrize("name", ["observe", "date", "inspect", "exec"])
def test_ctrl_c_ends_it_in_good_order_without_a_judgement(
    good: FakeFleet, raycluster: Raycluster, name: str
) -> None:
    good.on("gpu2", lambda command: name in command.argv[:4], interrupts)
    check = raycluster("check")
    assert (check.exit_code, check.stdout) == (130, "")
    assert "interrupted: stopping in good order" in check.stderr
    assert good.closed == {"gpu1", "gpu2"}


def test_ctrl_c_while_a_container_starts(good: FakeFleet, raycluster: Raycluster) -> None:
    good.streams("gpu2", script("trial"), interrupts)
    check = raycluster("check")
    assert (check.exit_code, check.stdout) == (130, "")
    assert not any(each.command.script == "reach" for each in good.sent)


@pytest.mark.parametrize("words", [("-o", "sh"), ("nowhere.yaml",)])
def test_what_is_usage_contacts_nobody(
    words: tuple[str, ...], hosts: FakeFleet, raycluster: Raycluster
) -> None:
    assert (raycluster("check", *words).exit_code, hosts.sent) == (2, [])


def test_a_secret_that_is_not_set_here_is_a_failure_as_it_is_to_up(
    good: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    del good
    file = folder / "inventory.yaml"
    file.write_text(f"{file.read_text()}secrets: [NOBODY_SET_THIS]\n")
    check = raycluster("check")
    assert check.exit_code == 3
    assert "✗ secrets    gpu1  secrets: NOBODY_SET_THIS not set in this shell's environment" in check.stdout


def test_who_lacks_what_of_the_inventorys_model_is_found(
    good: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(f"{INVENTORY}serve: {{model: {MODEL}}}\n")
    has_model(good, "gpu1")
    has_model(good, "gpu2", "tokenizer.json")
    check = raycluster("check")
    assert check.exit_code == 0, check.stdout
    assert f"✓ model      gpu1  has {MODEL} main aaaaaaa, 0 kB\n" in check.stdout
    assert (
        f"! model      gpu2  tokenizer.json of {MODEL} is missing, and each host downloads that by itself\n"
        in check.stdout
    )
    assert f"→ `raycluster model copy --from gpu1 {MODEL}` brings it there\n" in check.stdout

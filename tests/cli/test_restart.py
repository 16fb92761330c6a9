"""`raycluster restart`, and the question before it and before `down`, as a person meets them."""

import pytest

from orchestrator.cli.run import prompt
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import Raycluster, only_looked, sent
from tests.remote.fakes import FakeFleet


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who sits before the terminal."""
    monkeypatch.setattr(prompt, "somebody_there", lambda: True)


@pytest.mark.usefixtures("cluster_stands")
def test_restart_ends_when_ray_lists_every_host(raycluster: Raycluster) -> None:
    restart = raycluster("restart")
    assert restart.exit_code == 0, restart.stderr
    assert restart.stdout.startswith("cluster demo is up: Ray 2.56.0 lists all 2 hosts, 16 GPUs")
    assert "new container" in restart.stderr


def test_a_head_that_does_not_stop_is_not_started_and_what_is_there_is_said(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on(
        "gpu1", sent("remove"), Output(1, "", "tried to kill container, but did not get an exit event")
    )
    restart = raycluster("restart")
    assert (restart.exit_code, restart.stdout) == (1, "")
    assert "✗ cluster demo is not up: its head failed" in restart.stderr
    assert "The old container is gone from gpu2." in restart.stderr
    assert not [each for each in cluster_stands.sent if "run" in each.command.argv]


def test_a_worker_that_cannot_be_asked_is_a_failure_by_name_and_the_others_are_restarted(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    cluster_stands.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "does not answer"))
    restart = raycluster("restart")
    assert (restart.exit_code, restart.stdout) == (1, "")
    assert "✗ cluster demo is not complete: 1 of 2 hosts failed\n  gpu2  does not answer\n" in restart.stderr
    assert [each.host for each in cluster_stands.sent if "run" in each.command.argv] == ["gpu1"]


@pytest.mark.usefixtures("cluster_stands")
def test_hosts_are_named_as_arguments_or_with_the_option_that_other_commands_have(
    raycluster: Raycluster,
) -> None:
    argument, option, both = (
        raycluster("restart", *words, "--dry-run").stdout
        for words in (("gpu2",), ("-l", "gpu2"), ("gpu*", "-l", "workers"))
    )
    assert argument == option == both
    assert "gpu1  cannot: is left out" in option


def test_a_host_that_is_not_in_the_inventory_is_a_mistake(hosts: FakeFleet, raycluster: Raycluster) -> None:
    restart = raycluster("restart", "gpu3")
    assert (restart.exit_code, hosts.sent) == (2, [])
    assert restart.stderr.startswith('HOST: no host matches "gpu3"; did you mean')


def test_a_dry_run_shows_both_halves_and_changes_nothing(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    shown = raycluster("restart", "--dry-run")
    assert shown.exit_code == 0
    assert shown.stdout.index("Stop the head") < shown.stdout.index("docker run --detach")
    assert shown.stdout.endswith("Nothing was changed.\n")
    assert only_looked(cluster_stands)


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    ("words", "question"),
    [
        ((), "Restart cluster demo: gpu1 (head), gpu2? Whatever runs on them ends. [y/N] "),
        (
            ("head",),
            "Restart cluster demo: gpu1 (head), gpu2? No worker outlives its head. Whatever runs on them ends. [y/N] ",
        ),
        (("gpu2",), "Restart gpu2 of cluster demo? Whatever runs on it ends. [y/N] "),
    ],
)
def test_on_a_terminal_restart_asks_and_names_whom_it_concerns(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str, ...], question: str
) -> None:
    refused = raycluster("restart", *words, stdin="n\n")
    assert (refused.exit_code, refused.stderr) == (1, f"{question}nothing was done\n")
    assert only_looked(hosts)


@pytest.mark.usefixtures("somebody")
def test_on_a_terminal_down_asks_and_names_where_containers_are(
    cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    refused = raycluster("down", stdin="\n")
    assert refused.exit_code == 1
    asked = "Take down cluster demo: its containers on gpu1 (head), gpu2? Whatever runs in them ends. [y/N] "
    assert refused.stderr == f"{asked}nothing was done\n"
    assert only_looked(cluster_stands)


@pytest.mark.usefixtures("somebody", "cluster_stands")
@pytest.mark.parametrize(("words", "stdin"), [(("down",), "y\n"), (("down", "-y"), "")])
def test_a_yes_beforehand_or_when_asked_takes_it_down(
    raycluster: Raycluster, words: tuple[str, ...], stdin: str
) -> None:
    assert "cluster demo is down" in raycluster(*words, stdin=stdin).stdout


@pytest.mark.usefixtures("somebody", "hosts")
def test_where_nothing_is_there_is_nothing_to_ask(raycluster: Raycluster) -> None:
    assert "is down already" in raycluster("down").stdout

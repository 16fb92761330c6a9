"""At which ports `check` tries hosts, and what a trial is given."""

import pytest

from orchestrator.model.cluster import Ports, Ray
from orchestrator.plan.facts.host import Listener
from tests.plan.checks.samples import folder, good, machine
from tests.plan.recordings import trial_line
from tests.plan.worlds import cluster, with_host
from tests.remote.checking import DEMO, Hosts


def test_a_port_at_which_nobody_listens_is_not_tried(hosts: Hosts) -> None:
    """It would refuse without any firewall."""
    hosts.trial("gpu2", trial_line(listens=[19999]))
    hosts.trial("gpu3", trial_line(listens=[]))
    hosts.examine()
    assert hosts.asked("gpu1") == ("10.0.0.2:19999",)


def test_a_host_with_nobody_to_try_sends_no_command(hosts: Hosts) -> None:
    hosts.trial("gpu1", trial_line(listens=[]))
    assert {link.source for link in hosts.examine().links} == {"gpu1"}
    assert hosts.sent("reach") == {"gpu1"}


@pytest.mark.parametrize(
    ("listener", "tried"),
    [
        (Listener("*", 6379, "gcs_server (pid 9)"), True),
        (Listener("10.0.0.1", 6379), True),
        (Listener("127.0.0.1", 6379), False),
        (Listener("*", 22), False),
    ],
)
def test_a_port_that_was_held_before_is_tried_where_it_can_answer(
    hosts: Hosts, listener: Listener, tried: bool
) -> None:
    hosts.trial("gpu1", trial_line(listens=[60999, 19999]))
    hosts.examine(facts=with_host(good(DEMO), "gpu1", listeners=(listener,)))
    assert ("10.0.0.1:6379" in hosts.asked("gpu2")) is tried


def test_where_listeners_cannot_be_told_the_trials_own_ports_are_tried(hosts: Hosts) -> None:
    hosts.examine(facts=with_host(good(DEMO), "gpu2", listeners=None))
    assert hosts.asked("gpu1")[:2] == ("10.0.0.2:60999", "10.0.0.2:19999")


def test_of_the_ports_that_ray_would_choose_the_trial_is_given_free_ones(hosts: Hosts) -> None:
    held = (Listener("*", 60999), Listener("*", 19999))
    hosts.examine(facts=with_host(good(DEMO), "gpu2", listeners=held))
    assert given(hosts, "gpu2") == ("60998", "19998")


def test_pinned_ports_are_tried_as_they_are(hosts: Hosts) -> None:
    for host in ("gpu1", "gpu2", "gpu3"):
        hosts.trial(host, trial_line(listens=[6379, 6380, 19999]))
    hosts.examine(cluster(ray=Ray(ports=Ports.PINNED)))
    assert given(hosts, "gpu1") == ("6379", "6380", "19999")
    assert given(hosts, "gpu2") == ("6380", "19999")
    assert hosts.asked("gpu2") == ("10.0.0.1:6379", "10.0.0.1:6380", "10.0.0.1:19999")


def given(hosts: Hosts, host: str) -> tuple[str, ...]:
    """The ports that a host's trial was given."""
    argv = next(
        each.command.argv for each in hosts.fake.sent if each.host == host and each.command.script == "trial"
    )
    return argv[argv.index("look") + 4 :]


@pytest.mark.parametrize("exists", [True, False])
def test_the_folder_for_models_is_mounted_only_where_it_is_for_docker_would_make_it(
    hosts: Hosts, exists: bool
) -> None:
    there = machine(hf_home=folder(path="/data/hf", exists=exists))
    hosts.examine(facts=with_host(good(DEMO), "gpu1", machine=there))
    (line,) = (line for line in hosts.fake.lines("gpu1") if "raycluster.trial" in line)
    assert ("-v /data/hf:/root/.cache/huggingface" in line) is exists

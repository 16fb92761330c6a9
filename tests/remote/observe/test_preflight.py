"""What `check` gathers beyond the first look, on hosts that are not there."""

import time
from dataclasses import replace
from threading import Barrier, Event, Timer

import pytest

from orchestrator.model.cluster import Cluster, Docker, Pull, Ray
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.probe import Link, Outcome, Trial
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.remedies import NOT_AUTHORIZED, docker_problem
from orchestrator.remote.execute.events import LookBegan
from orchestrator.remote.observe import preflight
from orchestrator.remote.timeouts import DEFAULT, Timeouts
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.plan.checks.samples import good
from tests.plan.recordings import INSPECTED, links_told, told, trial_line
from tests.plan.worlds import arguments, node, with_host
from tests.remote.checking import DEMO, HOSTS, Hosts, reaches, sent
from tests.remote.fakes import SOON, Answer

DENIED = "Error response from daemon: authorization denied by plugin opa: no exec"
GONE = Failure(FailureKind.UNREACHABLE, "does not answer any more", fix="is the host still up?")


def test_of_good_hosts_everything_is_learned(hosts: Hosts) -> None:
    found = hosts.examine()
    assert set(found.inspections) == set(found.clocks) == set(found.trials) == set(found.logins) == HOSTS
    assert all(isinstance(each, Trial) for each in found.trials.values())
    assert found.gaps == ()
    assert hosts.heard == [LookBegan(("gpu1", "gpu2", "gpu3"), "Test the image and the network", "testing")]


def test_the_head_tries_every_worker_and_each_worker_the_head(hosts: Hosts) -> None:
    found = hosts.examine()
    assert hosts.asked("gpu1") == ("10.0.0.2:60999", "10.0.0.2:19999", "10.0.0.3:60999", "10.0.0.3:19999")
    assert hosts.asked("gpu2") == hosts.asked("gpu3") == ("10.0.0.1:6379", "10.0.0.1:60999", "10.0.0.1:19999")
    assert Link("gpu2", "gpu1", "10.0.0.1:6379", Outcome.OPEN, alive=True) in found.links
    assert len(found.links) == 10


def test_all_trials_have_ended_when_it_is_over(hosts: Hosts) -> None:
    hosts.examine()
    assert hosts.ended == HOSTS


def test_hosts_are_looked_at_side_by_side(hosts: Hosts) -> None:
    together = Barrier(3)

    def meet(_command: Command, _cancel: Event) -> Answer:
        together.wait(SOON)  # breaks unless all three are here at once
        return Output(0, *told(INSPECTED))

    hosts.fake.on("*", sent("inspect"), meet)
    assert hosts.examine().gaps == ()


def test_trials_run_side_by_side(hosts: Hosts) -> None:
    one, two = Event(), Event()
    hosts.trial("gpu1", two, trial_line(), starts=one)
    hosts.trial("gpu2", one, trial_line(), starts=two)
    assert isinstance(hosts.examine().trials["gpu2"], Trial)


def test_no_link_is_tried_before_every_trial_has_told(hosts: Hosts) -> None:
    late = Event()
    hosts.trial("gpu3", late, trial_line())

    def tries(command: Command, cancel: Event) -> Answer:
        assert late.is_set()
        return reaches(command, cancel)

    hosts.fake.on("*", sent("reach"), tries)
    Timer(0.3, late.set).start()
    assert len(hosts.examine().links) == 10


def test_a_silent_host_is_sent_nothing(hosts: Hosts) -> None:
    found = hosts.examine(facts=good(DEMO) | {"gpu3": Unreachable("no route to host")})
    assert {each.host for each in hosts.fake.sent} == {"gpu1", "gpu2"}
    assert set(found.trials) == {"gpu1", "gpu2"}
    assert hosts.asked("gpu1") == ("10.0.0.2:60999", "10.0.0.2:19999")


@pytest.mark.parametrize(
    "changes",
    [{"image_id": ""}, {"addresses": ()}, {"docker": docker_problem(1, "no"), "image_id": ""}],
    ids=["image", "address", "docker"],
)
def test_a_host_that_has_no_image_or_no_address_is_inspected_and_has_no_trial(
    hosts: Hosts, changes: dict[str, object]
) -> None:
    found = hosts.examine(facts=with_host(good(DEMO), "gpu2", **changes))
    assert set(found.trials) == hosts.sent("trial") == {"gpu1", "gpu3"}
    assert "gpu2" in found.inspections


@pytest.mark.parametrize(
    ("end", "no_trial"),
    [
        (Output(125, stderr="unknown flag: --x\nSee help\n"), Problem("unknown flag: --x\nSee help")),
        (Output(126), Problem("exit code 126")),
        (GONE, Problem("does not answer any more")),
    ],
)
def test_a_container_that_does_not_start_is_none_and_the_others_go_on(
    hosts: Hosts, end: Answer, no_trial: Problem
) -> None:
    hosts.fake.streams("gpu2", sent("trial"), end)
    found = hosts.examine()
    assert found.trials["gpu2"] == no_trial
    assert (hosts.asked("gpu2"), hosts.ended) == ((), {"gpu1", "gpu3"})
    assert {link.target for link in found.links} == {"gpu1", "gpu3"}


def test_a_host_that_greets_whoever_logs_in_has_its_trial_all_the_same(hosts: Hosts) -> None:
    hosts.trial("gpu2", "Welcome to gpu2!", "", trial_line())
    hosts.fake.on("gpu2", sent("reach"), Output(0, f"Welcome!\n{links_told('10.0.0.1:6379')}"))
    found = hosts.examine()
    assert isinstance(found.trials["gpu2"], Trial)
    assert [link.address for link in found.links if link.source == "gpu2"] == ["10.0.0.1:6379"]


def test_a_host_that_greets_and_then_fails_is_told_with_the_failure(hosts: Hosts) -> None:
    hosts.fake.streams("gpu2", sent("trial"), "Welcome to gpu2!", Output(125, stderr="no such image"))
    assert hosts.examine().trials["gpu2"] == Problem("no such image")


def test_a_trial_that_says_nothing_is_given_up_while_the_others_still_listen(hosts: Hosts) -> None:
    hosts.fake.timeouts = Timeouts(trial_start=0.3)
    hosts.trial("gpu2")
    hosts.fake.on("gpu2", sent("end-trial"), Output(0))
    found = hosts.examine()
    assert found.trials["gpu2"] == Problem("it says nothing for 0 s")
    assert hosts.sent("end-trial") == {"gpu2"}
    assert {link.target for link in found.links} == {"gpu1", "gpu3"}
    assert hosts.ended == HOSTS


def test_a_trial_outlasts_the_slowest_and_what_is_tried_then() -> None:
    assert preflight.trial_seconds(DEFAULT) > DEFAULT.trial_start + DEFAULT.check_tcp


def test_a_cancel_while_trials_start_ends_them_all(hosts: Hosts) -> None:
    hosts.trial("gpu2", starts=hosts.cancel)  # it never tells
    hosts.examine()
    assert hosts.ended == HOSTS
    assert not hosts.sent("reach")


def test_after_a_cancel_no_container_is_started_any_more(hosts: Hosts) -> None:
    hosts.cancel.set()
    found = hosts.examine()
    assert (dict(found.inspections), dict(found.trials), found.links) == ({}, {}, ())
    assert hosts.fake.sent == []


def test_trials_end_even_where_a_link_ends_the_program(hosts: Hosts) -> None:
    def breaks(_command: Command, _cancel: Event) -> Answer:
        raise RuntimeError("a fault of ours")

    hosts.fake.on("gpu2", sent("reach"), breaks)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        hosts.examine()
    assert hosts.ended == HOSTS


@pytest.mark.parametrize(
    ("end", "why", "fix"),
    [
        (GONE, "does not answer any more", "is the host still up?"),
        (Output(1, stderr="No such container\n"), "No such container", ""),
        (Output(137), "exit code 137", ""),
        (Output(1, stderr=DENIED), DENIED, NOT_AUTHORIZED),
    ],
)
def test_connections_that_could_not_be_tried_are_a_gap(hosts: Hosts, end: Answer, why: str, fix: str) -> None:
    hosts.fake.on("gpu2", sent("reach"), end)
    found = hosts.examine()
    assert found.gaps == (HostProblem("gpu2", Problem(f"trying connections from it failed: {why}", fix)),)
    assert "gpu2" not in {link.source for link in found.links}
    assert hosts.ended == HOSTS


@pytest.mark.parametrize(
    ("end", "why", "fix"),
    [(GONE, "does not answer any more", "is the host still up?"), (Output(127, stderr="sh: x"), "sh: x", "")],
)
def test_a_closer_look_that_failed_is_a_gap(hosts: Hosts, end: Answer, why: str, fix: str) -> None:
    hosts.fake.on("gpu2", sent("inspect"), end)
    found = hosts.examine()
    assert found.gaps == (HostProblem("gpu2", Problem(f"the second look at it failed: {why}", fix)),)
    assert set(found.inspections) == {"gpu1", "gpu3"}


def test_a_clock_is_known_within_what_the_answer_took(hosts: Hosts) -> None:
    hosts.fake.on("gpu2", sent("date"), lambda _command, _cancel: Output(0, f"{time.time() + 90}\n"))
    hosts.fake.on("gpu3", sent("date"), Output(1))
    clocks = hosts.examine().clocks
    assert set(clocks) == {"gpu1", "gpu2"}
    least, most = clocks["gpu2"]
    assert 90 - SOON < least <= 90 <= most < 90 + SOON


@pytest.mark.parametrize(
    ("of", "changes", "asked"),
    [
        (DEMO, {"image_id": ""}, True),
        (DEMO, {}, False),
        (DEMO, {"image_id": "", "docker": docker_problem(1, "no")}, False),
        (replace(DEMO, ray=Ray(install="ray==2.56.0")), {"image_id": ""}, False),
        (replace(DEMO, head=node(1, docker=Docker(pull=Pull.NEVER))), {"image_id": ""}, False),
    ],
    ids=["absent", "there", "no-docker", "derived", "never"],
)
def test_the_registry_is_asked_where_up_would_pull(
    hosts: Hosts, of: Cluster, changes: dict[str, object], asked: bool
) -> None:
    hosts.examine(of, with_host(good(of), "gpu1", **changes))
    inspects = (each for each in hosts.fake.sent if each.host == "gpu1" and each.command.script == "inspect")
    assert arguments(next(inspects).command)["ask_registry"] == ("yes" if asked else "")

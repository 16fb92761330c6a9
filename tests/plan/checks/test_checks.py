"""All findings together, their order, and what of them `up` heeds."""

from dataclasses import replace

import pytest

from orchestrator.cli.output.check_report import TOPICS
from orchestrator.model.cluster import Cluster, Docker, Model, Pull, Rdma
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.checks import (
    Evidence,
    Level,
    check_model,
    check_network,
    check_secrets,
    obstacles,
    quick,
    thorough,
)
from orchestrator.plan.facts.host import Address, Listener, Unreachable
from orchestrator.plan.facts.models import ModelCache
from orchestrator.plan.facts.network_test import Rank
from orchestrator.plan.problem import HostProblem, Problem, quoted
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.typed import ours
from tests.plan.checks.samples import brief, good, hardware, inspection, link, neighbour, trial
from tests.plan.worlds import SEALED, cluster, container, node, standing, with_container, with_host

DEMO = cluster()
EVERYWHERE = ("gpu1", "gpu2", "gpu3")


def clocks(**ahead: tuple[float, float]) -> list[tuple[str, str, str, str]]:
    return brief(thorough(DEMO, good(DEMO), Evidence(clocks=ahead)))


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ((0.0, 0.1), (5.0, 5.2), None),  # it may be 4.9 s alone
        ((0.0, 0.1), (5.2, 5.4), "its clock is 5 s ahead of gpu1's"),
        ((-0.1, 0.0), (-90.1, -90.0), "its clock is 90 s behind gpu1's"),
        ((100.0, 101.0), (95.0, 95.9), None),
        ((100.0, 101.0), (93.0, 94.9), "its clock is 5 s behind gpu1's"),
        ((100.0, 101.0), (100.5, 300.0), None),  # a slow answer tells little
        ((100.0, 101.0), (99.0, 300.0), None),
        ((1e6, 1e6 + 1), (1e6, 1e6 + 1), None),  # it is ours that is off
    ],
)
def test_clocks_are_compared_by_what_they_are_apart_at_least(
    first: tuple[float, float], second: tuple[float, float], told: str | None
) -> None:
    wanted = [("gpu2", "warning", told, "sudo timedatectl set-ntp true")] if told else []
    assert clocks(gpu1=first, gpu2=second) == wanted


def test_without_evidence_the_quick_findings_are_all() -> None:
    found = thorough(DEMO, good(DEMO), Evidence())
    assert sorted(found, key=str) == sorted(quick(DEMO, good(DEMO)), key=str)


def test_a_login_that_is_not_safe_is_warned_of() -> None:
    found = thorough(DEMO, good(DEMO), Evidence(login_warnings={"gpu1": "any host key is taken", "gpu2": ""}))
    (warned,) = [each for each in found if each.topic == "ssh"]
    assert (warned.host, warned.level, warned.text) == ("gpu1", Level.WARNING, "any host key is taken")
    assert "UserKnownHostsFile" in warned.fix


def test_logins_are_told_where_there_was_one() -> None:
    found = thorough(DEMO, good(DEMO), Evidence(logins={"gpu1": "ana@10.0.0.1:22, key id", "gpu2": ""}))
    assert [(each.host, each.text) for each in found if each.topic == "ssh"] == [
        ("gpu1", "ana@10.0.0.1:22, key id")
    ]


def test_what_could_not_be_learned_is_a_failure_of_that_host() -> None:
    gaps = (
        HostProblem("gpu2", quoted("the second look at it failed: ", "timed out\nafter 9 s")),
        HostProblem("gpu3", Problem("x failed: y", "plug it in")),
    )
    again = f"{ours('check', '-v')} again, once the host is at rest"
    assert brief(thorough(DEMO, good(DEMO), Evidence(gaps=gaps))) == [
        ("gpu2", "failure", "the second look at it failed: timed out", again),
        ("gpu3", "failure", "x failed: y", "plug it in"),
    ]


def everything() -> Evidence:
    """Evidence of each kind on all hosts."""
    return Evidence(
        logins=dict.fromkeys(EVERYWHERE, "ana@there"),
        inspections=dict.fromkeys(EVERYWHERE, inspection(neighbours=(neighbour(),))),
        clocks={"gpu1": (0, 1), "gpu2": (50, 51), "gpu3": (0, 1)},
        trials={"gpu1": trial(nofile=1024, gpus=()), "gpu2": Problem("no"), "gpu3": trial(memlock=1)},
        links=(link("gpu1", "gpu3"),),
        gaps=(HostProblem("gpu1", Problem("x failed: y")),),
    )


def test_findings_stand_in_the_order_of_the_inventorys_hosts() -> None:
    hosts = [each.host for each in thorough(DEMO, good(DEMO), everything())]
    assert set(hosts) == set(EVERYWHERE)
    assert hosts == sorted(hosts)


def test_every_topic_is_one_that_people_are_shown_and_every_one_of_these_there_is() -> None:
    here, there = replace(DEMO.workers[0], host="local"), DEMO.workers[1]
    of = replace(DEMO, head=node(1, rdma=Rdma.OFF), workers=(here, there))
    facts = with_host(good(of), "gpu1", infiniband=True) | {"gpu2": Unreachable("gone", "plug it in")}
    deep = check_network(of, facts, {"gpu1": Rank(no_torch="no"), "gpu2": Rank(ended="no"), "gpu3": Rank()})
    model = check_model(replace(of, serve=(Model("org/tiny"),)), {"gpu1": ModelCache("", 0, 0, ())})
    found = (*check_secrets(of, ["unset"]), *thorough(of, facts, everything()), *deep, *model)
    assert {each.topic for each in found} == set(TOPICS)


def test_evidence_of_a_host_that_is_silent_by_now_is_left_alone() -> None:
    facts = good(DEMO) | {"gpu2": Unreachable("gone", "plug it in")}
    seen = Evidence(inspections={"gpu2": hardware()}, trials={"gpu2": trial()})
    assert brief(thorough(DEMO, facts, seen)) == [("gpu2", "failure", "gone", "plug it in")]


NEVER = cluster(workers=1, head=node(1, docker=Docker(pull=Pull.NEVER)))
RDMA = cluster(workers=1, head=node(1, rdma=Rdma.ON))
TWO = cluster(workers=1)
BOTH = (
    Address("eth0", "10.0.0.1", 0, "02:00:00:00:00:01"),
    Address("eth0", "10.0.0.2", 0, "02:00:00:00:00:01"),
)


@pytest.mark.parametrize(
    ("of", "changes"),
    [
        (TWO, {"listeners": (Listener("*", 6379, "redis (pid 7)"),)}),
        (TWO, {"docker": (container(TWO, TWO.head, cluster="other"),)}),
        (TWO, {"docker": docker_problem(1, "sudo: a terminal is required\nsudo: a password is required")}),
        (TWO, {"addresses": ()}),
        (TWO, {"addresses": BOTH}),
        (NEVER, {"image_id": ""}),
        (RDMA, {"infiniband": False}),
    ],
    ids=["port", "name", "docker", "address", "clash", "image", "rdma"],
)  # fmt: skip
def test_what_check_calls_a_failure_up_refuses_in_the_same_words(
    of: Cluster, changes: dict[str, object]
) -> None:
    facts = with_host(good(of), "gpu1", **changes)
    failures = [each for each in quick(of, facts) if each.level is Level.FAILURE]
    said = {HostProblem(each.host, Problem(each.text, each.fix, each.detail)) for each in failures}
    plan = plan_up(of, facts, SEALED)
    assert "gpu1" in {refusal.host for refusal in plan.refusals}
    assert set(plan.refusals) == said


def test_a_silent_host_is_refused_with_what_was_said_meanwhile() -> None:
    silent = Unreachable("no key is accepted", "ssh-copy-id gpu2", "tried: id_rsa")
    plan = plan_up(DEMO, good(DEMO) | {"gpu2": silent}, SEALED)
    assert plan.refusals == (
        HostProblem("gpu2", Problem("no key is accepted", "ssh-copy-id gpu2", "tried: id_rsa")),
    )


def test_of_several_obstacles_on_a_host_the_first_is_told() -> None:
    of = cluster(workers=0, head=node(1, docker=Docker(pull=Pull.NEVER)))
    facts = with_host(good(of), "gpu1", image_id="", listeners=(Listener("*", 6379),))
    assert obstacles(quick(of, facts))["gpu1"].topic == "image"
    assert [refusal.problem.text for refusal in plan_up(of, facts, SEALED).refusals] == [
        "image vllm/vllm-openai:v0.17.1 is not on this host, and `docker.pull` is never"
    ]


def test_a_warning_is_no_obstacle() -> None:
    facts = with_host(good(DEMO), "gpu2", listeners=None)
    assert obstacles(quick(DEMO, facts)) == {}
    assert plan_up(DEMO, facts, SEALED).refusals == ()


def test_up_warns_of_those_hosts_alone_that_get_a_container() -> None:
    facts = with_container(standing(DEMO), "gpu2", running=False, status="exited")
    told = "which ports are in use is not known"
    assert {each.host for each in quick(DEMO, facts) if each.text == told} == {"gpu1", "gpu2", "gpu3"}
    assert plan_up(DEMO, facts, SEALED).warnings == (
        HostProblem("gpu2", Problem(told, "install iproute2 there")),
    )


def test_an_obstacle_to_a_new_container_is_none_to_one_that_stands() -> None:
    facts = with_host(standing(RDMA), "gpu1", infiniband=False)
    plan = plan_up(RDMA, facts, SEALED)
    assert set(obstacles(quick(RDMA, facts))) == {"gpu1"}
    assert (plan.refusals, plan.phases) == ((), ())


def test_what_fails_on_this_machine_is_no_matter_of_ssh() -> None:
    of = replace(DEMO, head=replace(DEMO.head, host="local"))
    silent = good(of) | {"gpu1": Unreachable("no answer within 90 s")}
    gaps = Evidence(gaps=tuple(HostProblem(host, Problem("x failed: y")) for host in ("gpu1", "gpu2")))
    assert {each.topic for each in thorough(of, silent, Evidence()) if each.host == "gpu1"} == {"host"}
    found = {each.host: each.topic for each in thorough(of, good(of), gaps) if "failed" in each.text}
    assert found == {"gpu1": "host", "gpu2": "ssh"}

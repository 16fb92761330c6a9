"""What came of connections between hosts, and the firewall's rule."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Ports, Ray
from orchestrator.plan.checks.firewall import check_connections, firewall_rule
from orchestrator.plan.facts.probe import Link, Outcome
from orchestrator.plan.typed import ours, there
from tests.plan.checks.samples import brief, fine, link
from tests.plan.worlds import cluster, node

DEMO = cluster()
IPS = {"gpu1": "10.0.0.1", "gpu2": "10.0.0.2", "gpu3": "10.0.0.3"}
RULE = (
    "sudo iptables -I INPUT -p tcp -s 10.0.0.1,10.0.0.2,10.0.0.3"
    " -m multiport --dports 6379,10002:19999,32768:60999 -j ACCEPT"
)


def test_where_all_reach_each_other_it_is_told_of_each_and_the_rule_is_shown() -> None:
    links = (link("gpu1", "gpu2"), link("gpu1", "gpu3"), link("gpu2", "gpu1"), link("gpu3", "gpu1"))
    found = list(check_connections(DEMO, IPS, links))
    assert brief(found) == []
    assert fine(found) == [
        ("gpu2", "network", "the head reaches it"),
        ("gpu3", "network", "the head reaches it"),
        ("gpu1", "network", "2 workers reach it"),
        ("gpu1", "network", "Ray's ports between the hosts: 6379,10002:19999,32768:60999"),
    ]
    assert found[-1].fix == f"on each host whose firewall is closed: {RULE}"


def test_where_nothing_was_tried_nothing_is_told() -> None:
    assert list(check_connections(DEMO, IPS, ())) == []


@pytest.mark.parametrize(
    ("outcome", "what"),
    [(Outcome.REFUSED, "refused"), (Outcome.SILENT, "dropped"), (Outcome.UNREACHABLE, "rejected")],
)
def test_a_host_that_answers_elsewhere_stands_behind_a_firewall(outcome: Outcome, what: str) -> None:
    told = "gpu1 does not reach it at 10.0.0.2:6380: a firewall, for the host answers, but this port is "
    found = brief(check_connections(DEMO, IPS, (link("gpu1", "gpu2", outcome),)))
    assert found == [("gpu2", "failure", told + what, there(RULE))]


@pytest.mark.parametrize("outcome", [Outcome.SILENT, Outcome.UNREACHABLE])
@pytest.mark.parametrize(("address", "ip"), [("10.0.0.2:6380", "10.0.0.2"), ("[fd00::2]:6380", "fd00::2")])
def test_a_host_that_does_not_answer_at_all_is_not_blamed_on_a_firewall(
    outcome: Outcome, address: str, ip: str
) -> None:
    why = "nor does the host answer at all: no route, a cable, or a firewall that drops everything"
    told = f"gpu1 does not reach it at {address}, {why}"
    closed = Link("gpu1", "gpu2", address, outcome, alive=False)
    assert brief(check_connections(DEMO, IPS, (closed,))) == [
        ("gpu2", "failure", told, ours("exec", "-l", "gpu1", "--on-host", "--", "ip", "route", "get", ip))
    ]


def test_one_closed_port_is_enough_and_is_told_once_for_each_pair() -> None:
    closed = replace(link("gpu1", "gpu2", Outcome.SILENT), address="10.0.0.2:19999")
    found = list(check_connections(DEMO, IPS, (link("gpu1", "gpu2"), closed, link("gpu1", "gpu2"))))
    assert [host for host, *_ in brief(found)] == ["gpu2"]
    assert "the head reaches it" not in {each.text for each in found}


def test_of_several_workers_those_that_reach_the_head_are_counted() -> None:
    found = list(check_connections(DEMO, IPS, (link("gpu2", "gpu1"), link("gpu3", "gpu1", Outcome.SILENT))))
    assert ("gpu1", "network", "1 worker reaches it") in fine(found)
    assert [text.split(" does ")[0] for _, _, text, _ in brief(found)] == ["gpu3"]


@pytest.mark.parametrize(
    ("ray", "ports"),
    [
        (Ray(), "6379,10002:19999,32768:60999"),
        (Ray(port=7000), "7000,10002:19999,32768:60999"),
        (Ray(ports=Ports.PINNED), "6379:6389,10002:19999"),
        (Ray(port=7000, ports=Ports.PINNED), "7000:7010,10002:19999"),
    ],
)
def test_the_rule_opens_the_ports_that_ray_uses(ray: Ray, ports: str) -> None:
    rule = firewall_rule(replace(DEMO, ray=ray), {"gpu1": "10.0.0.1"})
    assert rule == (f"sudo iptables -I INPUT -p tcp -s 10.0.0.1 -m multiport --dports {ports} -j ACCEPT")


def test_the_rule_lets_in_the_network_where_all_hosts_are_in_one() -> None:
    inside = {"ip": None, "network": "10.0.0.0/24"}
    of = replace(DEMO, head=node(1, **inside), workers=(node(2, **inside),))
    assert " -s 10.0.0.0/24 -m multiport " in firewall_rule(of, IPS)
    elsewhere = replace(of, workers=(node(2, ip="10.9.0.2"),))
    assert " -s 10.0.0.1,10.9.0.2 -m " in firewall_rule(elsewhere, {"gpu1": "10.0.0.1", "gpu2": "10.9.0.2"})


def test_ipv6_has_a_tool_of_its_own() -> None:
    rule = firewall_rule(DEMO, {"gpu1": "fd00::1", "gpu2": "fd00::2"})
    assert "sudo ip6tables -I INPUT -p tcp -s fd00::1,fd00::2 -m multiport " in rule

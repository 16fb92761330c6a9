"""What an edited inventory left behind, from what was seen on the hosts and what Ray lists."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import HostKeys, Role, Ssh
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.prune import plan_prune
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.facts.containers import unknown_hosts
from orchestrator.plan.facts.host import Facts, HostFacts, Unreachable
from orchestrator.plan.remedies import docker_problem
from tests.plan.worlds import (
    SEALED,
    bare_host,
    cluster,
    container,
    node,
    outline,
    ray_node,
    seen,
    standing,
    with_host,
    with_table,
)

THREE, TWO = cluster(workers=2), cluster(workers=1)
GONE = "10.0.0.3"


def edited(**changes: object) -> Facts:
    """The hosts of three, for an inventory that has two: the third is known by its address alone."""
    facts = {name: here for name, here in standing(THREE).items() if name != "gpu3"}
    third: HostFacts = replace(seen(standing(THREE), "gpu3"), **changes)  # type: ignore[arg-type]
    return facts | {GONE: third}


def test_a_node_that_only_ray_knows_is_looked_at_as_the_head_is_but_its_key_must_be_known() -> None:
    accepting = replace(node(1), ssh=Ssh(user="ana", host_keys=HostKeys.ACCEPT_NEW))
    (other,) = unknown_hosts(replace(TWO, head=accepting), edited())
    assert (other.name, other.host, other.ip, other.role) == (GONE, GONE, GONE, Role.WORKER)
    assert other.ssh == Ssh(user="ana", host_keys=HostKeys.STRICT)


@pytest.mark.parametrize("ip", ["-oProxyCommand=reboot", "gpu3; reboot", "", "10.0.0"])
def test_what_a_head_calls_an_address_and_is_none_is_never_dialled(ip: str) -> None:
    facts = with_table(standing(TWO), ray_node(node(1)), ray_node(node(2)), replace(ray_node(node(3)), ip=ip))
    assert unknown_hosts(TWO, facts) == ()


def test_dead_nodes_and_those_of_the_inventory_are_no_outsiders() -> None:
    facts = with_table(standing(TWO), *map(ray_node, TWO.nodes), replace(ray_node(node(3)), alive=False))
    assert unknown_hosts(TWO, facts) == ()


def test_prune_removes_the_container_and_its_token_from_the_host_that_left() -> None:
    plan = plan_prune(TWO, (*TWO.nodes, *unknown_hosts(TWO, edited())), edited())
    steps = [f"{GONE}: stop and remove raycluster-demo-gpu3", f"{GONE}: remove Ray's token"]
    assert outline(plan) == [("Remove what the inventory no longer has", steps)]
    assert [each.what for each in plan.changes] == ["raycluster-demo-gpu3 is not in the inventory"]
    assert [step.command.argv[-1] for step in plan if hasattr(step, "command")] == ["id-of-gpu3", "gpu3"]


def test_prune_touches_nothing_that_the_inventory_has_or_that_is_another_clusters() -> None:
    other = replace(container(THREE, node(3)), cluster="other")
    assert plan_prune(TWO, TWO.nodes, standing(TWO)).phases == ()
    assert plan_prune(TWO, (*TWO.nodes, *unknown_hosts(TWO, edited())), edited(docker=(other,))).phases == ()


def test_up_names_what_was_left_behind_and_goes_on() -> None:
    plan = plan_up(TWO, edited(), SEALED)
    assert [(each.host, "raycluster-demo-gpu3" in each.problem.text) for each in plan.warnings] == [
        (GONE, True)
    ]
    assert plan.refusals == ()


def test_down_is_refused_its_success_by_what_was_left_behind_and_by_what_cannot_be_asked() -> None:
    assert [each.host for each in plan_down(TWO, edited()).refusals] == [GONE]
    silent = edited() | {GONE: Unreachable("does not answer", "plug it in")}
    (refusal,) = plan_down(TWO, silent).refusals
    assert (refusal.host, refusal.problem.fix) == (GONE, "plug it in")
    assert refusal.problem.text.endswith("cannot be asked: does not answer")
    mute = edited(docker=docker_problem(1, "Cannot connect to the Docker daemon"))
    assert "Cannot connect" in plan_down(TWO, mute).refusals[0].problem.text


def test_a_node_that_joined_by_other_means_keeps_nobody_from_going_down() -> None:
    assert plan_down(TWO, edited(docker=())).refusals == ()


def test_a_host_under_a_new_name_is_refused_a_second_container_until_the_old_one_is_gone() -> None:
    renamed = replace(TWO, workers=(node(2, name="renamed"),))
    old = bare_host(node(2), docker=(container(TWO, node(2)),))
    facts = with_host(standing(TWO), "gpu1") | {"renamed": old}
    refusals = plan_up(renamed, facts, SEALED).refusals
    assert [(each.host, each.problem.text.partition(" ")[0]) for each in refusals] == [
        ("renamed", "raycluster-demo-gpu2")
    ]


def test_an_address_that_the_inventory_uses_for_a_host_is_no_outsider() -> None:
    moved = replace(TWO, workers=(node(2, name=GONE, host=GONE, ip="10.1.0.3"),))
    facts = with_table(standing(TWO), ray_node(node(1)), ray_node(node(3)))
    assert unknown_hosts(moved, {"gpu1": facts["gpu1"], GONE: facts["gpu2"]}) == ()

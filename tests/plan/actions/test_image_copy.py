"""Which host's image goes to whom."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import LOCAL
from orchestrator.plan import docker
from orchestrator.plan.actions.images import plan_copy
from orchestrator.plan.docker import LAPTOP
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.remedies import not_whole
from orchestrator.plan.steps import OnFailure, Plan
from tests.plan.worlds import cluster, outline

DEMO = cluster()
GPU1, GPU2, GPU3 = DEMO.nodes
ONE = ImageInfo("sha256:one", layers=("sha256:a",), size=10)
OTHER = ImageInfo("sha256:other", layers=("sha256:b",))
SILENT = Unreachable("does not answer", "plug it in")


def refused(plan: Plan) -> dict[str, str]:
    return {each.host: each.problem.text for each in plan.refusals}


def test_the_first_host_that_has_one_gives_it_to_those_that_lack_it() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": None, "gpu2": ONE, "gpu3": OTHER})
    assert outline(plan) == [
        ("Copy the image", ["gpu1: load x:1 from gpu2", "gpu3: load x:1 from gpu2"]),
        ("Compare", ["gpu2: see what it has", "gpu1: see what it has", "gpu3: see what it has"]),
    ]
    feed = plan.phases[0].feed
    assert feed
    assert (feed.host, feed.command.line(), feed.size) == ("gpu2", "docker save x:1", 10)
    assert [change.what for change in plan.changes] == ["copy x:1 from gpu2"] * 2


def test_a_host_that_has_this_very_image_is_skipped() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, dict.fromkeys(("gpu1", "gpu2", "gpu3"), ONE))
    assert (plan.phases, plan.refusals) == ((), ())


def test_the_source_that_was_asked_for_is_taken_though_others_have_one_too() -> None:
    plan = plan_copy("x:1", (GPU3,), DEMO.nodes, {"gpu1": ONE, "gpu2": None, "gpu3": OTHER})
    assert [change.host for change in plan.changes] == ["gpu1", "gpu2"]


def test_with_a_limit_only_those_get_it_and_the_source_need_not_be_one_of_them() -> None:
    plan = plan_copy("x:1", DEMO.nodes, (GPU3,), {"gpu1": ONE, "gpu2": SILENT, "gpu3": None})
    assert {step.host for step in plan.phases[0].steps} == {"gpu3"}
    assert plan.refusals == ()


def test_where_nobody_has_it_every_host_that_was_asked_is_named() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": None, "gpu2": SILENT, "gpu3": None})
    assert refused(plan) == {
        "gpu1": "has no image x:1",
        "gpu2": "does not answer",
        "gpu3": "has no image x:1",
    }


def test_a_target_that_could_not_be_asked_is_a_failure_by_name_and_the_others_get_it() -> None:
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": ONE, "gpu2": SILENT, "gpu3": None})
    assert refused(plan) == {"gpu2": "does not answer"}
    assert {step.host for step in plan.phases[0].steps} == {"gpu3"}


def test_an_image_that_a_host_knows_by_its_name_alone_is_not_given_to_others() -> None:
    hollow = ImageInfo("sha256:one")
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, {"gpu1": hollow, "gpu2": ONE, "gpu3": hollow})
    assert [step.title for step in plan.phases[0].steps] == ["load x:1 from gpu2"] * 2
    refused = plan_copy("x:1", DEMO.nodes[:1], DEMO.nodes, {"gpu1": hollow, "gpu2": None, "gpu3": None})
    (refusal,) = refused.refusals
    assert refusal.problem.text == "knows x:1 by name, but has none of its layers"
    assert refusal.problem.fix == not_whole("x:1")
    assert "--from HOST" in refusal.problem.fix


LOADS = """#!/bin/sh
case $1 in
load) cat >/dev/null; echo "Loaded image: $LOADED" ;;
tag) echo "tag $2 $3" ;;
esac
"""


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ("x:1", ["Loaded image: x:1"]),
        ("localhost/x:1", ["Loaded image: localhost/x:1", "tag localhost/x:1 x:1"]),
    ],
    ids=["from Docker", "from Podman"],
)
def test_what_is_loaded_has_the_name_it_was_saved_under(tmp_path: Path, loaded: str, said: list[str]) -> None:
    """Podman writes an image without a registry in its name as `localhost/NAME`."""
    (tmp_path / "docker").write_text(LOADS)
    (tmp_path / "docker").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOADED": loaded}
    argv = docker.load(DEMO.head, "x:1").argv
    ran = subprocess.run(argv, input="archive", env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == said


def test_layers_that_all_who_get_it_have_are_not_sent() -> None:
    three = ImageInfo("sha256:three", layers=("sha256:a", "sha256:b", "sha256:c"), size=10)
    holdings = {"gpu1": three, "gpu2": None, "gpu3": None}
    stacks = {"gpu2": (("sha256:a", "sha256:b"),), "gpu3": (("sha256:a",), ("sha256:x",))}
    plan = plan_copy("x:1", DEMO.nodes, DEMO.nodes, holdings, stacks)
    feed = plan.phases[0].feed
    assert feed
    assert feed.partial
    assert [name for name in feed.chain[0].source["skip"] if name.startswith("blobs/")] == ["blobs/sha256/a"]
    one_has_none = plan_copy("x:1", DEMO.nodes, DEMO.nodes, holdings, {"gpu2": stacks["gpu2"]}).phases[0].feed
    assert one_has_none
    assert (one_has_none.partial, one_has_none.chain[0].source["skip"]) == (False, [])


def test_from_the_laptop_one_host_gets_it_and_gives_it_to_the_others() -> None:
    laptop = replace(DEMO.head, name=LAPTOP, host=LOCAL, ip=None)
    three = ImageInfo("sha256:three", layers=("sha256:a", "sha256:b"), size=10)
    holdings = {"laptop": three, "gpu1": None, "gpu2": None, "gpu3": None}
    stacks = {"gpu2": (("sha256:a",),), "gpu3": (("sha256:a",),)}
    plan = plan_copy("x:1", (laptop,), DEMO.nodes, holdings, stacks)
    first, second, _ = plan.phases
    assert first.feed
    assert second.feed
    assert (first.feed.host, first.feed.chain, first.on_failure) == (LAPTOP, (), OnFailure.STOP)
    assert [step.host for step in first.steps] == ["gpu1"]
    assert [hop.host for hop in second.feed.chain] == ["gpu1", "gpu2", "gpu3"]
    assert (first.feed.partial, second.feed.partial, first.feed.packer) == (False, True, ())
    for having, packer in ((("laptop",), ()), (("laptop", "gpu1"), docker.PACKER)):
        feed = plan_copy("x:1", (laptop,), DEMO.nodes, holdings, stacks, having).phases[0].feed
        assert feed
        assert feed.packer == packer
    star = plan_copy("x:1", (laptop,), DEMO.nodes, holdings, via_laptop=True)
    assert [len(phase.steps) for phase in star.phases] == [3, 4]


def test_it_goes_from_host_to_host_in_the_order_of_the_inventory_unless_the_laptop_is_wanted() -> None:
    holdings = {"gpu1": ONE, "gpu2": None, "gpu3": None}
    feed = plan_copy("x:1", DEMO.nodes, DEMO.nodes, holdings).phases[0].feed
    assert feed
    assert [(hop.host, hop.ip) for hop in feed.chain] == [
        ("gpu1", "10.0.0.1"),
        ("gpu2", "10.0.0.2"),
        ("gpu3", "10.0.0.3"),
    ]
    assert (
        "iptables -I INPUT -p tcp -s 10.0.0.1,10.0.0.2,10.0.0.3 -m multiport --dports 10002:19999"
        in feed.if_apart
    )
    laptop = plan_copy("x:1", DEMO.nodes, DEMO.nodes, holdings, via_laptop=True).phases[0].feed
    assert laptop
    assert laptop.chain == ()

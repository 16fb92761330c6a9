"""How hosts come by an image with Ray: built by each, or by the head alone; copied where it cannot be built."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.model.cluster import Cluster, Docker, GetOn, Pull, Ray
from orchestrator.plan import docker
from orchestrator.plan.actions.images import get_image, outdated
from orchestrator.plan.actions.restart import plan_restart
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.steps import OnFailure, Phase, Plan
from tests.plan.machines import Machine
from tests.plan.worlds import SEALED, bare, cluster, node, outline, standing, with_host

EACH = cluster(ray=Ray(install="ray==2.56.*"))
HEAD = replace(EACH, get_on=GetOn.HEAD)
PLAIN = cluster(get_on=GetOn.HEAD)
NAME = docker.image(EACH)
BASE, MOVED = ImageInfo("sha256:base"), ImageInfo("sha256:moved")
HEADS = ImageInfo("sha256:heads", size=10, built_from=BASE.id)
OWN = ImageInfo("sha256:own", built_from=BASE.id)
ADD, COPY = "add ray==2.56.* to the image", f"load {NAME} from gpu1"


def has(facts: Facts, host: str, derived: ImageInfo | None, base: ImageInfo | None = BASE) -> Facts:
    return with_host(facts, host, image_id=derived.id if derived else "", derived=derived, base=base)


def having(of: Cluster, *derived: ImageInfo | None, base: ImageInfo | None = BASE) -> Facts:
    """The hosts without a container, each with its image."""
    facts = bare(of)
    for each, image in zip(of.nodes, derived, strict=True):
        facts = has(facts, each.name, image, base)
    return facts


def phases(of: Cluster, facts: Facts) -> tuple[Phase, ...]:
    return tuple(get_image(of, facts, of.nodes))


def planned(of: Cluster, facts: Facts) -> list[tuple[str, list[str]]]:
    return outline(Plan("test", phases(of, facts)))


def test_each_host_that_lacks_it_builds_it() -> None:
    assert planned(EACH, having(EACH, None, OWN, None)) == [
        ("Get the image", [f"gpu1: {ADD}", f"gpu3: {ADD}"])
    ]


def test_what_it_is_built_from_is_pulled_first_where_it_is_missing_and_may_be() -> None:
    facts = having(EACH, None, OWN, OWN, base=None)
    assert planned(EACH, facts) == [("Get the image", [f"gpu1: pull {EACH.image}", f"gpu1: {ADD}"])]
    never = replace(EACH, head=node(1, docker=Docker(pull=Pull.NEVER)))
    assert planned(never, facts) == [("Get the image", [f"gpu1: {ADD}"])]


def test_pull_always_pulls_and_builds_anew() -> None:
    always = cluster(workers=0, head=node(1, docker=Docker(pull=Pull.ALWAYS)), ray=EACH.ray)
    assert planned(always, having(always, OWN)) == [
        ("Get the image", [f"gpu1: pull {EACH.image}", f"gpu1: {ADD}"])
    ]


def test_a_host_that_cannot_build_it_leaves_and_the_others_go_on() -> None:
    (get,) = phases(EACH, having(EACH, HEADS, None, None))
    assert (get.on_failure, get.feed) == (OnFailure.DROP_HOST, None)


def test_the_head_builds_it_once_and_the_others_get_its_image() -> None:
    assert planned(HEAD, having(HEAD, None, None, OWN)) == [
        ("Get the image", [f"gpu1: {ADD}"]),
        ("Copy the image", [f"gpu2: {COPY}", f"gpu3: {COPY}"]),
    ]
    assert [each.on_failure for each in phases(HEAD, having(HEAD, None, None, OWN))] == [
        OnFailure.STOP,
        OnFailure.DROP_HOST,
    ]


def test_an_image_that_the_head_has_is_only_copied_to_those_that_lack_it() -> None:
    (copy,) = phases(HEAD, having(HEAD, HEADS, HEADS, OWN, base=None))
    assert outline(Plan("", (copy,))) == [("Copy the image", [f"gpu3: {COPY}"])]
    assert copy.feed
    assert copy.feed.size == 10


def plain(*layers: tuple[str, ...]) -> Facts:
    """The hosts without a container, each with an image of these layers; with none, without."""
    facts = bare(PLAIN)
    for each, found in zip(PLAIN.nodes, layers, strict=True):
        facts = with_host(facts, each.name, image_id="".join(found), image_layers=found)
    return facts


def test_an_image_that_is_only_pulled_is_pulled_by_the_head_alone_and_given_to_the_others() -> None:
    load = f"load {PLAIN.image} from gpu1"
    assert planned(PLAIN, plain((), (), ())) == [
        ("Get the image", [f"gpu1: pull {PLAIN.image}"]),
        ("Copy the image", [f"gpu2: {load}", f"gpu3: {load}"]),
    ]
    assert planned(PLAIN, plain(("a",), ("a",), ())) == [("Copy the image", [f"gpu3: {load}"])]
    assert planned(PLAIN, plain(("a",), ("a",), ("a",))) == []


def test_a_worker_with_another_image_of_that_name_gets_the_heads() -> None:
    facts = plain(("a",), ("b",), ("a",))
    assert [outdated(PLAIN, each, facts) for each in PLAIN.nodes] == ["", "gpu1 has another image", ""]
    assert planned(PLAIN, facts) == [("Copy the image", [f"gpu2: load {PLAIN.image} from gpu1"])]
    assert outdated(replace(PLAIN, get_on=GetOn.EACH), PLAIN.workers[0], facts) == ""


def test_pull_always_is_the_heads_alone_and_gives_what_it_has_then() -> None:
    always = replace(PLAIN, head=node(1, docker=Docker(pull=Pull.ALWAYS)))
    assert [title for title, _ in planned(always, plain(("a",), ("a",), ("a",)))] == [
        "Get the image",
        "Copy the image",
    ]


@pytest.mark.parametrize(
    ("of", "heads", "base", "own", "why"),
    [
        (EACH, HEADS, BASE, OWN, ""),
        (EACH, HEADS, MOVED, OWN, f"{EACH.image} is another image on this host now"),
        (EACH, HEADS, MOVED, HEADS, ""),
        (EACH, HEADS, None, OWN, ""),
        (EACH, replace(HEADS, built_from=MOVED.id), None, OWN, f"{EACH.image} is another image on gpu1 now"),
        (EACH, None, MOVED, None, ""),
        (HEAD, HEADS, BASE, HEADS, ""),
        (HEAD, HEADS, MOVED, HEADS, ""),
        (HEAD, HEADS, BASE, OWN, "gpu1 has built another image"),
        (HEAD, None, BASE, OWN, ""),
    ],
    ids=[
        "each has its own",
        "the tag was moved",
        "a copy of the head's is good",
        "nobody knows what its tag is now",
        "the head's was built anew",
        "there is none",
        "the head's",
        "the head decides",
        "its own, where the head builds",
        "the head has none yet",
    ],
)
def test_an_image_that_is_there_may_be_out_of_date(
    of: Cluster, heads: ImageInfo | None, base: ImageInfo | None, own: ImageInfo | None, why: str
) -> None:
    facts = has(having(of, heads, None, None, base=None), "gpu2", own, base)
    assert outdated(of, of.workers[0], facts) == why


def up(of: Cluster, *derived: ImageInfo, base: ImageInfo = BASE) -> dict[str, str]:
    """Why each host of a cluster that stands would get a new container."""
    facts = standing(of)
    for each, image in zip(of.nodes, derived, strict=True):
        facts = has(facts, each.name, image, base)
        here = facts[each.name]
        container = here.containers[0]  # type: ignore[union-attr]
        facts = with_host(facts, each.name, docker=(replace(container, image_id=image.id, image=NAME),))
    return {change.host: change.what for change in plan_up(of, facts, SEALED).changes}


def test_a_cluster_whose_hosts_built_alike_stands() -> None:
    assert up(EACH, HEADS, OWN, HEADS) == {}
    assert up(HEAD, HEADS, HEADS, HEADS) == {}


def test_a_worker_with_another_image_than_the_head_has_built_gets_it() -> None:
    assert up(HEAD, HEADS, OWN, HEADS) == {"gpu2": "gpu1 has built another image"}


def test_a_moved_tag_is_a_new_image_for_all() -> None:
    assert up(EACH, HEADS, OWN, OWN, base=MOVED)["gpu1"] == f"{EACH.image} is another image on this host now"
    assert set(up(HEAD, HEADS, HEADS, HEADS, base=MOVED)) == {"gpu1", "gpu2", "gpu3"}


def test_a_restart_stops_nothing_until_the_copies_are_there() -> None:
    facts = standing(HEAD)
    for host in ("gpu1", "gpu2", "gpu3"):
        facts = has(facts, host, None)
    plan = plan_restart(HEAD, facts, SEALED)
    assert [(phase.title, phase.on_failure) for phase in plan.phases[:3]] == [
        ("Get the image", OnFailure.STOP),
        ("Copy the image", OnFailure.STOP),
        ("Stop the workers", OnFailure.DROP_HOST),
    ]


NOISY = """#!/bin/sh
case $1 in
image) echo sha256:base ;;
build)
    printf '%s\\n' "$@" >"$ANSWERS.asked"
    echo 'DEPRECATED: The legacy builder is deprecated' >&2
    echo '            Install the buildx component' >&2
    echo >&2
    echo 'Step 2/3 : RUN pip'
    echo ' ---> Running in 0955dec66aab'
    printf '\033[91mERROR: No matching distribution\033[0m\n'
    exit 3 ;;
esac
"""


def test_a_build_is_labelled_with_what_it_is_from_and_fails_in_pips_words(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.program("docker", NOISY)
    ran = machine.run(replace(docker.build(EACH, EACH.head), stdin=()))
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "", "ERROR: No matching distribution\n")
    asked = (tmp_path / "answers.asked").read_text().split()
    assert asked == [
        "build",
        "--network",
        "host",
        "--label",
        "raycluster.base=sha256:base",
        "--tag",
        NAME,
        "-",
    ]


def test_of_what_the_head_builds_only_the_layer_that_is_new_is_sent_where_all_have_the_image_below() -> None:
    below = ImageInfo("sha256:base", layers=("sha256:a", "sha256:b"), driver="overlay2")
    sent = phases(HEAD, having(HEAD, None, None, None, base=below))[-1].feed
    assert sent
    skipped = [name for name in sent.chain[0].source["skip"] if name.startswith("blobs/")]
    assert skipped == ["blobs/sha256/a", "blobs/sha256/b"]
    containerds = replace(below, driver="overlayfs")
    facts = has(having(HEAD, None, None, None, base=below), "gpu3", None, containerds)
    whole = phases(HEAD, facts)[-1].feed
    assert whole
    assert (whole.partial, whole.chain[0].source["skip"]) == (False, [])

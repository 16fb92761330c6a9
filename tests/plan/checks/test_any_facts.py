"""What holds for every finding, whatever hosts answer."""

import dataclasses
from dataclasses import MISSING, replace
from typing import Any, TypeVar, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.output.check_report import TOPICS
from orchestrator.model.cluster import Accelerator, Cluster, Docker, Ports, Pull, Ray, Rdma
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.checks import Evidence, Finding, Level, obstacles, quick, thorough
from orchestrator.plan.facts.docker_engine import Engine
from orchestrator.plan.facts.host import (
    Address,
    Container,
    Facts,
    Folder,
    HostFacts,
    Listener,
    Machine,
    Unreachable,
)
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.facts.inspection import Hardware, Inspection, Neighbour
from orchestrator.plan.facts.probe import Link, Models, Outcome, Trial, User
from orchestrator.plan.problem import HostProblem, Problem, quoted
from orchestrator.plan.remedies import docker_problem
from tests.plan.worlds import SEALED, cluster, container, node

T = TypeVar("T")

LINES = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=6)  # a word, as of a name
WORDS = st.text(max_size=30)  # of a program: any number of lines
BYTES = st.integers(0, 1 << 44)
IPS = st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1", "8.8.4.4", "127.0.0.1", "::1"])
CARDS = st.sampled_from(["", "02:00:00:00:00:01", "02:42:ac:11:00:01", "0.0.0.0"])
HOSTS = ("gpu1", "gpu2")


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    made = [
        node(
            number,
            ip=draw(st.none() | IPS),
            network=draw(st.sampled_from(["10.0.0.0/24", "fd00::/64"])),
            accelerator=draw(st.sampled_from(Accelerator)),
            rdma=draw(st.sampled_from(Rdma)),
            num_gpus=draw(st.none() | st.integers(0, 8)),
            docker=Docker(
                pull=draw(st.sampled_from(Pull)), shm_size=draw(st.sampled_from(["1b", "10.24g", "2TiB"]))
            ),
        )
        for number in (1, 2)
    ]
    ray = Ray(
        port=draw(st.sampled_from([6379, 7000])),
        ports=draw(st.sampled_from(Ports)),
        install=draw(st.none() | st.just("ray==2.56.0")),
    )
    return replace(cluster(workers=0), head=made[0], workers=(made[1],), ray=ray)


def built(
    cls: type[T], *args: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]
) -> st.SearchStrategy[T]:
    """As `st.builds`, which knows the fields of a class of ours only after its first instance."""
    told, hints = dataclasses.fields(cls)[len(args) :], get_type_hints(cls)  # type: ignore[arg-type]
    needed = [each.name for each in told if each.default is MISSING and each.default_factory is MISSING]
    return st.builds(cls, *args, **{name: st.from_type(hints[name]) for name in needed} | named)


@st.composite
def containers(draw: st.DrawFn) -> Container:
    of = cluster(workers=1)
    return container(
        of,
        draw(st.sampled_from(of.nodes)),
        cluster=draw(st.sampled_from(["demo", "other", ""])),
        name=draw(st.sampled_from(["raycluster-demo-gpu1", "raycluster-demo-gpu2", "raycluster-demo-gpu9"])),
        running=draw(st.booleans()),
    )


ENGINES = built(
    Engine,
    st.sampled_from(["27.3.1", "19.03", ""]),
    LINES,
    LINES,
    st.none() | BYTES,
    hostname=LINES,
    memory=BYTES,
    context=st.sampled_from(["", "default", "other"]),
    variable=LINES,
    rootless=st.booleans(),
    maps_users=st.booleans(),
    log_driver=st.sampled_from(["", "json-file", "none", "gelf"]),
)
MACHINES = built(Machine, LINES, IPS | LINES, BYTES, built(Folder, LINES, free=st.none() | BYTES))
HELD = built(ImageInfo, st.sampled_from(["one", "two"]), built_from=st.sampled_from(["", "one", "two"]))
HOST_FACTS = built(
    HostFacts,
    home=LINES,
    addresses=st.lists(built(Address, LINES, IPS, st.integers(0, 9000), CARDS), max_size=4).map(tuple),
    gpus=st.none() | st.integers(0, 16),
    docker=st.lists(containers(), max_size=3).map(tuple)
    | st.builds(docker_problem, st.integers(1, 255), WORDS),
    image_id=st.sampled_from(["", "sha256:one", "two"]),
    derived=st.none() | HELD,
    base=st.none() | HELD,
    processes=st.just(frozenset[str]()),
    token=st.none(),
    ray=st.none(),
    machine=st.none() | MACHINES,
    listeners=st.none()
    | st.lists(built(Listener, LINES, st.sampled_from([6379, 6380, 22]), LINES), max_size=3).map(tuple),
    engine=st.none() | ENGINES,
)
FACTS: st.SearchStrategy[Facts] = st.fixed_dictionaries(
    dict.fromkeys(HOSTS, HOST_FACTS | built(Unreachable, WORDS, LINES, WORDS))
)
INSPECTIONS = built(
    Inspection,
    st.none() | ENGINES,
    built(Hardware, nvidia_driver=LINES, nvidia_toolkit=LINES, infiniband=st.tuples(LINES)),
    st.lists(built(Neighbour, LINES, LINES, st.booleans(), LINES), max_size=2).map(tuple),
    st.none() | WORDS.map(str.strip),
)
USERS = built(User, st.sampled_from([0, 2000]), LINES, LINES)
MODELS = built(Models, LINES, LINES, unusable=st.sampled_from(["", ".", "hub"]))
TRIALS = built(
    Trial, LINES, st.none() | st.sampled_from(["2.56.0", "2.9", "x"]), gpus=st.lists(LINES).map(tuple),
    gpu_trouble=WORDS.map(str.strip), listens=st.just(()), user=USERS, models=MODELS,
    read_only=st.lists(st.sampled_from(["/tmp", "/home/x/.cache"])).map(tuple),
) | built(Problem, WORDS)  # fmt: skip
LINKS = st.builds(
    lambda pair, outcome, alive: Link(pair[0], pair[1], "10.0.0.2:1", outcome, alive),
    st.permutations(HOSTS),
    st.sampled_from(Outcome),
    st.booleans(),
)
EVIDENCE = built(
    Evidence,
    inspections=st.dictionaries(st.sampled_from(HOSTS), INSPECTIONS),
    clocks=st.dictionaries(st.sampled_from(HOSTS), st.tuples(st.floats(-9, 0), st.floats(0, 99))),
    trials=st.dictionaries(st.sampled_from(HOSTS), TRIALS),
    links=st.lists(LINKS, max_size=3).map(tuple),
    gaps=st.lists(
        built(HostProblem, st.sampled_from(HOSTS), st.builds(quoted, LINES.map("{} failed: ".format), WORDS)),
        max_size=2,
    ).map(tuple),
)


def well_told(finding: Finding) -> bool:
    """One line about a host and a topic that people are shown, and one that mends what is bad."""
    one_line = all(len(part.splitlines()) <= 1 for part in (finding.text, finding.fix))
    mended = (
        finding.fix or finding.level is Level.OK or finding.topic == "ssh"
    )  # whose fix comes from elsewhere
    return bool(
        one_line and finding.text.strip() and mended and finding.topic in TOPICS and finding.host in HOSTS
    )


@given(clusters(), FACTS)
@settings(max_examples=30, deadline=None)
def test_one_look_is_always_told_well(of: Cluster, facts: Facts) -> None:
    assert [each for each in quick(of, facts) if not well_told(each)] == []


@given(clusters(), FACTS, EVIDENCE)
@settings(max_examples=30, deadline=None)
def test_all_evidence_is_always_told_well(of: Cluster, facts: Facts, evidence: Evidence) -> None:
    assert [each for each in thorough(of, facts, evidence) if not well_told(each)] == []


@given(clusters(), FACTS)
@settings(max_examples=30, deadline=None)
def test_a_failure_keeps_a_host_from_a_new_container_and_nothing_else_does(of: Cluster, facts: Facts) -> None:
    failed = {each.host for each in quick(of, facts) if each.level is Level.FAILURE}
    plan = plan_up(of, facts, SEALED)
    assert {change.host for change in plan.changes} & failed == set()
    assert set(obstacles(quick(of, facts))) == failed

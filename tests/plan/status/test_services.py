"""Where Ray's dashboard and its metrics are, from what was seen on the hosts."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Cluster
from orchestrator.model.secret import Secret
from orchestrator.plan.facts.host import Facts, HostFacts, RayTable, RayTrouble, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.status.services import Dashboard, dashboard, metrics, service_discovery
from orchestrator.plan.typed import change, ours, there
from tests.plan.worlds import bare, cluster, ray_node, seen, standing, with_container, with_host

DEMO = cluster()
OTHERS = ("10.0.0.1:44217", "10.0.0.1:44227")
INSTALL = change("ray.install", "'ray[default]==2.60.0'") + "; then " + ours("up")


def serving(of: Cluster = DEMO, *, address: str = "127.0.0.1:8265", agents: bool = True) -> Facts:
    """A cluster that stands; with Ray's agents, or as it is where an image has the least of Ray."""
    nodes = tuple(ray_node(each, metrics=50_000 + at if agents else 0) for at, each in enumerate(of.nodes))
    return with_host(standing(of), "gpu1", ray=RayTable("2.60.0", nodes, address, OTHERS))


def where(facts: Facts) -> Dashboard:
    found = dashboard(DEMO, facts["gpu1"])
    assert isinstance(found, Dashboard)
    return found


def why_not(facts: Facts) -> tuple[str, str]:
    found = dashboard(DEMO, facts["gpu1"])
    assert isinstance(found, Problem)
    return found.text, found.fix


def test_the_dashboard_is_where_ray_says() -> None:
    assert (where(serving()).host, where(serving()).port) == ("127.0.0.1", 8265)
    assert where(serving(address="[fd00::1]:8266")).host == "fd00::1"


def test_its_token_is_the_heads_where_the_container_was_started_to_ask_for_one() -> None:
    assert where(serving()).token == Secret("ray-token", "the head's")
    open_to_all = with_container(serving(), "gpu1", env=frozenset({"RAY_AUTH_MODE=disabled"}))
    assert where(open_to_all).token is None


@pytest.mark.parametrize(
    ("facts", "why", "fix"),
    [
        ({"gpu1": Unreachable("does not answer", "is it up?")}, "does not answer", "is it up?"),
        (bare(DEMO), "no container of cluster demo is there", ours("up")),
        (
            with_container(serving(), "gpu1", running=False, status="exited", exit_code=137),
            "its container exited with code 137",
            ours("up"),
        ),
        (
            with_host(serving(), "gpu1", ray=RayTrouble("nothing listens on 10.0.0.1:6379", gone=True)),
            "Ray does not answer: nothing listens on 10.0.0.1:6379",
            ours("status"),
        ),
        (serving(address=""), "Ray runs, but its dashboard has not started", "try again in a moment"),
        (
            with_host(serving(), "gpu1", docker=docker_problem(1, "Cannot connect to the Docker daemon")),
            "Cannot connect to the Docker daemon",
            there("sudo systemctl start docker"),
        ),
    ],
)
def test_why_there_is_no_dashboard(facts: Facts, why: str, fix: str) -> None:
    assert why_not(facts) == (why, fix)


def test_what_to_do_where_nothing_listens_depends_on_whether_the_image_has_a_dashboard() -> None:
    assert "dashboard.log" in where(serving()).absent
    assert where(serving(agents=False)).absent == INSTALL


def test_each_node_exports_its_metrics_and_the_head_those_of_the_cluster() -> None:
    exporters, without = metrics(DEMO, serving())
    assert without == ()
    assert [each.targets for each in exporters] == [
        ("10.0.0.1:50000", *OTHERS),
        ("10.0.0.2:50001",),
        ("10.0.0.3:50002",),
    ]
    assert next(service_discovery(DEMO, exporters)) == {
        "targets": ["10.0.0.1:50000", *OTHERS],
        "labels": {"cluster": "demo", "node": "gpu1", "role": "head", "ray_io_cluster": "demo"},
    }


def missing(facts: Facts) -> dict[str, str]:
    return {each.host: each.problem.text for each in metrics(DEMO, facts)[1]}


def test_a_host_that_ray_does_not_list_has_none() -> None:
    stopped = with_container(serving(), "gpu2", running=False, status="exited", exit_code=2)
    assert missing(stopped) == {"gpu2": "its container exited with code 2"}
    absent = with_host(serving(), "gpu3", docker=())
    assert missing(absent) == {"gpu3": "is not in Ray: it has no container"}


def test_a_host_that_cannot_be_asked_has_them_all_the_same_where_ray_lists_it() -> None:
    assert missing(serving() | {"gpu2": Unreachable("does not answer")}) == {}


def test_an_image_without_rays_agents_has_none_at_all() -> None:
    exporters, without = metrics(DEMO, serving(agents=False))
    assert exporters == ()
    assert {(each.host, each.problem.fix) for each in without} == {
        (name, INSTALL) for name in ("gpu1", "gpu2", "gpu3")
    }


def test_a_port_that_ray_tells_and_nobody_listens_on_is_no_target() -> None:
    """Ray up to 2.52 tells one also where it is installed without its agent."""
    facts = serving()
    table = seen(facts, "gpu1").ray
    assert isinstance(table, RayTable)
    silent = tuple(replace(each, exports=False) for each in table.nodes)
    facts = with_host(facts, "gpu1", ray=replace(table, nodes=silent))
    exporters, without = metrics(DEMO, facts)
    assert exporters == ()
    assert {each.problem.fix for each in without} == {INSTALL}
    assert "nothing exports its metrics at 10.0.0.2:50001" in missing(facts)["gpu2"]
    assert where(facts).absent == INSTALL


def silent(ip: str = "10.0.0.2", ran: float = 3600) -> Problem:
    """Why gpu2 has no metrics, where nobody listens at the port that Ray tells."""
    of = cluster(workers=1)
    of = replace(of, workers=(replace(of.workers[0], ip=ip),))
    facts = serving(of)
    table, here = seen(facts, "gpu1").ray, seen(facts, "gpu2")
    assert isinstance(table, RayTable)
    nodes = tuple(replace(each, started=here.now, exports=each.ip != ip) for each in table.nodes)
    facts = with_host(facts, "gpu1", ray=replace(table, nodes=nodes))
    facts = with_container(facts, "gpu2", started=here.now - ran)
    (without,) = metrics(of, facts)[1]
    return without.problem


def test_a_port_on_which_nobody_listens_yet_is_no_reason_to_install_anything() -> None:
    young = silent(ran=12)
    assert young.text == "nothing exports its metrics at 10.0.0.2:50001 yet: its container has run for 12 s"
    assert young.fix == f"try again in a moment; if it stays so, {INSTALL}"


def test_rays_exporters_do_not_listen_at_ipv6_addresses() -> None:
    found = silent("fd00::2")
    assert found.text.startswith(
        "nothing exports its metrics at [fd00::2]:50001: Ray's agents listen at IPv4"
    )
    assert "an IPv4 address of this host" in found.fix


def test_without_the_head_nobody_knows_any() -> None:
    assert metrics(DEMO, serving() | {"gpu1": Unreachable("does not answer")}) == (
        (),
        (HostProblem("gpu1", Unreachable("does not answer")),),
    )


def test_a_node_that_was_restarted_is_not_taken_for_the_one_before() -> None:
    facts = serving()
    table = seen(facts, "gpu1").ray
    assert isinstance(table, RayTable)
    ghost = replace(table.nodes[1], started=1.0)
    facts = with_host(facts, "gpu1", ray=replace(table, nodes=(table.nodes[0], ghost, table.nodes[2])))
    assert set(missing(facts)) == {"gpu2"}
    assert isinstance(facts["gpu2"], HostFacts)

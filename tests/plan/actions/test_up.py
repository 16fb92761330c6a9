"""What `up` decides and in which order, from what was seen on the hosts."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Auth, Cluster, Docker, Entrypoint, Pull, Ray
from orchestrator.model.secret import Secret
from orchestrator.plan import docker
from orchestrator.plan.actions.conditions import Joined
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.facts.docker_engine import Engine, Maker
from orchestrator.plan.facts.host import Address, Facts, Folder, Machine, RayTrouble, Unreachable
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.ray.commands import STARTED, STARTS
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.steps import OnFailure, Plan, Run, Wait
from orchestrator.plan.typed import change, there
from tests.plan.worlds import (
    NOW,
    SEALED,
    bare,
    bare_host,
    cluster,
    container,
    node,
    outline,
    ray_node,
    standing,
    with_container,
    with_host,
    with_table,
)


def reasons(plan: Plan) -> dict[str, str]:
    return {change.host: change.what for change in plan.changes}


def up(of: Cluster, facts: Facts, only: frozenset[str] | None = None) -> Plan:
    return plan_up(of, facts, SEALED, only)


def test_from_nothing_the_head_is_started_and_answers_before_any_worker_starts() -> None:
    demo = cluster(workers=1)
    assert outline(up(demo, bare(demo))) == [
        (
            "Start the head",
            [
                "gpu1: write Ray's token",
                "gpu1: start its container",
                "gpu1: wait for its GCS on port 6379",
            ],
        ),
        (
            "Join the workers",
            [
                "gpu1: wait until Ray lists it",
                "gpu2: reach the head at 10.0.0.1:6379",
                "gpu2: write Ray's token",
                "gpu2: start its container",
                "gpu2: wait until Ray lists it",
            ],
        ),
    ]


def test_an_entrypoint_that_is_kept_has_to_begin_what_is_ours_or_the_remedy_is_to_skip_it() -> None:
    demo = cluster(workers=0, head=node(1, docker=Docker(entrypoint=Entrypoint.KEEP)))
    start, begin, answer = [*up(demo, bare(demo))][1:4]
    assert [start.title, begin.title] == ["start its container", "wait for its entrypoint"]
    assert isinstance(begin, Wait)
    assert begin.within < answer.within if isinstance(answer, Wait) else False
    assert change("docker.entrypoint", "skip") in begin.fix


def test_a_failure_of_the_head_stops_everything_and_one_of_a_worker_only_drops_it() -> None:
    demo = cluster()
    assert [phase.on_failure for phase in up(demo, bare(demo)).phases] == [
        OnFailure.STOP,
        OnFailure.DROP_HOST,
    ]


def test_a_cluster_that_stands_needs_nothing() -> None:
    demo = cluster()
    assert up(demo, standing(demo)) == Plan("bring up cluster demo")


def test_only_a_worker_added_to_the_file_is_started_and_all_are_waited_for() -> None:
    demo = cluster(workers=2)
    facts = standing(cluster(workers=1)) | {"gpu3": bare_host(node(3))}
    plan = up(demo, facts)
    assert reasons(plan) == {"gpu3": "no container yet"}
    assert {step.host for step in plan if isinstance(step, Run)} == {"gpu3"}
    assert [step.host for step in plan if isinstance(step, Wait)] == ["gpu1", "gpu2", "gpu3"]


def test_a_worker_added_later_gets_the_token_that_the_head_has() -> None:
    demo = cluster(workers=2)
    plan = up(demo, standing(cluster(workers=1)) | {"gpu3": bare_host(node(3))})
    sent = [step.command.stdin for step in plan if isinstance(step, Run) and step.command.stdin]
    assert sent == [(Secret("ray-token", "the head's"),)]


def test_a_head_at_work_whose_token_cannot_be_read_is_left_alone() -> None:
    demo = cluster()
    plan = up(demo, with_host(standing(demo), "gpu1", token=None))
    assert plan.phases == ()
    assert plan.refusals[0].problem.text == "Ray's token cannot be read on this host, so no worker could join"


def test_without_a_token_on_the_head_all_hosts_get_the_new_one() -> None:
    demo = cluster()
    sent = [
        step.command.stdin for step in up(demo, bare(demo)) if isinstance(step, Run) and step.command.stdin
    ]
    assert sent == [(SEALED.token,)] * 3


def test_with_auth_disabled_no_token_goes_anywhere() -> None:
    demo = replace(cluster(), ray=Ray(auth=Auth.DISABLED))
    assert not [step for step in up(demo, bare(demo)) if isinstance(step, Run) and step.command.stdin]


JOINS = "ray start --block --address=10.0.0.1:6379 --node-ip-address=10.0.0.2"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"running": False, "status": "exited", "exit_code": 1, "finished": NOW - 180},
            "its container exited with code 1, 3 min ago",
        ),
        (
            {"running": False, "status": "exited", "exit_code": 137, "oom_killed": True, "finished": NOW - 9},
            "its container exited with code 137 (out of memory), 9 s ago",
        ),
        (
            {"spec": "other", "image": "old:1"},
            "the inventory has changed: image old:1 → vllm/vllm-openai:v0.17.1",
        ),
        ({"spec": "other", "env": frozenset({"VLLM_HOST_IP=10.0.0.2"})}, "the inventory has changed: env "),
        ({"spec": "other"}, "the inventory has changed: its docker options"),
        (
            {"spec": "other", "command": "-c exec ray start --block"},
            "the inventory has changed: command «ray start --block» → «ray start --block --address",
        ),
        (
            {"spec": "other", "command": f"-c exec {JOINS} --num-gpus=8"},
            "another version of raycluster has made it",
        ),
        ({"image_id": "sha256:two"}, "vllm/vllm-openai:v0.17.1 is another image on this host now"),
    ],
)
def test_a_worker_whose_container_is_not_the_wanted_one_is_replaced_and_the_reason_said(
    changes: dict[str, object], why: str
) -> None:
    demo = cluster()
    plan = up(demo, with_container(standing(demo), "gpu2", **changes))
    assert list(reasons(plan)) == ["gpu2"]
    assert reasons(plan)["gpu2"].startswith(why)
    assert "gpu2: remove its old container" in outline(plan)[0][1]


def test_a_container_that_runs_without_ray_is_replaced() -> None:
    demo = cluster()
    plan = up(demo, with_host(standing(demo), "gpu2", processes=frozenset({"bash"})))
    assert reasons(plan) == {"gpu2": "its container runs, but no Ray runs in it"}


def test_a_worker_that_runs_but_is_not_in_rays_table_is_replaced() -> None:
    demo = cluster()
    plan = up(demo, with_table(standing(demo), ray_node(demo.head), ray_node(node(3))))
    assert reasons(plan) == {"gpu2": "its container has run for 60 s, but Ray does not list it"}


def test_a_node_that_is_older_than_its_container_is_a_ghost_and_does_not_count() -> None:
    demo = cluster(workers=1)
    ghost = ray_node(node(2), started=NOW - 3600)
    plan = up(demo, with_table(standing(demo), ray_node(demo.head), ghost))
    assert list(reasons(plan)) == ["gpu2"]


def test_a_worker_with_too_few_gpus_is_started_anew() -> None:
    demo = cluster(workers=1)
    plan = up(
        demo, with_table(standing(demo), ray_node(demo.head), ray_node(node(2), accelerators=(("GPU", 4),)))
    )
    assert reasons(plan) == {"gpu2": "Ray sees 4 of its 8 GPUs"}


def test_with_a_new_head_every_worker_is_started_anew() -> None:
    demo = cluster()
    plan = up(demo, with_container(standing(demo), "gpu1", running=False, status="exited", exit_code=1))
    assert reasons(plan)["gpu2"] == reasons(plan)["gpu3"] == "the head gets a new container"


def test_a_head_whose_gcs_refuses_is_replaced_but_one_that_is_only_slow_is_left_alone() -> None:
    demo = cluster()
    gone = with_host(standing(demo), "gpu1", ray=RayTrouble("nothing listens on 10.0.0.1:6379", gone=True))
    slow = with_host(standing(demo), "gpu1", ray=RayTrouble("10.0.0.1:6379: timed out", gone=False))
    too_old = RayTrouble("Ray 2.30.0 is too old", "use another", gone=False, final=True)
    assert list(reasons(up(demo, gone))) == ["gpu1", "gpu2", "gpu3"]
    assert up(demo, with_host(standing(demo), "gpu1", ray=too_old)).refusals[0].problem == Problem(
        "Ray 2.30.0 is too old", "use another"
    )
    assert up(demo, slow).phases == ()
    assert (
        up(demo, slow).refusals[0].problem.text == "Ray on the head does not answer: 10.0.0.1:6379: timed out"
    )


JOINS = "ray start --block --address=10.0.0.1:6379 --node-ip-address=10.0.0.2"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"docker": docker_problem(1, "Cannot connect to the Docker daemon")},
            "Cannot connect to the Docker daemon",
        ),
        (
            {"addresses": (Address("eth0", "192.0.2.7"),)},
            "ip 10.0.0.2 is on no interface of this host, which has 192.0.2.7 (eth0)",
        ),
    ],
)
def test_a_worker_that_cannot_be_used_is_left_out_by_name_and_the_others_go_on(
    changes: dict[str, object], why: str
) -> None:
    demo = cluster()
    plan = up(demo, with_host(bare(demo), "gpu2", **changes))
    assert [(refusal.host, refusal.problem.text) for refusal in plan.refusals] == [("gpu2", why)]
    assert {step.host for step in plan} == {"gpu1", "gpu3"}


def test_a_silent_worker_is_left_out_with_what_to_do() -> None:
    demo = cluster()
    plan = up(demo, bare(demo) | {"gpu2": Unreachable("connection refused", "start sshd")})
    assert plan.refusals == (HostProblem("gpu2", Problem("connection refused", "start sshd")),)


def test_when_the_head_cannot_be_used_nothing_starts_anywhere() -> None:
    demo = cluster()
    plan = up(demo, bare(demo) | {"gpu1": Unreachable("connection refused")})
    assert plan.phases == ()
    assert [refusal.host for refusal in plan.refusals] == ["gpu1"]


def test_a_container_of_that_name_that_is_not_ours_is_never_touched() -> None:
    demo = cluster()
    foreign = container(demo, node(2), cluster="")
    plan = up(demo, with_host(bare(demo), "gpu2", docker=(foreign,)))
    assert (
        plan.refusals[0].problem.text
        == "a container named raycluster-demo-gpu2 is there that is not this cluster's"
    )
    assert "gpu2" not in {step.host for step in plan}


def test_an_absent_image_is_pulled_first_and_everywhere_side_by_side() -> None:
    demo = cluster()
    facts = with_host(with_host(bare(demo), "gpu1", image_id=""), "gpu3", image_id="")
    assert outline(up(demo, facts))[0] == (
        "Get the image",
        ["gpu1: pull vllm/vllm-openai:v0.17.1", "gpu3: pull vllm/vllm-openai:v0.17.1"],
    )


def test_only_of_a_worker_whose_ray_may_be_another_its_log_has_to_say_that_it_has_started() -> None:
    """Ray up to 2.54 lists a worker of another version for a moment; one of the head's own stays."""
    demo = cluster(workers=2)
    facts = with_host(bare(demo), "gpu3", image_id="sha256:another")
    probes = {step.host: step.probe for step in up(demo, facts).phases[-1].steps if isinstance(step, Wait)}
    assert probes["gpu1"] == docker.state(demo, demo.head)
    assert probes["gpu2"] == docker.state(demo, demo.workers[0])
    assert probes["gpu3"] == docker.started(demo, demo.workers[1], STARTS, STARTED)


@pytest.mark.parametrize("mounts", ["gpu1", "gpu2"])
def test_a_folder_that_is_mounted_may_bring_another_ray_than_the_images(mounts: str) -> None:
    demo = cluster(workers=1)
    docker_args = Docker(args=("-v", "/opt/ray:/usr/local/lib/python3.12/dist-packages/ray:ro"))
    nodes = [replace(each, docker=docker_args) if each.name == mounts else each for each in demo.nodes]
    demo = replace(demo, head=nodes[0], workers=tuple(nodes[1:]))
    probes = {
        step.host: step.probe for step in up(demo, bare(demo)).phases[-1].steps if isinstance(step, Wait)
    }
    assert probes["gpu2"] == docker.started(demo, demo.workers[0], STARTS, STARTED)


def test_a_worker_whose_image_is_not_known_to_be_the_heads_has_its_versions_compared_before_it_starts() -> (
    None
):
    demo, compare = cluster(workers=2), "compare its Ray and Python with gpu1's"

    def compared(facts: Facts) -> list[str]:
        lanes = up(demo, facts).phases[-1].lanes()
        titles = {host: [each.title for each in steps] for host, steps in lanes.items()}
        told = {host: each for host, each in titles.items() if compare in each}
        assert all(each.index(compare) < each.index("start its container") for each in told.values())
        return [*told]

    layers = {"image_layers": ("sha256:a", "sha256:b")}
    same = with_host(with_host(bare(demo), "gpu1", **layers), "gpu2", image_id="sha256:two", **layers)
    assert compared(bare(demo)) == []
    assert compared(with_host(same, "gpu3", **layers)) == []
    assert compared(with_host(same, "gpu3", image_id="sha256:3", image_layers=("sha256:a",))) == ["gpu3"]
    assert compared(with_host(bare(demo), "gpu3", image_id="")) == ["gpu3"]


def test_pull_always_pulls_where_a_container_is_started_and_never_refuses_an_absent_image() -> None:
    always = cluster(workers=1, head=node(1, docker=Docker(pull=Pull.ALWAYS)))
    assert outline(up(always, bare(always)))[0] == ("Get the image", ["gpu1: pull vllm/vllm-openai:v0.17.1"])
    never = cluster(workers=1, head=node(1, docker=Docker(pull=Pull.NEVER)))
    plan = up(never, with_host(bare(never), "gpu1", image_id=""))
    assert plan.phases == ()
    assert "is not on this host, and `docker.pull` is never" in plan.refusals[0].problem.text


def test_a_host_without_ip_uses_its_one_address_in_the_network() -> None:
    demo = cluster(workers=1, head=node(1, ip=None, network="10.0.0.0/24"))
    facts = with_host(
        bare(demo), "gpu1", addresses=(Address("lan", "192.0.2.1"), Address("ib0", "10.0.0.77"))
    )
    run = next(step for step in up(demo, facts) if isinstance(step, Run) and step.starts)
    assert "VLLM_HOST_IP=10.0.0.77 -e GLOO_SOCKET_IFNAME=ib0" in run.command.line()


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        (
            (Address("eth0", "192.0.2.1"),),
            "no address of this host lies in network 10.0.0.0/24: it has 192.0.2.1 (eth0)",
        ),
        (
            (Address("a", "10.0.0.1"), Address("b", "10.0.0.2")),
            "several addresses of this host lie in network 10.0.0.0/24: 10.0.0.1 (a), 10.0.0.2 (b)",
        ),
    ],
)
def test_no_address_or_two_in_the_network_is_an_error_that_lists_them(
    addresses: tuple[Address, ...], why: str
) -> None:
    demo = cluster(workers=1, head=node(1, ip=None, network="10.0.0.0/24"))
    assert up(demo, with_host(bare(demo), "gpu1", addresses=addresses)).refusals[0].problem.text == why


def test_limit_touches_only_the_named_hosts_and_needs_a_head_that_stands() -> None:
    demo = cluster(workers=3)
    facts = standing(cluster(workers=1)) | {"gpu3": bare_host(node(3)), "gpu4": bare_host(node(4))}
    assert set(reasons(up(demo, facts, frozenset({"gpu4"})))) == {"gpu4"}
    headless = up(demo, bare(demo), frozenset({"gpu4"}))
    assert headless.phases == ()
    assert headless.refusals[0].problem.text == "is left out, but is needed first: no container yet"


def test_the_wait_for_a_host_knows_how_often_docker_had_restarted_it_before() -> None:
    demo = cluster(workers=2)
    facts = with_container(standing(demo), "gpu2", restarts=3)
    facts = with_container(facts, "gpu3", running=False, status="exited", exit_code=1)
    waits = {step.host: step.until for step in up(demo, facts) if isinstance(step, Wait)}
    assert waits["gpu2"] == Joined("10.0.0.2", 8, restarts=3, accelerator=Accelerator.NONE)
    assert waits["gpu3"] == Joined("10.0.0.3", 8, restarts=0, accelerator=Accelerator.NONE)


@pytest.mark.parametrize(
    ("maker", "exists", "makes"),
    [
        (Maker.PODMAN, False, True),
        (Maker.PODMAN, True, False),
        (Maker.PODMAN, None, False),  # a network share that is gone
        (Maker.DOCKER, False, False),
    ],
)
def test_a_folder_that_podman_would_not_make_is_made_before_the_container(
    maker: Maker, exists: bool | None, makes: bool
) -> None:
    of = cluster(workers=0)
    place = Machine("gpu1", "", 0, Folder("/data/my hf", exists, None))
    engine = Engine("5.4.2", "amd64", "/var/lib/containers/storage", maker=maker)
    plan = up(of, {"gpu1": bare_host(of.head, machine=place, engine=engine)})
    steps = [step for phase in plan.phases for step in phase.steps if isinstance(step, Run)]
    lines = [step.command.line() for step in steps]
    assert ("mkdir -p '/data/my hf'" in lines) is makes
    if makes:
        made = lines.index("mkdir -p '/data/my hf'")
        assert " run --detach " in lines[made + 1]
        assert steps[made].fix == there("sudo mkdir -p '/data/my hf'")


def test_secrets_of_the_user_reach_docker_run_alone() -> None:
    demo = cluster(workers=1, secrets=("HF_TOKEN",))
    sealed = Secrets((Secret("HF_TOKEN", "hf_x"),), SEALED.token)
    plan = plan_up(demo, bare(demo), sealed)
    carrying = [step for step in plan if isinstance(step, Run) and sealed.secrets[0] in step.command.stdin]
    assert [step.title for step in carrying] == ["start its container"] * 2

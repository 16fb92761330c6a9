"""`engine: mp`, vLLM's own multi-node mode: its lines, word for word, and what is decided without a Ray to ask."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.cluster import Accelerator, Auth, Cluster, Engine, Model, Ray
from orchestrator.plan import engine
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.restart import plan_restart
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.checks.firewall import firewall_rule
from orchestrator.plan.facts.host import Facts, Unreachable
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.serving import state as served
from orchestrator.plan.serving.plan import plan_serve, plan_stop
from orchestrator.plan.serving.servers import again
from orchestrator.plan.status.health import Verdict, assess
from orchestrator.plan.steps import Plan, Run, StepKind
from orchestrator.plan.typed import change, ours, where
from tests.plan.serving.worlds import QWEN, told
from tests.plan.worlds import (
    NOW,
    SEALED,
    bare,
    bare_host,
    cluster,
    container,
    node,
    outline,
    with_container,
    with_host,
)

PLAIN = Model("Qwen/Qwen3-32B")
HOSTS = ("gpu1", "gpu2", "gpu3")


def mp(workers: int = 2, **changes: Any) -> Cluster:
    """As it is once the inventory has been read."""
    made = cluster(workers, engine=Engine.MP, **changes)
    return engine.of(made).normalized(made)


def standing(of: Cluster) -> Facts:
    return {each.name: bare_host(each, docker=(container(of, each),)) for each in of.nodes}


def run_of(of: Cluster, model: Model) -> str:
    return specs(plan_serve(of, standing(of), model))["gpu1"]["group"]["run"]  # type: ignore[no-any-return]


def serving(of: Cluster, model: Model = QWEN) -> Facts:
    """All ranks are there, and it answers."""
    facts = standing(of)
    for rank, each in enumerate(of.nodes):
        facts = with_host(facts, each.name, served=(rank_of(of, rank, model),))
    return facts


def rank_of(of: Cluster, rank: int, model: Model = QWEN, **changes: Any) -> Any:
    spec = list(specs(plan_serve(of, standing(of), model)).values())[rank]
    return served.parse_served(json.dumps(told(server=spec["name"], spec=spec) | changes))


def waiting(of: Cluster, *missing: str) -> Any:
    state = {"is": "waiting", "since": NOW - 3, "starts": 1, "answered": True, "missing": missing}
    return rank_of(of, 0, state=state, trouble="waiting")


def specs(plan: Plan) -> dict[str, dict[str, Any]]:
    """What each host's supervisor is sent."""
    starts = (step for step in plan if isinstance(step, Run) and step.kind is StepKind.START_SERVER)
    return {step.host: json.loads(json.loads(step.command.input())["spec"]) for step in starts}


def lines(of: Cluster, model: Model = PLAIN, facts: Facts | None = None) -> dict[str, str]:
    sent = specs(plan_serve(of, facts or standing(of), model))
    return {host: " ".join(told["argv"]) for host, told in sent.items()}


def why_not(plan: Plan) -> list[tuple[str, str]]:
    assert not plan.phases
    return [(each.host, each.problem.text) for each in plan.refusals]


def test_what_concerns_ray_alone_is_left_out_so_that_a_line_switches_an_inventory() -> None:
    by_ray = cluster(engine=Engine.MP, ray=Ray(install="ray[default]==2.56.*", auth=Auth.TOKEN))
    settled = engine.of(by_ray).normalized(by_ray)
    assert (settled.ray.install, settled.ray.auth) == (None, Auth.DISABLED)
    assert settled.head.num_gpus == 8
    as_ray = replace(by_ray, engine=Engine.RAY)
    assert engine.of(as_ray).normalized(as_ray) == as_ray


@pytest.mark.parametrize("host", [1, 2])
def test_every_container_stays_and_goes_on_with_what_it_served(host: int) -> None:
    of = mp()
    here = of.nodes[host - 1]
    (run,) = (step for step in up(of, bare(of)) if isinstance(step, Run) and step.host == here.name)
    assert re.sub(r"spec=\w+", "spec=HASH", run.command.line()) == (
        f"docker run --detach --name raycluster-demo-gpu{host} --label raycluster.cluster=demo"
        f" --label raycluster.role={here.role} --label raycluster.spec=HASH --restart unless-stopped"
        " --entrypoint /bin/bash --network host --shm-size 10.24g --stop-timeout 45"
        " -v /home/ana/.cache/huggingface:/root/.cache/huggingface"
        f" -e VLLM_HOST_IP=10.0.0.{host} -e GLOO_SOCKET_IFNAME=eth0 -e NCCL_SOCKET_IFNAME=eth0"
        " vllm/vllm-openai:v0.17.1"
        " -c '[ ! -e /var/tmp/raycluster/supervisor.py ] || python3 /var/tmp/raycluster/supervisor.py run &"
        """ trap '"'"'exit 0'"'"' TERM; sleep infinity & wait'"""
    )


def up(of: Cluster, facts: Facts) -> Plan:
    return plan_up(of, facts, SEALED)


def test_up_has_no_gcs_to_wait_for_and_no_token_to_keep() -> None:
    of = mp(workers=1)
    assert outline(up(of, bare(of))) == [
        ("Start the head", ["gpu1: start its container"]),
        (
            "Join the workers",
            ["gpu1: wait until it runs", "gpu2: start its container", "gpu2: wait until it runs"],
        ),
    ]
    assert [phase.watch for phase in up(of, bare(of)).phases] == [None, None]


def test_a_cluster_that_stands_needs_nothing() -> None:
    assert up(mp(), standing(mp())) == Plan("bring up cluster demo")


def test_a_new_head_leaves_the_workers_alone() -> None:
    gone = with_container(standing(mp()), "gpu1", running=False, status="exited")
    assert [change.host for change in up(mp(), gone).changes] == ["gpu1"]


def test_a_host_that_has_lost_a_gpu_is_no_matter_of_its_container() -> None:
    of = mp(workers=0)
    of = replace(of, head=replace(of.head, accelerator=Accelerator.NVIDIA))
    facts = with_host(standing(of), "gpu1", gpus=7)
    assert why_not(up(of, facts)) == [("gpu1", "the host shows 7 of its 8 GPUs")]
    assert up(of, facts).refusals[0].problem.fix.endswith(f"; or {change('ray.num_gpus', '7')}")
    none = up(of, with_host(facts, "gpu1", gpus=0)).refusals[0].problem.fix
    assert none.endswith(f"; or set {where('ray.num_gpus')}")
    health = assess(of, facts)
    assert (health.verdict, health.hosts[0].trouble) == (Verdict.DEGRADED, "the host shows 7 of its 8 GPUs")
    assert assess(of, with_host(facts, "gpu1", gpus=8)).hosts[0].gpus == 8


def test_each_rank_is_told_its_place_and_all_but_the_first_are_headless() -> None:
    shared = (
        "vllm serve Qwen/Qwen3-32B --distributed-executor-backend mp --nnodes 3 --master-addr 10.0.0.1"
        " --tensor-parallel-size 8 --pipeline-parallel-size 3 --node-rank"
    )
    assert lines(mp()) == {
        "gpu1": f"{shared} 0",
        "gpu2": f"{shared} 1 --headless",
        "gpu3": f"{shared} 2 --headless",
    }


def test_a_count_of_servers_is_for_the_first_rank_alone() -> None:
    """VLLM refuses one beside --headless, where there is no server."""
    told = lines(mp(), Model("a/b", ("--api_server_count=4", "-tp", "8")))
    assert told["gpu1"].endswith("--node-rank 0 --api_server_count=4 -tp 8")
    assert told["gpu2"].endswith("--node-rank 1 --headless -tp 8")


def test_data_parallel_ranks_that_are_each_on_one_host_meet_without_a_count_of_hosts() -> None:
    shared = (
        "vllm serve a/b --distributed-executor-backend mp --data-parallel-address 10.0.0.1"
        " --data-parallel-size-local 2 --data-parallel-rpc-port 29502"
        " --tensor-parallel-size 4 --pipeline-parallel-size 1"
    )
    assert lines(mp(), Model("a/b", ("-dp", "6"))) == {
        "gpu1": f"{shared} -dp 6",
        "gpu2": f"{shared} --data-parallel-start-rank 2 --headless -dp 6",
        "gpu3": f"{shared} --data-parallel-start-rank 4 --headless -dp 6",
    }
    given = "-dp 3 -dpl 1 -dpp 4000"
    assert lines(mp(), Model("a/b", tuple(given.split())))["gpu3"] == (
        "vllm serve a/b --distributed-executor-backend mp --data-parallel-address 10.0.0.1"
        f" --tensor-parallel-size 8 --pipeline-parallel-size 1 --data-parallel-start-rank 2 --headless {given}"
    )


def test_those_that_are_wider_than_a_host_are_counted_by_hosts() -> None:
    of = mp(workers=3)
    given = "-dp 2 -tp 8 -pp 2"
    assert lines(of, Model("a/b", tuple(given.split())))["gpu4"] == (
        "vllm serve a/b --distributed-executor-backend mp --nnodes 4 --master-addr 10.0.0.1"
        f" --data-parallel-rpc-port 29502 --node-rank 3 --headless {given}"
    )


def test_the_ranks_keepers_meet_on_the_head_two_ports_below_the_ranks() -> None:
    sent = specs(plan_serve(mp(), standing(mp()), PLAIN))
    assert [told["group"]["rank"] for told in sent.values()] == [0, 1, 2]
    assert {tuple(told["group"]["meet"]) for told in sent.values()} == {("10.0.0.1", 29499)}
    assert len({told["group"]["run"] for told in sent.values()}) == 1
    assert {told["url"] for told in sent.values()} == {"http://10.0.0.1:8000"}
    assert {(told["after"], *told["env"]) for told in sent.values()} == {(None,)}
    elsewhere = specs(plan_serve(mp(), standing(mp()), Model("a/b", ("--master-port", "4000"))))
    assert elsewhere["gpu1"]["group"]["meet"] == ["10.0.0.1", 3998]


def test_the_image_has_to_know_what_ranks_are_told() -> None:
    needs = {"--nnodes": "0.11.1", "--master-addr": "0.11.1", "--node-rank": "0.11.1"}
    assert specs(plan_serve(mp(), standing(mp()), PLAIN))["gpu2"]["needs"] == needs
    one = mp(workers=0)
    assert specs(plan_serve(one, standing(one), PLAIN))["gpu1"]["needs"] == {}


def test_on_one_host_vllm_is_told_of_no_other() -> None:
    of = mp(workers=0)
    assert lines(of) == {
        "gpu1": "vllm serve Qwen/Qwen3-32B --tensor-parallel-size 8 --pipeline-parallel-size 1"
    }
    assert specs(plan_serve(of, standing(of), PLAIN))["gpu1"]["group"] is None


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ("-tp 8 -pp 3", HOSTS),
        ("-tp 8 -pp 2", HOSTS[:2]),
        ("-tp 8 -pp 1", HOSTS[:1]),
        ("-tp 16 -pp 1", HOSTS[:2]),
        ("-tp 4", HOSTS),
        ("-tp 3 -pp 5", HOSTS),  # nothing fits: vLLM says so
        ("--data-parallel-size 3", HOSTS),
        ("-dp 3 -tp 8", HOSTS),
        ("-dp 2 -tp 8 -pp 1", HOSTS[:2]),
        ("-dp 2 -tp 4 -pp 1", HOSTS[:1]),
        ("-dp 6", HOSTS),
        ("-dp 3 -dpl 1", HOSTS),
        ("-pcp 2 -tp 8 -pp 1", HOSTS[:2]),
        ("--tensor-parallel 16", HOSTS[:2]),
    ],
)
def test_as_few_hosts_take_part_as_the_sizes_need(given: str, hosts: tuple[str, ...]) -> None:
    assert tuple(lines(mp(), Model("a/b", tuple(given.split())))) == hosts


@pytest.mark.parametrize(
    ("third", "sizes", "hosts"),
    [
        (4, "--tensor-parallel-size 8 --pipeline-parallel-size 2", HOSTS[:2]),
        (6, "--tensor-parallel-size 6 --pipeline-parallel-size 3", HOSTS),
    ],
)
def test_on_hosts_that_are_not_alike_as_many_ranks_on_each_as_make_the_most_of_them(
    third: int, sizes: str, hosts: tuple[str, ...]
) -> None:
    of = mp()
    of = replace(of, workers=(of.workers[0], replace(of.workers[1], num_gpus=third)))
    assert sizes in lines(of)["gpu1"]
    assert tuple(lines(of)) == hosts


def test_more_gpus_than_there_are() -> None:
    asked = plan_serve(mp(), standing(mp()), Model("a/b", ("-tp", "32")))
    ((_, why),) = why_not(asked)
    assert why == "tensor parallel 32 needs 32 GPUs, and with as many on each host there are 24"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("-dp 5 -tp 4", "5 data-parallel ranks of 4 GPUs each do not come out even on 3 hosts"),
        ("-dp 3 -dpl 3", "--data-parallel-size-local 3: 3 data-parallel ranks on 3 hosts are 1 on each"),
        ("--distributed-executor-backend ray", "--distributed-executor-backend ray: this cluster has no Ray"),
        ("-dp 3 -dpb ray", "--data-parallel-backend ray: this cluster has no Ray"),
        (
            "-dp 2 -dpl 1 --data-parallel-hybrid-lb",
            "--data-parallel-hybrid-lb: vLLM would want a server on every",
        ),
    ],
)
def test_what_contradicts_the_engine_is_refused_before_anything_starts(given: str, why: str) -> None:
    ((_, said),) = why_not(plan_serve(mp(), standing(mp()), Model("a/b", tuple(given.split()))))
    assert said.startswith(why)


@pytest.mark.parametrize(
    ("given", "works"),
    [
        ("-dp 5 -tp 4", "-tp 4 --data-parallel-size 3"),
        ("-dp 3 -dpl 3", "-dp 3"),
        ("-dp 2 -tp 12 -pp 1 -dpl 1", ""),
    ],
)
def test_data_parallel_ranks_that_do_not_come_out_even_are_told_with_a_line_that_works(
    given: str, works: str
) -> None:
    words, instead = tuple(given.split()), tuple(works.split())
    (refused,) = plan_serve(mp(), standing(mp()), Model("a/b", words)).refusals
    assert refused.problem.fix == again(Model("a/b", instead))
    assert not plan_serve(mp(), standing(mp()), Model("a/b", instead)).refusals


def test_sizes_are_not_guessed_where_nobody_can_count_the_gpus() -> None:
    of = mp(workers=0)
    of = replace(of, head=replace(of.head, accelerator=Accelerator.AMD, num_gpus=None))
    assert why_not(plan_serve(of, standing(of), PLAIN)) == [("gpu1", "how many GPUs it has is not known")]
    assert lines(of, Model("a/b", ("-tp", "1", "-pp", "1"))) == {"gpu1": "vllm serve a/b -tp 1 -pp 1"}


@pytest.mark.parametrize(
    "broken",
    [
        Unreachable("does not answer", "plug it in"),
        bare_host(node(2), docker=docker_problem(1, "Docker is gone")),
        bare_host(node(2)),
    ],
)
def test_without_the_container_of_a_rank_nothing_is_served(broken: Any) -> None:
    ((host, _),) = why_not(plan_serve(mp(), standing(mp()) | {"gpu2": broken}, PLAIN))
    assert host == "gpu2"


def test_serving_waits_for_every_rank() -> None:
    assert outline(plan_serve(mp(), standing(mp()), PLAIN)) == [
        ("Start the server", [f"{host}: start vLLM" for host in HOSTS]),
        (
            "Wait for qwen3-32b",
            [
                "gpu1: wait until it answers",
                "gpu2: wait for its part",
                "gpu3: wait for its part",
            ],
        ),
    ]


def test_what_is_served_already_needs_nothing() -> None:
    assert not plan_serve(mp(), serving(mp()), QWEN).phases


def test_a_rank_whose_keeper_is_gone_is_started_and_the_others_stay() -> None:
    facts = with_host(serving(mp()), "gpu3", served=())
    assert list(specs(plan_serve(mp(), facts, QWEN))) == ["gpu3"]


def test_when_the_heads_keeper_is_gone_or_the_hosts_are_others_all_are_started() -> None:
    facts = with_host(serving(mp()), "gpu1", served=())
    assert list(specs(plan_serve(mp(), facts, QWEN))) == list(HOSTS)
    fewer = mp(workers=1)
    assert list(specs(plan_serve(fewer, serving(mp()), QWEN))) == ["gpu1", "gpu2"]


def test_up_gives_a_rank_whose_container_is_new_its_part() -> None:
    facts = with_container(serving(mp()), "gpu3", running=False, status="exited")
    facts = with_host(with_host(facts, "gpu3", served=()), "gpu1", served=(waiting(mp(), "gpu3"),))
    last = outline(up(mp(), facts))[-1][1]
    assert last[-2:] == ["gpu3: wait until it runs", "gpu3: start vLLM"]
    assert list(specs(up(mp(), facts))) == ["gpu3"]
    assert specs(up(mp(), facts))["gpu3"]["group"]["run"] == run_of(mp(), QWEN)


@pytest.mark.parametrize("offline", [True, False])
def test_a_part_that_is_started_again_asks_the_hub_as_little_as_the_others(offline: bool) -> None:
    facts = with_container(serving(mp()), "gpu3", running=False, status="exited")
    first = replace(waiting(mp(), "gpu3"), offline=offline)
    facts = with_host(with_host(facts, "gpu3", served=()), "gpu1", served=(first,))
    expected = {"HF_HUB_OFFLINE": "1"} if offline else {}
    assert specs(up(mp(), facts))["gpu3"]["env"].items() >= expected.items()
    assert specs(up(mp(), facts))["gpu3"]["offline"] is offline


def test_up_starts_no_rank_where_the_head_serves_nothing_or_is_new() -> None:
    idle = with_container(standing(mp()), "gpu3", running=False, status="exited")
    assert specs(up(mp(), idle)) == {}
    new_head = with_container(serving(mp()), "gpu1", running=False, status="exited")
    assert specs(up(mp(), with_container(new_head, "gpu3", running=False, status="exited"))) == {}


def test_it_is_healthy_only_while_it_answers_and_every_rank_is_there() -> None:
    health = assess(mp(), serving(mp()))
    assert health.verdict is Verdict.HEALTHY
    (model,) = health.models
    assert (model.answers, model.ranks, model.missing) == (True, 3, ())
    assert {(host.ray, host.joined) for host in health.hosts} == {(None, True)}


AGAIN = ours("serve", "Qwen/Qwen3-32B", "--", "--max-model-len", "4096")


@pytest.mark.parametrize(
    ("host", "now", "fix"),
    [
        ("gpu1", lambda of: (waiting(of, "gpu3"),), ""),
        ("gpu3", lambda _: (), AGAIN),
        ("gpu3", lambda of: (rank_of(of, 2, supervised=False),), AGAIN),
    ],
)
def test_a_rank_that_is_missing_by_either_hosts_word_is_no_answer(host: str, now: Any, fix: str) -> None:
    health = assess(mp(), with_host(serving(mp()), host, served=now(mp())))
    assert health.verdict is Verdict.DEGRADED
    (model,) = health.models
    assert (model.answers, model.missing) == (False, ("gpu3",))
    assert (model.trouble, model.fix) == ("it waits for gpu3", fix)


def test_stop_ends_every_rank_and_names_the_host_that_cannot_be_asked() -> None:
    plan = plan_stop(mp(), serving(mp()) | {"gpu3": Unreachable("does not answer")})
    assert outline(plan) == [("Stop the server", ["gpu1: stop vLLM", "gpu2: stop vLLM"])]
    assert [each.host for each in plan.refusals] == ["gpu3"]


def test_down_has_no_token_to_forget_unless_ray_left_one() -> None:
    titles = [step.title for step in plan_down(mp(), standing(mp()))]
    assert "remove Ray's token" not in titles
    left = with_host(standing(mp()), "gpu2", token=SEALED.token)
    assert [step.host for step in plan_down(mp(), left) if step.title == "remove Ray's token"] == ["gpu2"]


def test_restart_gives_every_host_a_new_container() -> None:
    plan = plan_restart(mp(), standing(mp()), SEALED)
    assert [change.host for change in plan.changes] == list(HOSTS)


def test_the_ports_that_are_needed_and_those_the_firewall_has_to_let_through() -> None:
    of = mp()
    assert list(engine.of(of).required_ports(of, of.head)) == [29499, 29501]
    assert engine.of(of).required_ports(of, of.workers[0]) == {}
    assert "--dports 29499:29599,32768:60999 " in firewall_rule(of, {"gpu1": "10.0.0.1"})
    assert engine.of(of).probe_ports(of, of.head, frozenset({60999})) == (29499, 29501, 60998)
    assert engine.rendezvous(of, frozenset()) == 60998

"""Several models on one cluster: GPUs, ports, hosts and names, given out without a clash; each refusal with a way."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.cluster import Accelerator, Cluster, Engine, Model
from orchestrator.plan import engine
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.facts.host import Facts, HostFacts, Listener, Unreachable
from orchestrator.plan.serving.plan import plan_serve, plan_stop
from orchestrator.plan.serving.servers import again
from orchestrator.plan.serving.state import parse_served
from orchestrator.plan.status.health import Verdict, assess
from orchestrator.plan.steps import Plan, Run, StepKind
from orchestrator.plan.typed import ours
from tests.plan.worlds import NOW, SEALED, bare_host, cluster, container, outline, standing, with_host

ONE, TWO = Model("org/One"), Model("org/Two")


def of(kind: Engine, **changes: Any) -> Cluster:
    made = cluster(engine=kind, **changes)
    return engine.of(made).normalized(made)


def stands(which: Cluster) -> Facts:
    if which.engine.has_ray:
        return standing(which)
    return {each.name: bare_host(each, docker=(container(which, each),)) for each in which.nodes}


def specs(plan: Plan) -> dict[str, dict[str, Any]]:
    """What each host's supervisor is sent."""
    starts = (step for step in plan if isinstance(step, Run) and step.kind is StepKind.START_SERVER)
    return {step.host: json.loads(json.loads(step.command.input())["spec"]) for step in starts}


def sent(which: Cluster, facts: Facts, model: Model) -> dict[str, dict[str, Any]]:
    plan = plan_serve(which, facts, model)
    assert not plan.refusals, plan.refusals
    return specs(plan)


def with_served(which: Cluster, facts: Facts, model: Model, **report: Any) -> Facts:
    """The facts once it answers."""
    for host, spec in sent(which, facts, model).items():
        here = facts[host]
        assert isinstance(here, HostFacts)
        state = {"is": "answering", "since": NOW - 60, "starts": 1, "answered": True}
        told = {"server": spec["name"], "spec": spec, "state": state, "supervised": True, "now": NOW}
        told |= {"trouble": "", "name": spec["model"], "lines": []} | report
        one = parse_served(json.dumps(told))
        assert one
        facts = with_host(facts, host, served=(*here.served, one))
    return facts


def why_not(plan: Plan) -> list[tuple[str, str, str]]:
    assert not plan.phases
    return [(each.host, each.problem.text, each.problem.fix) for each in plan.refusals]


BOTH = pytest.mark.parametrize("kind", [Engine.RAY, Engine.MP])


# --- GPUs ---


@BOTH
def test_the_first_takes_all_and_a_second_is_told_who_has_them_and_what_makes_room(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), ONE)
    room = f"{ours('serve stop', 'one')} ends that one, and {ours('serve', 'org/One', '--gpus', '12')} leaves some"
    refused = ("gpu1", "no GPU is free: one has 24 on gpu1, gpu2, gpu3", room)
    assert why_not(plan_serve(which, facts, TWO)) == [refused]


@BOTH
def test_of_eight_on_the_head_the_second_has_the_rest(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, gpus=8))
    second = sent(which, facts, TWO)
    assert list(second) == (["gpu2"] if which.engine.has_ray else ["gpu2", "gpu3"])
    (spec, *_) = second.values()
    assert spec["share"]["gpus"] == {"gpu2": 8, "gpu3": 8}
    assert "--tensor-parallel-size 8 --pipeline-parallel-size 2" in " ".join(spec["argv"])


@BOTH
def test_more_than_are_free_is_refused_with_the_number_that_works(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, gpus=8))
    text = "24 GPUs are asked for, and 16 are free: one has 8 on gpu1"
    refused = ("gpu1", text, ours("serve", "org/Two", "--gpus", "16"))
    assert why_not(plan_serve(which, facts, replace(TWO, gpus=24))) == [refused]


@BOTH
def test_a_few_are_taken_where_the_fewest_are_left_over(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, gpus=4))
    assert list(sent(which, facts, replace(TWO, gpus=4))) == ["gpu1"]
    assert list(sent(which, facts, replace(TWO, gpus=8))) == ["gpu2"]


@BOTH
def test_sizes_that_a_person_gives_hold_no_more_than_they_need(kind: Engine) -> None:
    which = of(kind)
    model = replace(ONE, args=("-tp", "4", "-pp", "1"))
    facts = with_served(which, stands(which), model)
    assert sent(which, stands(which), model)["gpu1"]["share"]["gpus"] == {"gpu1": 4}
    assert list(sent(which, facts, replace(TWO, args=("-tp", "8", "-pp", "1")))) == ["gpu2"]


@BOTH
def test_one_that_has_ended_for_good_holds_nothing_and_one_whose_keeper_was_killed_does(kind: Engine) -> None:
    which, gone = of(kind), {"supervised": False, "trouble": "nothing is served"}
    over = with_served(which, stands(which), ONE, **gone, state={"is": "ended", "since": NOW})
    assert sent(which, over, TWO)
    killed = with_served(which, stands(which), ONE, **gone)
    assert "one has 24 on" in why_not(plan_serve(which, killed, TWO))[0][1]


def gpu_hosts(accelerator: Accelerator = Accelerator.NVIDIA, **changes: Any) -> Cluster:
    which = of(Engine.MP)
    nodes = [replace(each, accelerator=accelerator, **changes) for each in which.nodes]
    return replace(which, head=nodes[0], workers=tuple(nodes[1:]))


@pytest.mark.parametrize(
    ("accelerator", "variable"),
    [
        (Accelerator.NVIDIA, "CUDA_VISIBLE_DEVICES"),
        (Accelerator.AMD, "HIP_VISIBLE_DEVICES"),
        (Accelerator.ASCEND, "ASCEND_RT_VISIBLE_DEVICES"),
    ],
)
def test_each_rank_sees_its_own_devices_alone(accelerator: Accelerator, variable: str) -> None:
    which = gpu_hosts(accelerator)
    facts = with_served(which, stands(which), replace(ONE, gpus=12, hosts="gpu1,gpu2"))
    facts = with_served(which, facts, replace(TWO, hosts="gpu2"))
    env = {each.name: spec(facts, "gpu2", each.name) for each in seen(facts, "gpu2").served}
    assert env == {"one": ("0", "1", "2", "3", "4", "5"), "two": ("6", "7")}
    first = sent(which, stands(which), replace(ONE, gpus=12, hosts="gpu1,gpu2"))
    assert {host: told["env"] for host, told in first.items()} == {
        "gpu1": {variable: "0,1,2,3,4,5"},
        "gpu2": {variable: "0,1,2,3,4,5"},
    }


def seen(facts: Facts, host: str) -> HostFacts:
    here = facts[host]
    assert isinstance(here, HostFacts)
    return here


def spec(facts: Facts, host: str, name: str) -> tuple[str, ...]:
    (share,) = (each.share for each in seen(facts, host).served if each.name == name)
    assert share
    return share.devices[host]


def test_with_ray_what_runs_without_it_has_devices_of_its_own_too() -> None:
    which = of(Engine.RAY)
    nodes = [replace(each, accelerator=Accelerator.NVIDIA) for each in which.nodes]
    which = replace(which, head=nodes[0], workers=tuple(nodes[1:]))
    facts = with_served(which, stands(which), replace(ONE, gpus=4, args=PLAIN))
    second = sent(which, facts, replace(TWO, hosts="gpu1", args=PLAIN))["gpu1"]
    assert second["env"]["CUDA_VISIBLE_DEVICES"] == "4,5,6,7"
    assert "CUDA_VISIBLE_DEVICES" not in sent(which, stands(which), ONE)["gpu1"]["env"]


PLAIN = ("--distributed-executor-backend", "mp")


def test_what_ray_may_give_twice_is_refused_whichever_comes_first() -> None:
    """Ray does not know of the GPUs of a model that runs without it."""
    which = of(Engine.RAY)
    without = with_served(which, stands(which), replace(ONE, gpus=4, args=PLAIN))
    where = "on gpu1 without Ray (--distributed-executor-backend mp)"
    text = f"one has its GPUs {where}, which may give them to this one, too"
    for second in (
        replace(TWO, gpus=4),
        replace(TWO, gpus=16),
    ):  # on that host; on two others, which Ray may change
        assert why_not(plan_serve(which, without, second)) == [
            (
                plan_serve(which, without, second).refusals[0].host,
                text,
                f"{ours('serve stop', 'one')} ends that one",
            )
        ]
    by_ray = with_served(which, stands(which), replace(ONE, gpus=16))
    ((_, text, fix),) = why_not(plan_serve(which, by_ray, replace(TWO, hosts="gpu3", args=PLAIN)))
    assert text == (
        "one has its GPUs from Ray, which may give it those of this one, too (--distributed-executor-backend mp)"
    )
    assert (
        fix == f"{again(replace(TWO, hosts='gpu3', args=()))}; or {ours('serve stop', 'one')} ends that one"
    )


def test_on_hosts_of_their_own_one_with_ray_and_one_without_are_both_served() -> None:
    which = of(Engine.RAY)
    without = with_served(which, stands(which), replace(ONE, gpus=8, args=PLAIN))
    assert sent(which, without, replace(TWO, gpus=8))["gpu2"]["share"]["gpus"] == {"gpu2": 8}
    by_ray = with_served(which, stands(which), replace(ONE, gpus=8))
    assert list(sent(which, by_ray, replace(TWO, hosts="gpu3", args=PLAIN))) == ["gpu3"]


def test_a_model_that_has_all_of_its_hosts_needs_no_variable() -> None:
    which = gpu_hosts()
    assert {host: told["env"] for host, told in sent(which, stands(which), ONE).items()} == {
        "gpu1": {},
        "gpu2": {},
        "gpu3": {},
    }


def test_what_a_person_hides_stays_hidden_and_is_not_counted() -> None:
    which = gpu_hosts(num_gpus=None, env=(("CUDA_VISIBLE_DEVICES", "4,5,6,7"),))
    facts: Facts = {host: replace(seen(stands(which), host), gpus=8) for host in ("gpu1", "gpu2", "gpu3")}
    told = sent(which, facts, replace(ONE, gpus=2))
    assert {host: each["env"] for host, each in told.items()} == {"gpu1": {"CUDA_VISIBLE_DEVICES": "4,5"}}
    rest = with_served(which, facts, replace(ONE, gpus=2))
    second = sent(which, rest, replace(TWO, hosts="gpu1"))
    assert second["gpu1"]["env"] == {"CUDA_VISIBLE_DEVICES": "6,7"}
    assert sent(which, facts, ONE)["gpu1"]["env"] == {}


def test_where_a_cpu_is_taken_for_a_gpu_nobody_counts_them() -> None:
    which = gpu_hosts(Accelerator.NONE, num_gpus=None)
    facts = with_served(which, stands(which), ONE)
    assert list(sent(which, facts, TWO)) == ["gpu1", "gpu2", "gpu3"]


# --- ports ---


@BOTH
def test_each_has_the_first_port_that_nobody_has_and_vllm_is_told_of_it(kind: Engine) -> None:
    which = of(kind)
    first = sent(which, stands(which), replace(ONE, gpus=8))
    facts = with_served(which, stands(which), replace(ONE, gpus=8))
    second = sent(which, facts, replace(TWO, gpus=8))
    (one,), (two,) = first.values(), second.values()
    assert (one["url"], "--port" in one["argv"]) == ("http://10.0.0.1:8000", False)
    assert (two["url"], two["argv"][3:5]) == ("http://10.0.0.2:8001", ["--port", "8001"])


@BOTH
def test_one_at_which_another_program_listens_is_passed_over(kind: Engine) -> None:
    which = of(kind)
    held = (Listener("*", 8000), Listener("127.0.0.1", 8001))
    facts = with_host(stands(which), "gpu1", listeners=held)
    assert sent(which, facts, ONE)["gpu1"]["url"] == "http://10.0.0.1:8002"
    asked = sent(which, facts, replace(ONE, port=8000))
    assert asked["gpu1"]["url"] == "http://10.0.0.1:8000"  # where vLLM will say what it finds


@BOTH
@pytest.mark.parametrize(
    ("model", "fix"),
    [
        (replace(TWO, port=8000), ours("serve", "org/Two", "--port", "8001")),
        (replace(TWO, args=("--port", "8000")), ours("serve", "org/Two", "--", "--port", "8001")),
    ],
)
def test_one_that_another_model_has_is_refused_with_one_that_is_free(
    kind: Engine, model: Model, fix: str
) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, gpus=8))
    assert why_not(plan_serve(which, facts, model))[0][1:] == ("port 8000 is one's", fix)


@BOTH
def test_two_ports_for_one_model_contradict_each_other(kind: Engine) -> None:
    which = of(kind)
    ((_, text, _),) = why_not(plan_serve(which, stands(which), replace(ONE, port=1, args=("--port", "2"))))
    assert text == "--port 1, and --port 2 among vLLM's arguments"


def test_ranks_of_each_model_meet_at_ports_of_their_own() -> None:
    which = of(Engine.MP)
    half = "gpu1,gpu2"
    first = replace(ONE, gpus=10, hosts=half, args=("-dp", "2", "-tp", "5", "-pp", "1"))
    facts = with_served(which, stands(which), first)
    assert sent(which, stands(which), first)["gpu1"]["share"]["ports"] == [29499, 29501, 29502]
    second = sent(which, facts, replace(TWO, hosts=half, args=("-dp", "2", "-tp", "3", "-pp", "1")))["gpu1"]
    assert second["group"]["meet"] == ["10.0.0.1", 29509]
    said = " ".join(second["argv"])
    assert (
        "--data-parallel-address 10.0.0.1 --data-parallel-size-local 1 --data-parallel-rpc-port 29512" in said
    )
    staged = sent(which, facts, replace(TWO, hosts=half, args=("-tp", "3", "-pp", "2")))["gpu1"]
    assert "--master-addr 10.0.0.1 --master-port 29511" in " ".join(staged["argv"])


@pytest.mark.parametrize("given", ["--master-port 29501", "--data-parallel-rpc-port 29499"])
def test_a_port_for_ranks_that_another_model_has_is_refused(given: str) -> None:
    which = of(Engine.MP)
    half = "gpu1,gpu2"
    facts = with_served(which, stands(which), replace(ONE, gpus=12, hosts=half))
    two = replace(TWO, hosts=half, args=tuple(given.split()))
    ((_, text, fix),) = why_not(plan_serve(which, facts, two))
    assert text == f"{given}: that port is one's"
    assert fix == ours("serve", "org/Two", "-l", half)


def test_ranks_never_meet_where_the_api_listens() -> None:
    which = of(Engine.MP)
    argv = sent(which, stands(which), replace(ONE, args=("--port", "29501")))["gpu1"]["argv"]
    assert "--master-addr 10.0.0.1 --master-port 29511" in " ".join(argv)
    both = replace(ONE, args=("--port", "9000", "--master-port", "9000"))
    ((_, text, fix),) = why_not(plan_serve(which, stands(which), both))
    assert (text, fix) == (
        "--master-port 9000: that port is the API's",
        ours("serve", "org/One", "--", "--port", "9000"),
    )


@pytest.mark.parametrize("given", ["--master-addr 10.0.0.2", "--data-parallel-address 10.0.0.3"])
def test_an_address_to_meet_at_that_is_not_the_first_ranks_is_refused(given: str) -> None:
    which = of(Engine.MP)
    ((_, text, fix),) = why_not(plan_serve(which, stands(which), replace(ONE, args=tuple(given.split()))))
    assert text == f"{given} is gpu{given[-1]}'s, and the first rank is on gpu1"
    assert fix == ours("serve", "org/One")


# --- hosts ---


def test_ranks_are_on_the_hosts_that_are_named_and_the_first_of_them_leads() -> None:
    which = of(Engine.MP)
    told = sent(which, stands(which), replace(ONE, hosts="workers"))
    assert {host: each["group"]["rank"] for host, each in told.items()} == {"gpu2": 0, "gpu3": 1}
    assert told["gpu3"]["group"]["meet"] == ["10.0.0.2", 29499]
    assert told["gpu2"]["url"] == "http://10.0.0.2:8000"


def test_with_ray_vllm_runs_on_the_host_that_is_named_and_has_its_gpus() -> None:
    which = of(Engine.RAY)
    told = sent(which, stands(which), replace(ONE, hosts="gpu3"))
    assert list(told) == ["gpu3"]
    assert told["gpu3"]["share"]["gpus"] == {"gpu3": 8}
    assert (told["gpu3"]["url"], told["gpu3"]["after"]) == ("http://10.0.0.3:8000", ["10.0.0.1", 6379])


def test_with_ray_several_hosts_that_are_not_all_cannot_be_promised() -> None:
    which = of(Engine.RAY)
    ((host, text, fix),) = why_not(plan_serve(which, stands(which), replace(ONE, hosts="gpu2,gpu3")))
    assert (host, text) == ("gpu2", "gpu2, gpu3: Ray spreads a model over hosts as it likes")
    assert fix.startswith(f"{ours('serve', 'org/One', '-l', 'gpu2')}, or {ours('serve', 'org/One')}; ")
    assert sent(which, stands(which), replace(ONE, hosts="*"))


@BOTH
def test_where_the_named_host_is_taken_a_free_one_is_named(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, hosts="gpu2"))
    refused = ("gpu2", "no GPU is free on gpu2: one has 8 on gpu2", ours("serve", "org/Two", "-l", "gpu1"))
    assert why_not(plan_serve(which, facts, replace(TWO, hosts="gpu2"))) == [refused]


@BOTH
def test_a_named_host_that_is_not_up_is_refused_and_one_that_need_not_be_there_is_passed_over(
    kind: Engine,
) -> None:
    which = of(kind)
    facts = stands(which) | {"gpu2": Unreachable("does not answer")}
    ((host, text, _),) = why_not(plan_serve(which, facts, replace(ONE, hosts="gpu2")))
    assert (host, text) == ("gpu2", "does not answer")
    facts = with_served(which, facts, replace(ONE, hosts="gpu1"))
    if not which.engine.has_ray:
        assert list(sent(which, facts, replace(TWO, gpus=8))) == ["gpu3"]


# --- the same again, its end, and new containers ---


@BOTH
def test_one_that_is_served_is_found_again_whatever_was_served_and_stopped_meanwhile(kind: Engine) -> None:
    which = of(kind)
    first = with_served(which, stands(which), replace(ONE, gpus=8))
    facts = with_served(which, first, TWO)
    without: Facts = {
        host: replace(here, served=tuple(each for each in here.served if each.name == "two"))
        for host, here in facts.items()
        if isinstance(here, HostFacts)
    }
    assert plan_serve(which, without, TWO).phases == ()
    assert plan_serve(which, facts, replace(ONE, gpus=8)).phases == ()


@BOTH
def test_stop_needs_a_name_where_there_are_several_and_ends_that_one_alone(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, with_served(which, stands(which), replace(ONE, gpus=8)), TWO)
    text = "2 models are served: one, two"
    fix = f"name one, as in {ours('serve stop', 'one')}; all: {ours('serve stop', '--all')}"
    assert why_not(plan_stop(which, facts)) == [("gpu1", text, fix)]
    for word in ("one", "org/One"):
        assert outline(plan_stop(which, facts, word)) == [("Stop the server", ["gpu1: stop vLLM"])]
    everything = plan_stop(which, facts, everything=True)
    hosts = {"gpu1", "gpu2"} | (set() if which.engine.has_ray else {"gpu3"})
    assert {change.host for change in everything.changes} == hosts
    ((_, text, _),) = why_not(plan_stop(which, facts, "three"))
    assert text == "nothing called three is served; served are one, two"


@BOTH
def test_the_cluster_is_healthy_only_while_all_answer_and_each_has_its_line(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, gpus=8))
    good = assess(which, with_served(which, facts, TWO))
    assert good.verdict is Verdict.HEALTHY
    assert [(each.name, each.host, each.gpus) for each in good.models] == [
        ("one", "gpu1", 8),
        ("two", "gpu2", 16),
    ]
    bad = assess(which, with_served(which, facts, TWO, trouble="timed out"))
    assert bad.verdict is Verdict.DEGRADED
    assert [each.answers for each in bad.models] == [True, False]


@BOTH
def test_up_that_replaces_a_container_names_each_model_that_ends_with_it(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), replace(ONE, hosts="gpu2", gpus=4))
    facts = with_served(which, facts, replace(TWO, hosts="gpu2", named="deux"))
    facts = with_served(which, facts, Model("org/Three", hosts="gpu3"))
    container = seen(facts, "gpu2").containers[0]
    plan = plan_up(which, with_host(facts, "gpu2", docker=(replace(container, spec="another"),)), SEALED)
    told = {each.problem.text: each.problem.fix for each in plan.warnings if "ends with" in each.problem.text}
    assert told == {
        "deux (org/Two), which answers on :8001, ends with its old container": (
            f"once the cluster is up: {ours('serve', 'org/Two', '--name', 'deux', '-l', 'gpu2')}"
        ),
        "org/One, which answers on :8000, ends with its old container": (
            f"once the cluster is up: {ours('serve', 'org/One', '-l', 'gpu2', '--gpus', '4')}"
        ),
    }


@BOTH
def test_up_that_replaces_a_container_names_each_model_that_has_a_part_in_it(kind: Engine) -> None:
    which = of(kind)
    facts = with_served(which, stands(which), ONE)
    container = seen(facts, "gpu3").containers[0]
    plan = plan_up(which, with_host(facts, "gpu3", docker=(replace(container, spec="another"),)), SEALED)
    text = "org/One, which has a part there, is interrupted, and goes on by itself"
    assert [(each.host, each.problem.text) for each in plan.warnings if "org/One" in each.problem.text] == [
        ("gpu3", text)
    ]


def test_a_rank_whose_container_is_new_is_given_back_its_part_of_each_model() -> None:
    which = of(Engine.MP)
    facts = with_served(which, with_served(which, stands(which), replace(ONE, gpus=15)), TWO)
    before = {each.name: each.share for each in seen(facts, "gpu3").served}
    new = with_host(facts, "gpu3", docker=(), served=())
    told = [
        json.loads(json.loads(step.command.input())["spec"])
        for step in plan_up(which, new, SEALED)
        if isinstance(step, Run) and step.kind is StepKind.START_SERVER
    ]
    assert {each["name"]: each["group"]["rank"] for each in told} == {"one": 2, "two": 2}
    for each in told:
        share = before[each["name"]]
        assert share
        assert each["share"]["devices"]["gpu3"] == list(share.devices["gpu3"])
        assert each["argv"][:3] == ["vllm", "serve", each["model"]]
        assert each["argv"][-3:] == ["--node-rank", "2", "--headless"]


def test_a_server_whose_first_host_has_lost_it_waits_for_that_host() -> None:
    which = of(Engine.MP)
    facts = with_host(with_served(which, stands(which), ONE), "gpu1", served=())
    (model,) = assess(which, facts).models
    assert (model.answers, model.missing, model.trouble) == (False, ("gpu1",), "it waits for gpu1")
    assert model.fix == ours("serve", "org/One")

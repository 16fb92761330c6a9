"""The plans of `serve` and `serve stop`, and the lines that vLLM is started with."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.model.cluster import SERVER, Cluster, Liveness, Model, Ray, server_name
from orchestrator.plan import docker
from orchestrator.plan.actions.rollback import FailedRun
from orchestrator.plan.actions.up import plan_up
from orchestrator.plan.docker.shell_texts import PYTHON
from orchestrator.plan.facts.host import Address, Facts, HostFacts, RayTrouble, Unreachable
from orchestrator.plan.problem import HostProblem
from orchestrator.plan.remedies import docker_problem
from orchestrator.plan.serving.plan import plan_serve, plan_stop, plan_unserve
from orchestrator.plan.serving.servers import again
from orchestrator.plan.status.health import Verdict, assess
from orchestrator.plan.steps import OnFailure, Plan, Run, StepKind, Wait
from orchestrator.plan.typed import has_line, host_command, ours
from tests.plan.worlds import (
    SEALED,
    cluster,
    node,
    outline,
    ray_node,
    seen,
    standing,
    with_container,
    with_host,
    with_table,
)
from tests.typed_lines import plainly

from .worlds import NAME, QWEN, URL, ended, serving, starting, unresponsive
from .worlds import seen as told_by

PLAIN = Model("Qwen/Qwen3-32B")
SERVES = [
    ("Start the server", ["gpu1: start vLLM"]),
    ("Wait for qwen3-32b", ["gpu1: wait until it answers"]),
]
WAITS = [("Wait for qwen3-32b", ["gpu1: wait until it answers", "gpu1: send it a request"])]
BY_RAY = ["--distributed-executor-backend", "ray"]


def spec(plan: Plan) -> dict[str, Any]:
    """What the head's supervisor is sent."""
    (start,) = (step for step in plan if step.kind is StepKind.START_SERVER)
    assert isinstance(start, Run)
    told: dict[str, Any] = json.loads(json.loads(start.command.input())["spec"])
    return told


def served(model: Model, of: Cluster | None = None, facts: Facts | None = None) -> dict[str, Any]:
    of = of or cluster()
    return spec(plan_serve(of, facts or standing(of), model))


def why_not(plan: Plan) -> tuple[str, str]:
    assert not plan.phases
    (refusal,) = plan.refusals
    assert refusal.host == "gpu1"
    return refusal.problem.text, refusal.problem.fix


# --- what is done ---


def test_it_is_started_and_waited_for_and_its_supervisor_asks_it_for_a_token() -> None:
    plan = plan_serve(cluster(), standing(cluster()), PLAIN)
    assert outline(plan) == SERVES
    (change,) = plan.changes
    assert (change.host, change.what) == (
        "gpu1",
        "serve Qwen/Qwen3-32B: tensor parallel 8, pipeline parallel 3, for 8 GPUs on each of 3 hosts",
    )
    assert {phase.on_failure for phase in plan.phases} == {OnFailure.STOP}


def test_how_it_is_watched_is_told_to_its_supervisor_which_tells_it_again() -> None:
    wanted = replace(PLAIN, liveness=Liveness.OFF, stalled_after=120)
    plan = plan_serve(cluster(), standing(cluster()), wanted)
    told = spec(plan)
    assert (told["liveness"], told["stalled_after"]) == (False, 7200)
    (wait,) = (step for step in plan if isinstance(step, Wait))
    assert wait.within > 7200  # so that the supervisor, which knows why, ends it first
    told_again = told_by(spec=told).model
    assert (told_again.liveness, told_again.stalled_after) == (Liveness.OFF, 120)


def test_one_that_is_not_to_be_asked_by_its_supervisor_is_asked_once_it_is_well() -> None:
    plan = plan_serve(cluster(), standing(cluster()), replace(PLAIN, liveness=Liveness.OFF))
    assert outline(plan) == [*SERVES[:1], *WAITS]


def test_one_that_answers_is_left_alone() -> None:
    assert plan_serve(cluster(), serving(cluster()), QWEN).phases == ()


def test_one_that_still_loads_is_only_waited_for_and_asked_for_its_supervisor_may_be_older() -> None:
    plan = plan_serve(cluster(), serving(cluster(), **starting()), QWEN)
    assert outline(plan) == WAITS


def test_a_supervisor_from_before_names_cannot_wait_for_a_change_and_is_looked_at_now_and_then() -> None:
    spec = {"model": QWEN.name, "args": list(QWEN.args), "url": URL, "group": None}
    plan = plan_serve(cluster(), serving(cluster(), **starting(), spec=spec), QWEN)
    (wait,) = (step for step in plan if isinstance(step, Wait))
    assert (wait.probe.argv[-2:], wait.of_several, wait.every) == (("inspect", "400"), None, 5)


def test_one_that_answers_nothing_is_started_again_at_once_with_all_its_ranks() -> None:
    plan = plan_serve(cluster(), serving(cluster(), **unresponsive()), QWEN)
    assert outline(plan) == SERVES
    assert [change.host for change in plan.changes] == ["gpu1"]


def test_one_that_is_started_again_is_only_waited_for() -> None:
    plan = plan_serve(cluster(), serving(cluster(), **ended() | {"supervised": True}), QWEN)
    assert outline(plan) == WAITS


@pytest.mark.parametrize("model", [QWEN, PLAIN])
def test_one_that_has_ended_makes_room_for_any(model: Model) -> None:
    assert outline(plan_serve(cluster(), serving(cluster(), **ended()), model)) == SERVES


def test_one_whose_keeper_was_killed_is_started_anew() -> None:
    plan = plan_serve(cluster(), serving(cluster(), supervised=False, trouble="nothing is served"), QWEN)
    assert outline(plan) == SERVES


def test_a_keeper_that_gives_no_answer_is_not_taken_for_none() -> None:
    facts = standing(cluster())
    head = facts["gpu1"]
    assert isinstance(head, HostFacts)
    mute = facts | {"gpu1": replace(head, unheard="no answer in time")}
    said = ("what it serves is not known: no answer in time", "try again in a moment")
    assert why_not(plan_serve(cluster(), mute, QWEN)) == said
    assert why_not(plan_stop(cluster(), mute)) == said
    health = assess(cluster(), mute)
    assert health.verdict is Verdict.DEGRADED
    assert health.notes == ("what gpu1 serves is not known: no answer in time",)


@pytest.mark.parametrize("running", [True, False], ids=["as Docker tells", "as Podman tells"])
def test_a_paused_container_is_told_with_the_line_that_lets_it_go_on(running: bool) -> None:
    facts = with_container(standing(cluster()), "gpu1", status="paused", running=running)
    facts = with_host(facts, "gpu1", unheard="Container raycluster-demo-gpu1 is paused")
    line = host_command("docker", "unpause", "raycluster-demo-gpu1")
    said = ("its container is paused", line)
    assert why_not(plan_serve(cluster(), facts, QWEN)) == said
    assert why_not(plan_stop(cluster(), facts)) == said
    assert why_not(plan_up(cluster(), facts, SEALED)) == said
    host = assess(cluster(), facts).hosts[0]
    assert (host.trouble, host.fix) == said
    assert host.verdict is not Verdict.HEALTHY


STOP = ours("serve stop", NAME)


@pytest.mark.parametrize("model", [PLAIN, replace(QWEN, args=("--max-model-len", "8192"))])
@pytest.mark.parametrize("now", [{}, starting()])
def test_the_same_with_other_arguments_has_to_be_stopped_first_or_needs_a_name(
    model: Model, now: dict[str, Any]
) -> None:
    plan = plan_serve(cluster(), serving(cluster(), **now), model)
    text, fix = why_not(plan)
    assert text == f"{NAME} is served there with other arguments"
    assert fix == f"{STOP} ends that; {again(replace(model, named=f'{NAME}-2'))} serves both"


def test_a_name_that_another_model_has_is_refused() -> None:
    plan = plan_serve(cluster(), serving(cluster()), Model("org/other", named=NAME))
    fix = f"{ours('serve', 'org/other', '--name', f'{NAME}-2')} gives this one another; {STOP} ends the other"
    assert why_not(plan) == (f"{NAME} is the name of {QWEN.name}, which is served there", fix)


def test_what_only_some_workers_lack_does_not_matter_and_their_gpus_do_not_count() -> None:
    facts = with_table(standing(cluster()), ray_node(node(1)), ray_node(node(2), alive=False))
    chosen = served(PLAIN, facts=facts | {"gpu3": Unreachable("does not answer")})["argv"]
    assert chosen[-4:] == ["--tensor-parallel-size", "8", "--pipeline-parallel-size", "1"]
    plan = plan_serve(cluster(), facts | {"gpu3": Unreachable("does not answer")}, PLAIN)
    assert [(each.host, each.problem.text) for each in plan.warnings] == [
        ("gpu2", "left out of the model: degraded"),
        ("gpu3", "left out of the model: unknown"),
    ]


# --- what is refused ---


def test_without_a_cluster_nothing_is_served() -> None:
    down = with_host(standing(cluster()), "gpu1", docker=())
    assert why_not(plan_serve(cluster(), down, PLAIN)) == (
        "the cluster is not up: no container of its head runs",
        ours("up"),
    )


def test_with_a_head_that_has_ended_nothing_is_served() -> None:
    exited = with_container(standing(cluster()), "gpu1", running=False, status="exited")
    assert why_not(plan_serve(cluster(), exited, PLAIN))[0].startswith("the cluster is not up")


def test_a_head_that_cannot_be_asked_is_told_with_all_that_was_said() -> None:
    silent = standing(cluster()) | {"gpu1": Unreachable("does not answer", "plug it in", "no route")}
    plan = plan_serve(cluster(), silent, PLAIN)
    assert why_not(plan) == ("does not answer", "plug it in")
    assert plan.refusals[0].problem.detail == "no route"


def test_where_docker_does_not_answer_nothing_is_served() -> None:
    facts = with_host(standing(cluster()), "gpu1", docker=docker_problem(127, "docker: not found"))
    why, fix = why_not(plan_serve(cluster(), facts, PLAIN))
    assert why == "docker: not found"
    assert fix


@pytest.mark.parametrize("ray", [None, RayTrouble("no answer", gone=False)])
def test_where_ray_does_not_answer_nothing_is_served(ray: RayTrouble | None) -> None:
    why, fix = why_not(plan_serve(cluster(), with_host(standing(cluster()), "gpu1", ray=ray), PLAIN))
    assert (why, fix) == (
        "the cluster is not up: Ray on its head does not answer",
        ours("up"),
    )


def test_more_gpus_than_ray_has_are_refused_before_vllm_waits_for_them() -> None:
    why, fix = why_not(plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=("-tp", "25"))))
    assert why == "tensor parallel 25 needs 25 GPUs, and Ray lists 24"
    assert fix


# --- the end ---


@pytest.mark.parametrize("now", [{}, starting(), ended()])
def test_whatever_state_it_is_in_stop_ends_it(now: dict[str, Any]) -> None:
    plan = plan_stop(cluster(), serving(cluster(), **now))
    assert outline(plan) == [("Stop the server", ["gpu1: stop vLLM"])]
    assert plan.changes[0].what == "stop serving qwen3-32b"


def test_where_nothing_is_served_there_is_nothing_to_stop() -> None:
    assert plan_stop(cluster(), standing(cluster())) == Plan("stop serving")


def test_a_head_that_cannot_be_asked_is_never_said_to_serve_nothing() -> None:
    silent = standing(cluster()) | {"gpu1": Unreachable("does not answer", "plug it in")}
    assert why_not(plan_stop(cluster(), silent)) == ("does not answer", "plug it in")


@pytest.mark.parametrize(
    ("wreck", "stops"),
    [
        (FailedRun(frozenset({"gpu1"}), frozenset({"gpu1"})), True),
        (FailedRun(frozenset({"gpu1"}), frozenset(), interrupted=True), True),
        (FailedRun(frozenset({"gpu1"}), frozenset()), False),  # it answers
        (FailedRun(frozenset(), frozenset({"gpu1"})), False),  # it was there before
        (FailedRun(frozenset(), frozenset(), interrupted=True), False),
    ],
)
def test_a_failed_run_ends_the_server_that_it_started_and_no_other(wreck: FailedRun, stops: bool) -> None:
    assert [step.title for step in plan_unserve(cluster(), "one", wreck)] == ["stop vLLM"] * stops


def test_a_head_that_gets_a_new_container_says_which_model_ends_with_it() -> None:
    of = cluster(image="vllm/vllm-openai:v0.18.0")
    (warning,) = ending(plan_up(of, serving(cluster()), SEALED))
    assert (warning.host, warning.problem.fix) == (
        "gpu1",
        f"once the cluster is up: {ours('serve', 'Qwen/Qwen3-32B', '--', '--max-model-len', '4096')}",
    )
    assert warning.problem.text == "Qwen/Qwen3-32B, which answers on :8000, ends with its old container"
    assert not ending(plan_up(of, serving(cluster(), **ended()), SEALED))
    assert not ending(plan_up(cluster(), serving(cluster()), SEALED))


def ending(plan: Plan) -> list[HostProblem]:
    return [warning for warning in plan.warnings if "ends with" in warning.problem.text]


# --- the lines ---


def test_the_command_line_of_vllm() -> None:
    assert served(QWEN)["argv"] == [
        *("vllm", "serve", "Qwen/Qwen3-32B", *BY_RAY),
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "3"),
        *("--max-model-len", "4096"),
    ]


def test_a_backend_that_a_person_names_is_the_only_one() -> None:
    argv = served(replace(PLAIN, args=("--distributed_executor_backend=uni", "-tp=1", "-pp", "1")))["argv"]
    assert argv == ["vllm", "serve", PLAIN.name, "--distributed_executor_backend=uni", "-tp=1", "-pp", "1"]


@pytest.mark.parametrize(
    ("args", "url"),
    [
        ("", "http://10.0.0.1:8000"),
        ("--port 9000", "http://10.0.0.1:9000"),
        ("--port=9000 --host 0.0.0.0", "http://10.0.0.1:9000"),
        ("--host=::", "http://10.0.0.1:8000"),
        ("--host 127.0.0.1", "http://127.0.0.1:8000"),
        ("--host fd00::7 --port 9", "http://[fd00::7]:9"),
        ("--ssl-certfile a.pem --ssl-keyfile b.pem", "https://10.0.0.1:8000"),
        ("--ssl_certfile=a.pem", "https://10.0.0.1:8000"),
        ("--po 9000 --ho=127.0.0.1", "http://127.0.0.1:9000"),
        ("--port 9000 --port 9001", "http://10.0.0.1:9001"),
        ("--host=::0", "http://10.0.0.1:8000"),
        ("--host 0", "http://10.0.0.1:8000"),
        ("--host gpu1.example.com", "http://gpu1.example.com:8000"),
        ("--root-path /v", "http://10.0.0.1:8000"),  # which is a proxy's
        ("--ssl-certfile a.pem --ssl-cert-reqs 1", "https://10.0.0.1:8000"),
        ("--uds=", "http://10.0.0.1:8000"),
    ],
)
def test_where_it_will_answer(args: str, url: str) -> None:
    assert served(replace(PLAIN, args=tuple(args.split())))["url"] == url


def test_it_joins_the_ray_that_is_there_and_waits_for_it() -> None:
    told = served(PLAIN, cluster(ray=Ray(port=7000)))
    assert told["env"] == {"RAY_ADDRESS": "10.0.0.1:7000"}
    assert told["after"] == ["10.0.0.1", 7000]


def ipv6(args: str = "") -> Plan:
    of = cluster(0, head=node(1, ip="fd00::1"))
    facts = with_host(standing(of), "gpu1", addresses=(Address("eth0", "fd00::1"),))
    return plan_serve(of, facts, replace(PLAIN, args=tuple(args.split())))


@pytest.mark.parametrize(
    ("args", "url", "words"),
    [
        ("", "http://[fd00::1]:8000", ["--host", "::"]),
        ("--host ::", "http://[fd00::1]:8000", []),
        ("--port 9000", "http://[fd00::1]:9000", ["--host", "::"]),
        ("--host fd00::1", "http://[fd00::1]:8000", []),
        ("--host 127.0.0.1", "http://127.0.0.1:8000", []),
    ],
)
def test_at_an_ipv6_address_vllm_is_told_to_listen_for_it(args: str, url: str, words: list[str]) -> None:
    told = spec(ipv6(args))
    assert told["url"] == url
    assert told["argv"][: told["argv"].index(BY_RAY[0])] == ["vllm", "serve", PLAIN.name, *words]
    assert (told["env"], told["after"]) == ({"RAY_ADDRESS": "[fd00::1]:6379"}, ["fd00::1", 6379])


def test_an_older_vllm_cannot_place_data_parallel_ranks_at_ipv6_addresses() -> None:
    assert spec(ipv6("-dp 2"))["needs"] == {"data parallelism by Ray at IPv6 addresses": "0.23.0"}
    assert served(replace(PLAIN, args=("-dp", "3")))["needs"] == {}
    assert served(replace(PLAIN, args=("-pcp", "3")))["needs"] == {
        "--prefill-context-parallel-size": "0.12.0"
    }


def test_ipv4_alone_is_refused_where_nobody_could_ask_there() -> None:
    text = "--host 0.0.0.0: vLLM would listen at IPv4 addresses alone, and the head's ip is fd00::1"
    assert why_not(ipv6("--host 0.0.0.0")) == (text, ours("serve", "Qwen/Qwen3-32B"))


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ("--uds /tmp/vllm.sock", "--uds /tmp/vllm.sock: vLLM would listen at a file in the head's container"),
        ("--grpc", "--grpc: vLLM would speak gRPC alone"),
        (
            "--ssl-certfile a --ssl-cert-reqs=2",
            "--ssl-cert-reqs 2: vLLM would answer only those with a certificate",
        ),
        ("--host [::1]", "--host [::1]: vLLM takes an IPv6 address without brackets"),
        ("--port 0", "--port 0: vLLM would take any port"),
        ("--headless", "--headless: vLLM would have no server to ask"),
        ("--help", "--help: vLLM would print its options, and end"),
        ("--help=ModelConfig", "--help"),
        ("-h", "--help: vLLM would print its options, and end"),
        ("-asc 0", "--api-server-count 0: vLLM would have no server to ask"),
        ("--model a/b", "--model a/b: vLLM would take it for the model instead"),
        ("--port nine", "--port nine: vLLM takes a whole number"),
        ("--port 70000", "--port 70000: there is no such port"),
        ("-tp two", "--tensor-parallel-size two: vLLM takes a whole number"),
        ("-tp", "--tensor-parallel-size: vLLM takes a whole number"),
        ("-pp -1", "--pipeline-parallel-size -1: vLLM takes a whole number"),
        ("-dp 0", "--data-parallel-size 0: there is nothing of size 0"),
        ("--host --port 8001", "--host: vLLM wants a value"),
        ("--max-model", "--max-model-len: vLLM wants a value"),
        ("--gpu-memory-utilization -tp 2", "--gpu-memory-utilization: vLLM wants a value"),
        ("--enable-lora=yes", "--enable-lora yes: vLLM takes no value with it"),
        (
            "--distributed-executor-backend external_launcher",
            "--distributed-executor-backend external_launcher: ",
        ),
        (
            "--distributed-executor-backend uni",
            "--distributed-executor-backend uni: vLLM would have one process",
        ),
        ("-n 2", "--nnodes 2: who takes part follows from the inventory and the sizes"),
        ("--node_rank=1", "--node-rank 1: who takes part follows"),
        ("-n 2 -r 0 --master-addr 10.0.0.1", "--nnodes 2, --node-rank 0: who takes part follows"),
        ("-dp 2 -dpe -dpn 0", "--data-parallel-external-lb, --data-parallel-rank 0: vLLM would want"),
        ("-dp 2 -dpl 1 -dph", "--data-parallel-hybrid-lb: vLLM would want a server on every host"),
        ("-dp 2 --data-parallel-ext", "--data-parallel-external-lb: vLLM would want a server on every host"),
        ("-dp 2 -dpm", "--data-parallel-multi-port-external-lb: vLLM would want a server on every host"),
        ("-dp 2 -dpn 0", "--data-parallel-rank 0: vLLM would want a server on every host"),
        ("-dp 2 -dpr 1 -dpl 1", "--data-parallel-start-rank 1: vLLM would want a server on every host"),
        (
            "--distributed-executor-backend mp -tp 16",
            "tensor parallel 16 needs 16 GPUs, and the head, where all",
        ),
        ("-dp 2 -tp 8 -dpb mp", "--data-parallel-backend mp: all ranks would be on the head"),
    ],
)
def test_what_could_not_be_served_or_asked_is_refused_before_anything_starts(args: str, why: str) -> None:
    text, fix = why_not(plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=tuple(args.split()))))
    assert text.startswith(why)
    assert has_line(fix) or "--data-parallel-backend" in args or "-dpb" in args


@pytest.mark.parametrize("args", ["-tp 1 -pp 1", "-tp 1 -pp 1 -dp 8"])
def test_one_process_for_one_gpu_is_served_also_for_each_data_parallel_rank(args: str) -> None:
    words = ("--distributed-executor-backend", "uni", *args.split())
    assert plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=words)).phases


@pytest.mark.parametrize("args", ["-n 2 -r 0 --master-addr 10.0.0.1", "-dp 3 -dpe -dpn 0 -dpr 0"])
def test_what_is_refused_together_is_left_out_together_of_the_line_that_works(args: str) -> None:
    _, fix = why_not(plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=tuple(args.split()))))
    line = plainly(fix).partition("; ")[0]
    words = tuple(line.strip("`").partition(" -- ")[2].split())
    assert words
    assert plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=words)).phases


@pytest.mark.parametrize("args", ["-asc 4", "--no-headless", "-dph --no-data-parallel-hybrid-lb", "-dcp 2"])
def test_what_only_looks_like_it_is_not_refused(args: str) -> None:
    assert plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=tuple(args.split()))).phases


def test_without_ray_all_runs_on_the_head() -> None:
    argv = served(replace(PLAIN, args=("--distributed-executor-backend", "mp")))["argv"]
    assert argv[3:7] == ["--tensor-parallel-size", "8", "--pipeline-parallel-size", "1"]


def test_data_parallel_ranks_are_placed_by_ray() -> None:
    """Without these words vLLM starts all of them on the head, and hangs."""
    argv = served(replace(PLAIN, args=("-dp", "3", "--enable-expert-parallel")))["argv"]
    assert argv[3:] == [
        *(*BY_RAY, "--tensor-parallel-size", "8", "--pipeline-parallel-size", "1"),
        *("--data-parallel-backend", "ray", "--data-parallel-size-local", "1"),
        *("-dp", "3", "--enable-expert-parallel"),
    ]


@pytest.mark.parametrize("args", ["--api-key s3cret", "--api_key=s3cret"])
def test_the_keeper_knows_the_key_and_nobody_who_looks_sees_it(args: str) -> None:
    plan = plan_serve(cluster(), standing(cluster()), replace(PLAIN, args=tuple(args.split())))
    assert spec(plan)["key"] == "s3cret"
    shown = [*(step.command.shown() for step in plan if isinstance(step, Run)), plan.changes[0].what]
    assert not [each for each in shown if "s3cret" in each]


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), max_size=6))
def test_whatever_a_person_gives_reaches_vllm_as_data_and_no_shell_sees_it(
    name: str, args: list[str]
) -> None:
    model = Model(name, tuple(args), named="one")
    plan = plan_serve(cluster(), standing(cluster()), model)
    assume(not plan.refusals)  # as of `-n`, or of more GPUs than there are
    argv = spec(plan)["argv"]
    assert argv[:3] == ["vllm", "serve", name]
    assert argv[len(argv) - len(args) :] == args
    plain = plan_serve(cluster(), standing(cluster()), replace(PLAIN, named="one"))
    assert [step.command.argv for step in plan if isinstance(step, Run)] == [
        step.command.argv for step in plain if isinstance(step, Run)
    ]


@given(st.text())
def test_whatever_a_model_is_called_its_servers_name_is_a_plain_word(name: str) -> None:
    assert re.fullmatch(SERVER, server_name(name))


@pytest.mark.parametrize(
    ("model", "server"),
    [
        ("Qwen/Qwen3-32B", "qwen3-32b"),
        ("/models/My Model/", "my-model"),
        ("s3://bucket/Llama_3.1", "llama_3.1"),
        ("..", "model"),
    ],
)
def test_a_server_is_called_as_its_model_ends(model: str, server: str) -> None:
    assert Model(model).server == server
    assert Model(model, named="mine").server == "mine"


def test_the_lines_for_docker() -> None:
    of, container = cluster(), "raycluster-demo-gpu1"
    python = ("/bin/sh", "-c", PYTHON, "python3")
    start = docker.start_server(of, of.head, "{}").argv
    assert start[:9] == ("docker", "exec", "--interactive", container, *python, "-c")
    assert start[10:] == ("/var/tmp/raycluster",)
    here, supervisor = ("docker", "exec", container), "/var/tmp/raycluster/supervisor.py"
    assert docker.ask_server(of, of.head, "one").argv == (*here, *python, supervisor, "ask", "one")
    assert docker.stop_server(of, of.head, "one").argv == (*here, *python, supervisor, "stop", "one")
    quietly = ("/bin/sh", "-c", f'[ -e "$1" ] || exit 0\n{PYTHON}', "python3")
    inspect = docker.inspect_servers(of, of.head, 400, 2, "one").argv
    assert inspect == (*here, *quietly, supervisor, "inspect", "400", "2", "one")
    assert docker.inspect_servers(of, of.head, 400).argv == (*here, *quietly, supervisor, "inspect", "400")
    assert docker.stop_server(of, of.head, "").argv == (*here, *python, supervisor, "stop")


def test_every_container_resumes_what_it_served_when_it_starts_again() -> None:
    of = cluster()
    resume = "[ ! -e /var/tmp/raycluster/supervisor.py ] || python3 /var/tmp/raycluster/supervisor.py run &"
    assert seen(standing(of), "gpu1").containers[0].command.startswith(f"-c {resume} exec ray start ")
    assert seen(standing(of), "gpu2").containers[0].command.startswith(f"-c {resume} exec ray start ")

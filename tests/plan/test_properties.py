"""What holds for every command, every secret and every cluster."""

import subprocess
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.output.plan_script import script
from orchestrator.cli.run.run_log import Mask
from orchestrator.model.cluster import Auth, Cluster, Docker, Node, Ray, Rdma
from orchestrator.model.secret import Secret
from orchestrator.plan.actions.conditions import Answers
from orchestrator.plan.actions.down import plan_down
from orchestrator.plan.actions.restart import plan_restart
from orchestrator.plan.actions.up import Secrets, plan_up
from orchestrator.plan.command import Command
from orchestrator.plan.facts.host import Facts, Unreachable
from orchestrator.plan.facts.offline import nothing_there
from orchestrator.plan.steps import Phase, Plan, Run, Step, StepKind, Wait
from tests.plan.worlds import SEALED, bare, cluster, node, standing

AWKWARD = st.sampled_from(
    [*" \t\n'\"\\$`*?[]{}()|&;<>#~!=%-", "$HOME", "$(id)", "`id`", "é", "日", "\U0001f680"]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0QXZ"), max_size=20)
WORDS = st.lists(st.lists(AWKWARD, max_size=8).map("".join) | TEXTS, max_size=6)
SECRETS = st.text("QXZ", min_size=12, max_size=40)  # in no other text


@given(st.lists(WORDS, min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_shell_understands_a_line_as_the_very_arguments_it_was_made_of(argvs: list[list[str]]) -> None:
    lines = (Command(("printf", "%s\\0", *argv, "|")).line() for argv in argvs)
    ran = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, check=True)
    given = (f"{word}\0" for argv in argvs for word in (*argv, "|"))
    assert ran.stdout == "".join(given).encode()


@st.composite
def nodes(draw: st.DrawFn, number: int) -> Node:
    made = node(
        number,
        env=tuple(draw(st.dictionaries(st.sampled_from("ABC"), TEXTS, max_size=2)).items()),
        hf_home=draw(st.sampled_from(["~", "~/hf", "/data/two words"])),
        rdma=draw(st.sampled_from(Rdma)),
        docker=Docker(
            command=draw(st.sampled_from([("docker",), ("sudo", "-n", "docker"), ("podman",)])),
            shm_size=draw(st.sampled_from(["1g", "10.24g"])),
            args=tuple(draw(st.lists(st.sampled_from(["--privileged", "-v", "/a:/b"]), max_size=2))),
        ),
        ray_args=tuple(draw(st.lists(st.sampled_from(["--resources={'a': 1}", "--verbose"]), max_size=2))),
    )
    return replace(made, ip=draw(st.sampled_from([made.ip, f"fd00::{number}"])))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    count = draw(st.integers(1, 6))
    return replace(
        cluster(workers=0),
        name=draw(st.sampled_from(["demo", "a-b-1"])),
        head=draw(nodes(1)),
        workers=tuple(draw(nodes(number)) for number in range(2, count + 2)),
        ray=Ray(port=draw(st.sampled_from([6379, 7000])), auth=draw(st.sampled_from(Auth))),
    )


@st.composite
def partial_facts(draw: st.DrawFn, of: Cluster) -> Facts:
    """Each host silent, without the cluster, or as after a good `up`."""
    ways: list[Facts] = [
        bare(of),
        standing(of),
        {each.name: Unreachable("no route to host") for each in of.nodes},
    ]
    return {each.name: draw(st.sampled_from(ways))[each.name] for each in of.nodes}


@given(clusters())
@settings(max_examples=30, deadline=None)
def test_after_success_there_is_nothing_left_to_do(of: Cluster) -> None:
    plan = plan_up(of, standing(of), SEALED)
    assert (plan.phases, plan.changes, plan.refusals) == ((), (), ())


@given(clusters())
@settings(max_examples=20, deadline=None)
def test_from_nothing_every_host_is_started_and_waited_for(of: Cluster) -> None:
    plan = plan_up(of, bare(of), SEALED)
    every = sorted(each.name for each in of.nodes)
    assert sorted(step.host for step in plan if isinstance(step, Run) and step.starts) == every
    assert sorted(step.host for step in plan.phases[-1].steps if isinstance(step, Wait)) == every


@given(st.data(), clusters())
@settings(max_examples=30, deadline=None)
def test_no_worker_starts_before_the_phase_of_the_heads_gate_is_over(
    data: st.DataObject, of: Cluster
) -> None:
    plan = plan_up(of, data.draw(partial_facts(of)), SEALED)
    gates = [number for number, phase in enumerate(plan.phases) if any(map(_gate, phase.steps))]
    for number, phase in enumerate(plan.phases):
        if gates and any(_starts_worker(of, step) for step in phase.steps):
            assert number > max(gates)
        if any(isinstance(step, Run) and step.starts and step.host == of.head.name for step in phase.steps):
            assert number in gates


@given(st.data(), clusters())
@settings(max_examples=30, deadline=None)
def test_a_restart_stops_no_host_that_it_would_not_start_again(data: st.DataObject, of: Cluster) -> None:
    steps = [step for step in plan_restart(of, data.draw(partial_facts(of)), SEALED) if isinstance(step, Run)]
    stopped = [step.host for step in steps if step.kind is StepKind.REMOVE_CONTAINER]
    assert set(stopped) <= {step.host for step in steps if step.starts}


def _gate(step: Step) -> bool:
    return isinstance(step, Wait) and isinstance(step.until, Answers)


def _starts_worker(of: Cluster, step: Step) -> bool:
    return isinstance(step, Run) and bool(step.starts) and step.host != of.head.name


@given(st.data(), clusters())
@settings(max_examples=30, deadline=None)
def test_a_plan_touches_the_hosts_of_the_cluster_and_none_that_was_refused(
    data: st.DataObject, of: Cluster
) -> None:
    facts = data.draw(partial_facts(of))
    known = {each.name for each in of.nodes}
    for plan in (plan_up(of, facts, SEALED), plan_down(of, facts), plan_restart(of, facts, SEALED)):
        touched = {step.host for step in plan} | {phase.watch.host for phase in plan.phases if phase.watch}
        assert touched <= known - {refusal.host for refusal in plan.refusals}
        assert {change.host for change in plan.changes} <= touched


@given(st.data(), clusters())
@settings(max_examples=30, deadline=None)
def test_a_host_that_cannot_be_asked_is_never_passed_over_by_up(data: st.DataObject, of: Cluster) -> None:
    facts = data.draw(partial_facts(of))
    silent = {name for name, here in facts.items() if isinstance(here, Unreachable)}
    assert silent <= {refusal.host for refusal in plan_up(of, facts, SEALED).refusals}


@given(clusters(), SECRETS, SECRETS)
@settings(max_examples=20, deadline=None)
def test_no_secret_stands_in_anything_that_is_shown(of: Cluster, user: str, token: str) -> None:
    of = replace(of, secrets=("HF_TOKEN",))
    sealed = Secrets((Secret("HF_TOKEN", user),), Secret("ray-token", token))
    plan = plan_up(of, bare(of), sealed)
    shown = "\n".join((repr(plan), script(of, plan), *_lines(plan)))
    assert user not in shown
    assert token not in shown
    assert any(user.encode() in step.command.input() for step in plan if isinstance(step, Run))


def _lines(plan: Plan) -> list[str]:
    watches = [phase.watch.command for phase in plan.phases if phase.watch]
    steps = [step.command if isinstance(step, Run) else step.probe for step in plan]
    return [command.line() for command in (*watches, *steps)]


@given(st.lists(SECRETS, min_size=1, max_size=3), st.lists(TEXTS, min_size=4, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_mask_leaves_no_secret_in_a_text(values: list[str], between: list[str]) -> None:
    mask = Mask(tuple(Secret(f"name_{number}", value) for number, value in enumerate(values)))
    text = "".join(part for pair in zip(between, [*values, ""], strict=False) for part in pair)
    masked = mask(text)
    assert not [value for value in values if value in masked]


@given(clusters())
@settings(max_examples=20, deadline=None)
def test_a_script_for_any_cluster_is_bash(of: Cluster) -> None:
    for plan in (plan_up(of, nothing_there(of), SEALED), plan_restart(of, standing(of), SEALED)):
        text = script(of, plan)
        ran = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")


@given(clusters())
@settings(max_examples=20, deadline=None)
def test_down_visits_every_host_workers_first_and_then_looks_at_all_again(of: Cluster) -> None:
    plan = plan_down(of, standing(of))
    workers, head, look = (_hosts(phase) for phase in plan.phases)
    assert (workers, head) == ({each.name for each in of.workers}, {of.head.name})
    assert look == workers | head


def _hosts(phase: Phase) -> set[str]:
    return {step.host for step in phase.steps}

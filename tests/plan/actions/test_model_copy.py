"""What is copied of a model, to whom, and from which byte on."""

from dataclasses import replace

from orchestrator.model.cluster import LOCAL, Cluster, Node, Role
from orchestrator.plan.actions.model_copy import begins, lacks, plan_copy
from orchestrator.plan.docker import LAPTOP
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.models import CopyFile, CopyList, Holding
from orchestrator.plan.steps import Plan, Run

GPU1, GPU2, GPU3, GPU4 = (
    Node(f"gpu{n}", f"gpu{n}", Role.HEAD if n == 1 else Role.WORKER, f"10.0.0.{n}") for n in (1, 2, 3, 4)
)
CLUSTER = Cluster("demo", "vllm/vllm-openai:v0.17.1", GPU1, (GPU2, GPU3, GPU4))
FILES = (
    CopyFile("config.json", 20, "a" * 40, 1),
    CopyFile("one.safetensors", 1000, "b" * 64, 1),
    CopyFile("same.safetensors", 1000, "b" * 64, 1),
    CopyFile("empty", 0, "e" * 40, 1),
)
WANTED = CopyList("org/tiny", "c" * 40, ("main",), FILES, "1:1")
NOTHING = Holding((0, 0, 0, 0), ready=False, free=1 << 40, identity="")
ALL = Holding((20, 1000, 1000, 0), ready=True, free=1 << 40, identity="")


def plan(**holdings: Holding | Unreachable) -> Plan:
    return plan_copy(CLUSTER, GPU1, CLUSTER.nodes, WANTED, holdings)


def receivers(made: Plan) -> list[str]:
    copies = [phase for phase in made.phases if phase.feed]
    return [step.host for phase in copies for step in phase.steps]


def test_only_who_lacks_something_gets_it_and_all_are_looked_at() -> None:
    made = plan(gpu2=ALL, gpu3=NOTHING, gpu4=NOTHING)
    assert receivers(made) == ["gpu3", "gpu4"]
    (copy, compare) = made.phases
    assert copy.feed
    assert [hop.host for hop in copy.feed.chain] == ["gpu1", "gpu3", "gpu4"]
    assert [step.host for step in compare.steps] == ["gpu2", "gpu3", "gpu4"]


def test_where_all_have_it_there_is_nothing_to_do() -> None:
    assert plan(gpu2=ALL, gpu3=ALL, gpu4=ALL).phases == ()


def test_a_file_system_that_several_share_gets_it_once() -> None:
    shared = replace(NOTHING, identity="7:7")
    assert receivers(plan(gpu2=shared, gpu3=shared, gpu4=NOTHING)) == ["gpu2", "gpu4"]
    assert receivers(plan(gpu2=replace(NOTHING, identity="1:1"), gpu3=ALL, gpu4=NOTHING)) == ["gpu4"]


def test_hosts_without_the_folder_are_not_taken_for_sharing_one() -> None:
    assert receivers(plan(gpu2=NOTHING, gpu3=NOTHING, gpu4=NOTHING)) == ["gpu2", "gpu3", "gpu4"]


def test_a_file_begins_where_the_last_of_them_stands_and_equal_files_go_once() -> None:
    assert begins(WANTED, [NOTHING]) == {0: 0, 1: 0}
    part = replace(NOTHING, has=(20, 700, 700, 0))
    assert begins(WANTED, [part, replace(part, has=(20, 300, 300, 0))]) == {1: 300}
    assert begins(WANTED, [ALL]) == {}
    assert (lacks(WANTED, NOTHING), lacks(WANTED, part)) == (1020, 300)


def test_a_small_disk_and_a_silent_host_are_refused_and_the_others_go_on() -> None:
    small, silent = replace(NOTHING, free=100), Unreachable("no answer")
    made = plan(gpu2=small, gpu3=silent, gpu4=NOTHING)
    assert [each.host for each in made.refusals] == ["gpu2", "gpu3"]
    assert "1 kB are to come, and it has 0 kB free" in made.refusals[0].problem.text
    assert receivers(made) == ["gpu4"]
    assert receivers(plan(gpu2=replace(NOTHING, free=-1), gpu3=ALL, gpu4=ALL)) == ["gpu2"]  # untold


def test_from_the_laptop_one_host_gets_it_and_gives_it_to_the_others() -> None:
    laptop = replace(GPU1, name=LAPTOP, host=LOCAL, ip=None)
    holdings = {"gpu1": NOTHING, "gpu2": NOTHING, "gpu3": ALL, "gpu4": NOTHING}
    made = plan_copy(CLUSTER, laptop, CLUSTER.nodes, WANTED, holdings)
    first, second, _ = made.phases
    assert first.feed
    assert second.feed
    assert (first.feed.host, first.feed.chain) == (LAPTOP, ())
    assert [step.host for step in first.steps] == ["gpu1"]
    assert [hop.host for hop in second.feed.chain] == ["gpu1", "gpu2", "gpu4"]


def test_through_the_laptop_there_is_no_chain() -> None:
    made = plan_copy(CLUSTER, GPU1, (GPU2,), WANTED, {"gpu2": NOTHING}, via_laptop=True)
    assert made.phases[0].feed
    assert made.phases[0].feed.chain == ()


def test_no_line_is_too_long_for_a_shell_with_a_thousand_files() -> None:
    files = tuple(
        CopyFile(f"model-{n:05}-of-01000.safetensors", 5 << 30, f"{n:064x}", 1764000000) for n in range(1000)
    )
    many = replace(WANTED, files=files)
    none = replace(NOTHING, has=(0,) * 1000, free=-1)
    made = plan_copy(CLUSTER, GPU1, (GPU2,), many, {"gpu2": none})
    for step in made:
        assert isinstance(step, Run)
        assert len(step.command.login_shell_line()) < 128_000
    assert made.phases[0].feed
    for hop in made.phases[0].feed.chain:
        assert len(hop.command.login_shell_line()) < 128_000
        assert len(str(hop.source)) + len(str(hop.sink)) < 60_000

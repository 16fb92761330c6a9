"""Both engines with a model whose shape is known: what vLLM is told, what it holds, and what is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.model.cluster import Cluster, Model
from orchestrator.plan.facts.host import Facts
from orchestrator.plan.facts.model_shape import Gpu, Shape
from orchestrator.plan.serving.plan import plan_serve
from orchestrator.plan.serving.presence import Presence
from orchestrator.plan.steps import Plan
from tests.plan import worlds
from tests.plan.serving.shapes import GIB, H100, LLAMA_8B, LLAMA_70B, MIXTRAL, whole
from tests.typed_lines import plainly

from . import test_mp as ranks

MODEL = Model("org/model")
SMALL = Gpu("small", 26 * GIB)


def by_ray(workers: int = 1) -> tuple[Cluster, Facts]:
    of = worlds.cluster(workers)
    return of, worlds.standing(of)


def by_mp(workers: int = 1) -> tuple[Cluster, Facts]:
    of = ranks.mp(workers)
    return of, ranks.standing(of)


def planned(
    world: tuple[Cluster, Facts], shape: Shape, gpu: Gpu | None, model: Model = MODEL, *, force: bool = False
) -> Plan:
    of, facts = world
    gpus = {node.name: gpu for node in of.nodes} if gpu else {}
    return plan_serve(of, facts, model, Presence(offline=True, shape=shape, gpus=gpus), force=force)


def told(plan: Plan) -> dict[str, dict[str, Any]]:
    return ranks.specs(plan)


def after(spec: dict[str, Any], option: str) -> str:
    argv = spec["argv"]
    return str(argv[argv.index(option) + 1])


@pytest.mark.parametrize("world", [by_ray, by_mp])
def test_a_model_that_fits_one_host_holds_the_gpus_of_one(world: Any) -> None:
    plan = planned(world(2), whole(LLAMA_8B), H100)
    ((host, spec),) = told(plan).items()
    assert host == "gpu1"
    assert (after(spec, "--tensor-parallel-size"), after(spec, "--pipeline-parallel-size")) == ("8", "1")
    assert spec["share"]["gpus"] == {"gpu1": 8}
    assert "--nnodes" not in spec["argv"]
    assert "; 16 of 24 GPUs are left" in plan.changes[0].what


def test_ray_is_told_of_data_parallel_ranks_for_experts() -> None:
    (spec,) = told(planned(by_ray(), whole(MIXTRAL), Gpu("tiny", 13 * GIB))).values()
    assert after(spec, "--tensor-parallel-size") == "8"
    assert "--enable-expert-parallel" not in spec["argv"]  # sixteen GPUs, and eight experts
    (spec,) = told(planned(by_ray(), _many_experts(), Gpu("tiny", 13 * GIB))).values()
    assert "--enable-expert-parallel" in spec["argv"]
    assert (after(spec, "--tensor-parallel-size"), after(spec, "--data-parallel-size")) == ("8", "2")
    assert after(spec, "--data-parallel-backend") == "ray"
    assert spec["share"]["gpus"] == {"gpu1": 8, "gpu2": 8}


def test_ranks_of_mp_are_each_told_of_the_experts() -> None:
    specs = told(planned(by_mp(), _many_experts(), Gpu("tiny", 13 * GIB)))
    assert list(specs) == ["gpu1", "gpu2"]
    for spec in specs.values():
        assert after(spec, "--data-parallel-size") == "2"
        assert "--enable-expert-parallel" in spec["argv"]
        assert after(spec, "--data-parallel-size-local") == "1"


def _many_experts() -> Shape:
    """Mixtral's size, with sixteen times as many experts, each as much smaller."""
    return replace(whole(MIXTRAL), experts=128, expert=896)


@pytest.mark.parametrize("world", [by_ray, by_mp])
def test_one_that_does_not_fit_is_refused_and_force_goes_on(world: Any) -> None:
    plan = planned(world(), whole(LLAMA_70B), Gpu("tiny", 8 * GIB))
    assert not plan.phases
    (refusal,) = plan.refusals
    assert refusal.host == "gpu1"
    assert refusal.problem.text.startswith("org/model does not fit: a GPU would hold 8.2 GiB of weights")
    assert plainly(refusal.problem.fix).endswith(
        "; `raycluster serve org/model --force` starts it all the same"
    )
    forced = planned(world(), whole(LLAMA_70B), Gpu("tiny", 8 * GIB), force=True)
    assert told(forced)
    (doubt,) = forced.warnings
    assert doubt.problem.text == refusal.problem.text
    assert "--force" not in plainly(doubt.problem.fix)


@pytest.mark.parametrize("world", [by_ray, by_mp])
def test_what_is_served_already_is_not_refused(world: Any) -> None:
    """It runs, whatever was computed."""
    of, facts = world()
    plan = planned((of, facts), whole(LLAMA_8B), H100)
    for host, spec in told(plan).items():
        report = ranks.told(server=spec["name"], spec=spec)
        served = ranks.served.parse_served(json.dumps(report))
        assert served
        facts = worlds.with_host(facts, host, served=(served,))
    again = planned((of, facts), whole(LLAMA_70B), Gpu("tiny", 8 * GIB))
    assert (again.phases, again.refusals) == ((), ())


def test_where_a_host_does_not_tell_its_gpus_all_are_taken() -> None:
    of, facts = by_ray()
    plan = plan_serve(of, facts, MODEL, Presence(shape=whole(LLAMA_8B), gpus={"gpu1": H100}))
    (spec,) = told(plan).values()
    assert after(spec, "--pipeline-parallel-size") == "2"

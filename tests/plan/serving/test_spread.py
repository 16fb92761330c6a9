"""GPUs that are asked for: all of them are used, or it is told what would use them."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Engine, Model
from orchestrator.plan.facts.model_shape import Shape
from orchestrator.plan.problem import HostProblem, Problem
from orchestrator.plan.serving.plan import plan_serve
from orchestrator.plan.serving.presence import NOT_LOOKED_AT, Presence
from orchestrator.plan.serving.servers import for_model
from orchestrator.plan.steps import Plan
from orchestrator.plan.typed import ours
from tests.plan.serving.shapes import H100, LLAMA_8B, whole
from tests.plan.serving.test_several import BOTH, of, stands
from tests.typed_lines import plainly

SERVE = "raycluster serve org/one"
UNKNOWN = "how many attention heads org/one has is not known, and vLLM refuses a tensor-parallel size that does not "


@BOTH
@pytest.mark.parametrize(
    ("gpus", "args", "text"),
    [
        (3, "-dp 2", "data parallel 2 uses 2 of the 3 NPUs that --gpus asks for"),
        (0, "-tp 16 -pp 4", "tensor parallel 16 times pipeline parallel 4 needs 64 NPUs, and "),
    ],
)
def test_what_is_no_gpu_is_called_as_it_is(kind: Engine, gpus: int, args: str, text: str) -> None:
    nodes = [replace(each, accelerator=Accelerator.ASCEND) for each in of(kind).nodes]
    which = replace(of(kind), head=nodes[0], workers=tuple(nodes[1:]))
    facts = stands(which)
    (refused,) = plan_serve(which, facts, Model("org/one", tuple(args.split()), gpus=gpus)).refusals
    assert refused.problem.text.startswith(text)
    (change, *_) = plan_serve(which, facts, Model("org/one")).changes
    assert change.what.endswith("for 8 NPUs on each of 3 hosts")


def planned(kind: Engine, gpus: int, args: str = "", shape: Shape | None = None) -> Plan:
    which = of(kind)
    there = (
        Presence(shape=shape, gpus=dict.fromkeys(("gpu1", "gpu2", "gpu3"), H100)) if shape else NOT_LOOKED_AT
    )
    return plan_serve(which, stands(which), Model("org/one", tuple(args.split()), gpus=gpus), there)


@BOTH
@pytest.mark.parametrize(
    ("gpus", "args", "text", "lines"),
    [
        (3, "-dp 2", "data parallel 2 uses 2 of the 3 GPUs", ["--gpus 2 -- -dp 2", "--gpus 4 -- -dp 2"]),
        (5, "-tp 4", "tensor parallel 4 uses 4 of the 5 GPUs", ["--gpus 4 -- -tp 4", "--gpus 8 -- -tp 4"]),
        (3, "-tp=4", "tensor parallel 4 needs 4, not the 3 GPUs", ["--gpus 4 -- -tp=4"]),
        (
            5,
            "-tp 2 -pp 2",
            "tensor parallel 2 times pipeline parallel 2 uses 4 of the 5 GPUs",
            ["--gpus 4 -- -tp 2 -pp 2"],
        ),
        (
            7,
            "--prefill-context-parallel-size 2",
            "prefill-context parallel 2 uses 2 of the 7 GPUs",
            [f"--gpus {count} -- --prefill-context-parallel-size 2" for count in (6, 8)],
        ),
    ],
)
def test_sizes_that_use_other_gpus_than_are_asked_for_are_refused_with_what_works(
    kind: Engine, gpus: int, args: str, text: str, lines: list[str]
) -> None:
    (refused,) = planned(kind, gpus, args).refusals
    assert refused.problem.text == f"{text} that --gpus asks for"
    told = [line.strip("`") for line in plainly(refused.problem.fix).split(", or ")]
    assert told == [f"{SERVE} {line}" for line in lines]
    for line in lines:
        count, _, words = line.removeprefix("--gpus ").partition(" -- ")
        assert planned(kind, int(count), words).phases


@BOTH
@pytest.mark.parametrize(("gpus", "args"), [(4, "-dp 2"), (8, "-tp 4"), (4, "-tp 2 -pp 2"), (6, "")])
def test_sizes_that_come_to_what_is_asked_for_are_served(kind: Engine, gpus: int, args: str) -> None:
    assert planned(kind, gpus, args).phases


@BOTH
def test_a_model_that_fits_fewer_gpus_is_given_those_that_are_asked_for(kind: Engine) -> None:
    plan = planned(kind, 16, shape=whole(LLAMA_8B))
    assert "tensor parallel 8, pipeline parallel 2" in plan.changes[0].what
    assert "left" not in plan.changes[0].what


@BOTH
@pytest.mark.parametrize(
    ("gpus", "args", "tensor", "line"),
    [
        (6, "", 6, "--gpus 6 -- --tensor-parallel-size 2 --pipeline-parallel-size 3"),
        (3, "", 3, "--gpus 3 -- --tensor-parallel-size 1 --pipeline-parallel-size 3"),
        (6, "-pp 2", 3, "--gpus 4 -- -pp 2"),
    ],
)
def test_a_tensor_size_that_a_model_of_unknown_heads_may_not_be_cut_to_is_warned_of(
    kind: Engine, gpus: int, args: str, tensor: int, line: str
) -> None:
    (warning,) = planned(kind, gpus, args).warnings
    assert warning.problem.text == f"{UNKNOWN}divide them; {tensor} seldom does"
    assert plainly(warning.problem.fix) == f"{SERVE} {line}"
    count, _, words = line.removeprefix("--gpus ").partition(" -- ")
    assert not planned(kind, int(count), words).warnings


@BOTH
@pytest.mark.parametrize(("gpus", "args"), [(4, ""), (6, "-tp 3"), (2, "-dp 2"), (0, "")])
def test_no_size_that_was_given_or_divides_most_is_warned_of(kind: Engine, gpus: int, args: str) -> None:
    assert not planned(kind, gpus, args).warnings


@BOTH
def test_of_a_model_whose_heads_are_known_nothing_is_warned_of(kind: Engine) -> None:
    assert not planned(kind, 6, shape=whole(LLAMA_8B)).warnings


@pytest.mark.parametrize(
    ("args", "fix", "line"),
    [
        ("", ours("serve", "MODEL", "--", "--port", "8001"), "serve org/one --gpus 2 -- --port 8001"),
        ("-tp 2", ours("serve", "MODEL", "--", "-tp", "4"), "serve org/one --gpus 2 -- -tp 4"),
        (
            "--seed 1 --max-model 9",
            ours("serve", "MODEL", "--", "--max-model-len", "4"),
            "serve org/one --gpus 2 -- --seed 1 --max-model-len 4",
        ),
        ("", ours("model pull", "MODEL"), "model pull org/one"),
        ("-tp 2", ours("serve status"), "serve status"),
    ],
)
def test_a_remedy_for_any_model_is_a_whole_line_for_the_one_that_is_served(
    args: str, fix: str, line: str
) -> None:
    model = Model("org/one", tuple(args.split()), gpus=2)
    assert plainly(for_model(f"try {fix}.", model)) == f"try `raycluster {line}`."


def test_a_remedy_with_another_port_leaves_out_the_one_that_was_asked_for() -> None:
    fix = ours("serve", "MODEL", "--", "--port", "8001")
    assert for_model(fix, Model("org/one", port=8000)) == ours("serve", "org/one", "--", "--port", "8001")


@BOTH
def test_force_starts_what_hosts_lack_and_says_so(kind: Engine) -> None:
    which, lacks = of(kind), HostProblem("gpu1", Problem("has nothing of org/one"))
    there = Presence(refusals=(lacks,))
    refused = plan_serve(which, stands(which), Model("org/one"), there)
    assert (refused.phases, refused.refusals) == ((), (lacks,))
    forced = plan_serve(which, stands(which), Model("org/one"), there, force=True)
    assert (bool(forced.phases), forced.refusals, forced.warnings) == (True, (), (lacks,))

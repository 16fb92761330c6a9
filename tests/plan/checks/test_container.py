"""What a container from the image shows."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Auth, Cluster, Docker, Engine, Ray, Rdma
from orchestrator.plan.checks import Finding
from orchestrator.plan.checks.across_hosts import check_versions
from orchestrator.plan.checks.container import BY_HAND, ON_THE_HOST, check_container
from orchestrator.plan.facts.probe import Trial
from orchestrator.plan.problem import Problem
from orchestrator.plan.remedies import (
    HALF_UPDATED,
    NO_GPUS_OPTION,
    NO_PIDS_LIMIT,
    NO_RAY,
    NO_TOOLKIT,
    OLD_RAY,
    ON_PATH,
    OTHER_PYTHON,
)
from orchestrator.plan.typed import add, change
from tests.plan.checks.samples import ALONE, GIB, Told, brief, fine, head, machine, trial
from tests.plan.worlds import bare_host

INSTALL = NO_RAY
SAME = "let all hosts run the same image: pull it again on all hosts, or write it with its digest"


def findings(told: Trial | Problem, of: Cluster = ALONE, **facts: object) -> list[Finding]:
    return list(check_container(of, of.head, bare_host(of.head, **facts), told))


def bad(told: Trial | Problem, of: Cluster = ALONE, **facts: object) -> Told:
    return [(level, text, fix) for _, level, text, fix in brief(findings(told, of, **facts))]


def test_a_good_container() -> None:
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=2)
    assert fine(findings(trial(), of)) == [
        ("gpu1", "ray", "Ray 2.56.0, Python 3.12.3"),
        ("gpu1", "gpus", "containers see 2: NVIDIA H100"),
        ("gpu1", "memory", "/dev/shm has 10.0 GiB"),
    ]
    assert bad(trial(), of) == []


def test_a_dev_shm_that_is_too_small_for_rays_object_store_is_told_with_its_size() -> None:
    """Ray takes 0.3 of the memory, 10 GB at most here, and says in a log alone that it goes to /tmp."""
    few = trial(shm=GIB // 16)
    text = "/dev/shm has 0.1 GiB: Ray's object store, of up to 9.3 GiB, goes to the container's /tmp"
    fix = change("docker.shm_size", "10.24g")
    large = machine(memory=256 * GIB)
    assert bad(few, machine=large) == [("warning", text, fix)]
    assert bad(trial(shm=int(10.24 * GIB)), machine=large) == []
    told = replace(ALONE, head=replace(ALONE.head, ray_args=("--object-store-memory=50000000",)))
    assert bad(few, told, machine=large) == []
    assert bad(few, replace(ALONE, engine=Engine.MP), machine=large) == []


@pytest.mark.parametrize(
    ("ended", "why", "fix", "detail"),
    [
        (
            Problem("unknown flag: --x\nSee 'docker run --help'."),
            "unknown flag: --x",
            BY_HAND,
            "",
        ),
        (
            Problem('could not select device driver "" with capabilities: [[gpu]].'),
            'could not select device driver "" with capabilities: [[gpu]].',
            NO_GPUS_OPTION,
            "",
        ),
        (Problem(""), "it says nothing", BY_HAND, ""),
    ],
)  # fmt: skip
def test_a_container_that_does_not_start_is_the_one_thing_told(
    ended: Problem, why: str, fix: str, detail: str
) -> None:
    (only,) = findings(ended)
    assert (only.level, only.topic, only.text) == (
        "failure",
        "image",
        f"a container from it does not start: {why}",
    )
    assert (only.fix, only.detail) == (fix, detail)


def test_an_image_without_ray() -> None:
    assert bad(trial(ray=None, has_command=False)) == [("failure", "the image has no Ray", INSTALL)]


def test_a_ray_whose_python_cannot_be_told_from_it() -> None:
    told = "`ray` is there, but /usr/bin/python3, which it seems to run on, has no Ray"
    assert bad(trial(ray=None)) == [("failure", told, OTHER_PYTHON)]


def test_a_package_without_its_command() -> None:
    told = "the image has Ray 2.56.0, but no command `ray`, nor do the places where it might be"
    fix = "install Ray there with pip, which makes the command"
    assert bad(trial(has_command=False)) == [("failure", told, fix)]


@pytest.mark.parametrize("ray", [None, "2.56.0"])
def test_a_ray_that_is_not_on_the_path_is_told_with_the_path_that_finds_it(ray: str | None) -> None:
    told = "ray is in /opt/venv/bin, which is not on PATH"
    fix = ON_PATH.format(folder="/opt/venv/bin", path="/usr/bin:/bin")
    assert bad(trial(ray=ray, has_command=False, ray_folder="/opt/venv/bin")) == [("failure", told, fix)]


def test_a_vllm_that_is_not_on_the_path_is_no_more_than_a_warning() -> None:
    told = "vllm is in /opt/venv/bin, which is not on PATH"
    fix = ON_PATH.format(folder="/opt/venv/bin", path="/usr/bin:/bin")
    assert bad(trial(vllm_folder="/opt/venv/bin")) == [("warning", told, fix)]


def test_another_python_than_the_one_of_the_path_is_named() -> None:
    found = findings(trial(executable="/opt/venv/bin/python"))
    assert ("ok", "programs of raycluster run on /opt/venv/bin/python, not on /usr/bin/python3") in {
        (each.level, each.text) for each in found
    }


def test_without_python3_on_the_path_nothing_would_bring_a_server_back() -> None:
    told = "no python3 is on its PATH: a model that is served is not served again after a restart"
    fix = ON_PATH.format(folder="/opt/venv/bin", path="/usr/bin:/bin")
    assert bad(trial(executable="/opt/venv/bin/python", python3="")) == [("warning", told, fix)]


@pytest.mark.parametrize("version", ["2.9.3", "2.30.0"])
def test_a_ray_too_old_to_be_asked_for_its_nodes(version: str) -> None:
    told = f"Ray {version} is too old: 2.31 is the first that works"
    assert bad(trial(ray=version)) == [("failure", told, OLD_RAY)]


@pytest.mark.parametrize(
    ("version", "auth", "level"),
    [
        ("2.51.2", Auth.AUTO, "warning"),
        ("2.51.2", Auth.TOKEN, "failure"),
        ("2.51.2", Auth.DISABLED, None),
        ("2.31.0", Auth.AUTO, "warning"),
        ("2.52.0rc1", Auth.TOKEN, None),
        ("3.0.0.dev0", Auth.TOKEN, None),
    ],
)
def test_a_ray_too_old_for_tokens(version: str, auth: Auth, level: str | None) -> None:
    told = f"Ray {version} has no token authentication: whoever reaches its ports can run code there"
    wanted = [(level, told, "use an image with Ray 2.52 or later")] if level else []
    assert bad(trial(ray=version), replace(ALONE, ray=Ray(auth=auth))) == wanted


@pytest.mark.parametrize(
    ("accelerator", "names", "trouble", "told", "level", "fix"),
    [
        (Accelerator.NVIDIA, ("A", "A"), "", None, "", ""),
        (Accelerator.NVIDIA, ("A",), "", "1 of the 2 GPUs", "warning", f"{ON_THE_HOST} lists what"),
        (Accelerator.NVIDIA, (), "", "0 of the 2 GPUs", "failure", NO_TOOLKIT),
        (Accelerator.NVIDIA, (), "no nvidia-smi", "0 of the 2 GPUs: no nvidia-smi", "failure", NO_TOOLKIT),
        (Accelerator.NVIDIA, (), "nvidia-smi does not end", "0 of the 2 GPUs: nvidia-smi does not end", "failure",
            f"does it work on the host itself? {ON_THE_HOST}"),
        (Accelerator.AMD, (), "no /dev/kfd", "0 of the 2 GPUs: no /dev/kfd", "failure", "look at "),
        (Accelerator.NONE, (), "", None, "", ""),
    ],
)  # fmt: skip
def test_gpus_that_a_container_does_not_see(
    accelerator: Accelerator, names: tuple[str, ...], trouble: str, told: str | None, level: str, fix: str
) -> None:
    of = head(accelerator=accelerator, num_gpus=2)
    found = bad(trial(gpus=names, gpu_trouble=trouble), of)
    assert [(each[0], each[1]) for each in found] == ([(level, f"containers see {told}")] if told else [])
    assert all(each[2].startswith(fix) for each in found)


def test_how_many_gpus_a_container_should_see_is_what_up_expects() -> None:
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=None)
    assert [text for _, text, _ in bad(trial(), of, gpus=4)] == ["containers see 2 of the 4 GPUs"]
    two = head(accelerator=Accelerator.NVIDIA, num_gpus=None, docker=Docker(gpus='"device=0,1"'))
    assert bad(trial(), two, gpus=4) == []


def test_what_nvidia_smi_says_in_several_lines_stands_below_the_first() -> None:
    words = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.54"
    of = head(accelerator=Accelerator.NVIDIA, num_gpus=2)
    (only,) = (each for each in findings(trial(gpus=(), gpu_trouble=words), of) if each.topic == "gpus")
    assert (
        only.text
        == "containers see 0 of the 2 GPUs: Failed to initialize NVML: Driver/library version mismatch"
    )
    assert only.detail == words
    assert only.fix == HALF_UPDATED


def test_a_head_that_wants_no_gpus_is_told_nothing_of_them() -> None:
    of = head(accelerator=Accelerator.ASCEND, num_gpus=0)
    assert "gpus" not in {each.topic for each in findings(trial(gpus=()), of)}


@pytest.mark.parametrize(
    ("rdma", "there", "memlock", "told"),
    [
        (Rdma.AUTO, True, GIB, "containers may lock only 1.0 GiB of memory, which RDMA needs all of"),
        (Rdma.AUTO, True, -1, None),
        (Rdma.AUTO, False, GIB, None),
        (Rdma.OFF, True, GIB, None),
    ],
)
def test_memory_that_rdma_may_not_lock(rdma: Rdma, there: bool, memlock: int, told: str | None) -> None:
    wanted = [("failure", told, "let Docker's service have LimitMEMLOCK=infinity")] if told else []
    assert bad(trial(memlock=memlock), head(rdma=rdma), infiniband=there) == wanted


@pytest.mark.parametrize(("nofile", "few"), [(1024, True), (65535, True), (65536, False), (-1, False)])
def test_few_open_files(nofile: int, few: bool) -> None:
    fix = add("docker.args", "--ulimit=nofile=65536")
    wanted = [("warning", f"containers may open only {nofile} files", fix)] if few else []
    assert bad(trial(nofile=nofile)) == wanted


@pytest.mark.parametrize(("tasks", "few"), [(2048, True), (16383, True), (16384, False), (-1, False)])
def test_few_processes_and_threads(tasks: int, few: bool) -> None:
    """Podman's limit, which Ray's workers and vLLM exceed: github.com/AMD-AGI/Hyperloom/pull/1276."""
    told = (
        f"containers may start only {tasks} processes and threads, and Ray and vLLM start more on many cores"
    )
    assert bad(trial(tasks=tasks)) == ([("warning", told, NO_PIDS_LIMIT)] if few else [])


@pytest.mark.parametrize(("most", "may"), [(-1, True), (65536, True), (65535, False), (20000, False)])
def test_an_argument_for_more_files_is_advised_only_where_the_engine_may_give_them(
    most: int, may: bool
) -> None:
    ((_, _, fix),) = bad(trial(nofile=1024, most_files=most))
    assert (fix == add("docker.args", "--ulimit=nofile=65536")) is may
    assert ("LimitNOFILE=65536" in fix) is not may


def test_versions_that_are_not_the_same_everywhere() -> None:
    trials = {"gpu1": trial(), "gpu2": trial(python="3.11.9"), "gpu3": trial(), "gpu4": trial(ray=None)}
    told = "has Ray 2.56.0, Python 3.11.9, gpu1 has Ray 2.56.0, Python 3.12.3: Ray joins only equals"
    assert brief(check_versions(trials)) == [("gpu2", "failure", told, SAME)]


def test_a_host_without_a_trial_has_no_version_to_compare() -> None:
    assert list(check_versions({"gpu1": trial(), "gpu2": Problem("no")})) == []

"""Arguments as the real vLLM of the containers has them: completed, read of a file, refused before anything starts."""

import json
from pathlib import Path

import pytest

from orchestrator import payload
from orchestrator.payload import FOLDER as OURS
from tests.lab.host import VLLM_RELEASE
from tests.lab.lab import Lab
from tests.lab.seeing import brought_up, two_hosts

from .asking import chat, completion
from .inventory import EAGER, FOLDER, for_vllm
from .test_serve import OVER_BOTH, Served

CONTAINER = "raycluster-lab-gpu1"
TEMPLATE = "{{ messages[0].content }}"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "lab/alphabet"


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Served:
    lab.restore()
    return Served(lab, brought_up(lab, two_hosts(lab, **for_vllm())))


@pytest.fixture
def served(cluster: Served) -> Served:
    """With nothing served."""
    assert cluster.serve("stop").returncode == 0
    return cluster


def inside(lab: Lab, *words: str) -> str:
    return lab.hosts["gpu1"].docker("exec", CONTAINER, *words)


def options(lab: Lab, by: str) -> dict[str, set[str]]:
    """All spellings that vLLM has, those of flags, and of options that want a value."""
    said = inside(lab, "python3", "-c", payload.program("vllm_options"), by, "")
    told = json.loads(said.rpartition("\x1e")[2])
    return {
        "names": {name for each in told["names"] for name in each},
        "flags": set(told["flags"]),
        "want": set(told["want"]),
    }


def start(served: Served, *words: str, model: str = FOLDER) -> None:
    done = served.lab.raycluster("serve", model, "-i", served.inventory, "--", *words, timeout=600)
    assert done.returncode == 0, done.stderr


def argv(lab: Lab) -> list[str]:
    """The command line of the vLLM that is served."""
    (found,) = inside(lab, "sh", "-c", f"cat $(find {OURS} -name spec.json)").splitlines()
    words: list[str] = json.loads(found)["argv"]
    return words


def test_its_sources_tell_the_options_that_its_parser_has(cluster: Served) -> None:
    told, asked = options(cluster.lab, "sources"), options(cluster.lab, "parser")
    assert told["flags"] <= asked["flags"]
    assert told["want"] <= asked["want"]
    read, parsed = told["names"], asked["names"]
    assert read <= parsed
    assert [each for each in parsed - read if not each.startswith("--no-")] == []
    assert len(read) > 150


def test_an_option_that_it_does_not_have_is_told_with_the_nearest_name_and_nothing_starts(
    served: Served,
) -> None:
    wrong = served.serve(FOLDER, "--", "--max-modle-len", "128")
    assert wrong.returncode == 1
    assert f"--max-modle-len: vLLM {VLLM_RELEASE}+cpu has no such option" in wrong.stderr
    assert f"→ raycluster serve {FOLDER} -- --max-model-len 128" in wrong.stderr
    assert not served.lab.hosts["gpu1"].runs("vllm serv[e]")


def test_a_file_of_arguments_says_where_it_listens_and_how_it_is_spread(served: Served) -> None:
    lines = ("port: 8001", "tensor_parallel_size: 2", "served-model-name: [alphabet]", "max-model-len: 128")
    inside(served.lab, "sh", "-c", 'printf "%s\n" "$@" >/etc/serve.yaml', "sh", *lines)
    start(served, "--config", "/etc/serve.yaml", "--enforce-eager")
    assert completion(served.lab, "abc", "alphabet", port=8001) == "defghijk"
    assert served.model()["url"].endswith(":8001")
    assert "--pipeline-parallel-size 1" in " ".join(argv(served.lab))


def test_it_listens_at_addresses_of_both_kinds_and_chats(served: Served) -> None:
    start(served, *EAGER, *OVER_BOTH, "--host", "::", "--chat-template", TEMPLATE)
    assert completion(served.lab, "abc", "alphabet") == "defghijk"
    assert chat(served.lab, "abc", "alphabet") == "defghijk"


def test_two_data_parallel_ranks_are_on_two_hosts(served: Served) -> None:
    start(served, *EAGER, "-dp", "2", "-tp", "1")
    assert "--data-parallel-backend ray" in " ".join(argv(served.lab))
    assert all(completion(served.lab, "abc", "alphabet") == "defghijk" for _ in range(4))
    assert all(served.lab.hosts[host].runs("EngineCor[e]|RayWorke[r]") for host in ("gpu1", "gpu2"))


def test_with_ranks_instead_of_ray_too(lab: Lab) -> None:
    lab.restore()
    served = Served(lab, brought_up(lab, two_hosts(lab, engine="mp", **for_vllm())))
    start(served, *EAGER, "-dp", "2", "-tp", "1")
    assert all(completion(lab, "abc", "alphabet") == "defghijk" for _ in range(4))
    assert all(lab.hosts[host].runs("VLLM::EngineCor[e]") for host in ("gpu1", "gpu2"))


def test_where_all_hosts_have_all_of_it_the_hub_that_nobody_reaches_is_not_missed(lab: Lab) -> None:
    lab.restore()
    served = Served(lab, brought_up(lab, two_hosts(lab, **for_vllm())))
    top = Path(f"/root/.cache/huggingface/hub/models--{HUB.replace('/', '--')}")
    for host in ("gpu1", "gpu2"):
        inventory = ("mkdir", "-p", top / "refs", top / "snapshots")
        lab.hosts[host].run(*map(str, inventory))
        lab.hosts[host].run("cp", "-r", "/run/lent/vllm/models/alphabet", str(top / "snapshots" / COMMIT))
        lab.hosts[host].run("sh", "-c", f"printf {COMMIT} >{top}/refs/main")
    start(served, *EAGER, *OVER_BOTH, model=HUB)
    assert completion(lab, "abc", "alphabet") == "defghijk"

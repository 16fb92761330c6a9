"""From what was seen of hosts to an inventory that the loader takes."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Accelerator, Cluster, Docker, Ssh
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.yaml_source import Source, from_text
from orchestrator.model.ssh_target import names, parse_all
from orchestrator.plan.actions.init import LAST_WITH_RAY, Draft, Seen, text
from orchestrator.plan.facts import inspection
from orchestrator.plan.facts import parse as probes
from orchestrator.plan.facts.host import Address, HostFacts
from orchestrator.plan.facts.inspection import Inspection
from orchestrator.plan.facts.networks import one_machine, shared_networks
from tests.plan.recordings import INSPECTED, ORDERLY, Said, answer, told

NO_RIGHT = Said("", "permission denied while trying to connect to the Docker daemon socket\n", 1)


def facts(*addresses: Address, **said: Said) -> HostFacts:
    found = probes.parse_host_facts(*answer(**ORDERLY, **said))
    assert isinstance(found, HostFacts)
    return replace(found, addresses=addresses)


def inspected(hardware: str = "", **said: Said) -> Inspection:
    whole = Said(INSPECTED["hardware"].text + hardware)  # of two lines with one key, the last holds
    found = inspection.parse_inspection(told(INSPECTED | {"hardware": whole} | said)[0])
    assert found
    return found


def lan(n: int, interface: str = "eth0", mtu: int = 1500, prefix: int = 24) -> Address:
    return Address(interface, f"10.0.0.{n}", mtu, f"02:00:00:00:00:0{n}", prefix)


def draft(*words: str, hardware: str = "nvidia_usable 8\n", **seen: object) -> Draft:
    targets = parse_all(list(words))
    hosts = tuple(
        Seen(name, target, facts(lan(i)), inspected(hardware))
        for i, (name, target) in enumerate(zip(names(targets), targets, strict=True), 1)
    )
    changed = tuple(replace(host, **seen.get(host.name, {})) for host in hosts)  # type: ignore[arg-type]
    return Draft("demo", LAST_WITH_RAY, changed, shared_networks({each.name: each.facts for each in changed}))


def loaded(made: Draft) -> Cluster:
    source = from_text(text(made), "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    return resolve(inventory)


FILE = """\
# A raycluster inventory: one file, one cluster. `raycluster init` wrote down what it saw on the hosts;
# change what you like. `raycluster check` says what could go wrong, `raycluster up` starts the cluster.

cluster: demo                          # in the names and labels of the containers: a-z, 0-9 and "-"
image: vllm/vllm-openai:v0.17.1        # the last stock vLLM image with Ray in it; for later ones see `ray` below

# `host` is where to SSH, `ip` where the hosts reach each other: their addresses in 10.0.0.0/24 (eth0).
head: {host: gpu1, ip: 10.0.0.1}       # 8 NVIDIA GPUs
workers:
  - {host: gpu2, ip: 10.0.0.2}         # 8 NVIDIA GPUs
  - {host: gpu3, ip: 10.0.0.3, ssh: {user: root}} # 8 NVIDIA GPUs

accelerator: nvidia                    # nvidia, amd, intel, ascend, gaudi, tpu, none
hf_home: ~/.cache/huggingface          # Hugging Face downloads, on each host; 470.2 GiB free on gpu1, the least
ssh: {port: 2222}                      # what is not written here is as ~/.ssh/config has it

# What else may be written, for example; `raycluster config example` shows every key.
# secrets: [HF_TOKEN]                  # variables of your own environment; their values are shown nowhere
# env: {NCCL_DEBUG: WARN}              # the containers' environment
# ray: {install: "ray[default]==2.56.*"} # for an image without Ray
"""


def test_the_file_word_for_word() -> None:
    assert text(draft("gpu[1-2]:2222", "root@gpu3:2222")) == FILE


def test_what_the_loader_makes_of_it() -> None:
    cluster = loaded(draft("gpu[1-2]:2222", "root@gpu3:2222"))
    assert [(node.host, node.ip) for node in cluster.nodes] == [
        ("gpu1", "10.0.0.1"),
        ("gpu2", "10.0.0.2"),
        ("gpu3", "10.0.0.3"),
    ]
    assert [node.ssh for node in cluster.nodes] == [Ssh(None, 2222), Ssh(None, 2222), Ssh("root", 2222)]


def test_one_machine_is_a_cluster_too() -> None:
    assert loaded(draft("gpu1")).workers == ()


@pytest.mark.parametrize(
    ("hardware", "accelerator", "shown"),
    [
        ("nvidia_usable 1\n", Accelerator.NVIDIA, "1 NVIDIA GPU"),
        ("nvidia_cards 2\nintel 2\n", Accelerator.NVIDIA, "2 NVIDIA GPUs"),
        ("amd 8\nintel 8\n", Accelerator.AMD, "8 AMD GPUs"),
        ("ascend 4\n", Accelerator.ASCEND, "4 Ascend NPUs"),
        ("gaudi 8\n", Accelerator.GAUDI, "8 Gaudi HPUs"),
        ("tpu 4\n", Accelerator.NONE, "no GPU"),
        ("intel 4\n", Accelerator.INTEL, "4 Intel GPUs"),
        ("", Accelerator.NONE, "no GPU"),
    ],
)
def test_what_the_hosts_have_is_the_accelerator(hardware: str, accelerator: Accelerator, shown: str) -> None:
    made = draft("gpu1", "gpu2", hardware=hardware)
    assert [node.accelerator for node in loaded(made).nodes] == [accelerator] * 2
    assert f"# {shown}\n" in text(made)


def test_a_host_that_differs_says_so_for_itself() -> None:
    made = draft("gpu1", "gpu2", "big", big={"inspection": inspected("amd 4\n")})
    assert [node.accelerator for node in loaded(made).nodes] == ["nvidia", "nvidia", "amd"]


def test_docker_that_answers_only_to_sudo_is_written_down_for_all_or_for_the_one() -> None:
    sudo = {"facts": facts(lan(2), containers=NO_RIGHT), "inspection": inspected(sudo=Said("", "", 0))}
    one = loaded(draft("gpu1", "gpu2", gpu2=sudo))
    assert [node.docker for node in one.nodes] == [Docker(), Docker(("sudo", "-n", "docker"))]
    both = draft("gpu1", "gpu2", gpu1=sudo | {"facts": facts(lan(1), containers=NO_RIGHT)}, gpu2=sudo)
    assert text(both).count("sudo -n docker") == 1
    assert loaded(both).head.docker.command == ("sudo", "-n", "docker")


def test_docker_that_answers_to_nobody_is_left_as_it_is() -> None:
    mute = {"facts": facts(lan(2), containers=NO_RIGHT), "inspection": inspected(sudo=Said("", "no", 1))}
    assert loaded(draft("gpu1", "gpu2", gpu2=mute)).workers[0].docker == Docker()


@pytest.mark.parametrize("host", ["fd00::1", "head", "_gpu", "1e3", "true"])
def test_an_awkward_host_makes_a_sound_file(host: str) -> None:
    assert loaded(draft(host)).head.host == host


def test_hosts_behind_one_address_are_told_apart_by_their_ports() -> None:
    cluster = loaded(draft("localhost:2201", "localhost:2202"))
    assert [(node.name, node.ssh.port) for node in cluster.nodes] == [
        ("localhost-2201", 2201),
        ("localhost-2202", 2202),
    ]


def test_this_machine_needs_no_login_and_the_others_still_share_theirs() -> None:
    made = draft("local", "me@gpu[2-3]:2222")
    assert [node.is_local for node in loaded(made).nodes] == [True, False, False]
    assert "\nssh: {user: me, port: 2222} " in text(made)


def test_a_user_with_odd_letters_is_kept() -> None:
    assert loaded(draft("DOM\\me#1@gpu1", "x@gpu2")).head.ssh.user == "DOM\\me#1"


DOCKER0 = Address("docker0", "172.17.0.1", 1500, "02:42:00:00:00:01", 16)


def networks(*hosts: tuple[Address, ...]) -> list[str]:
    return [
        str(each) for each in shared_networks({f"gpu{i}": facts(*each) for i, each in enumerate(hosts, 1)})
    ]


def test_the_network_is_one_in_which_each_has_one_address() -> None:
    assert networks((DOCKER0, lan(1)), (lan(2, "ens3"), DOCKER0)) == ["10.0.0.0/24 (eth0, ens3)"]


def test_a_private_network_comes_before_a_public_one_and_large_frames_before_small_ones() -> None:
    def host(n: int) -> tuple[Address, ...]:
        public = Address("eth0", f"198.51.100.{n}", 1500, "", 24)
        return (replace(public, ip=f"8.8.8.{n}"), lan(n, "eth1"), Address("ib0", f"10.1.0.{n}", 4092, "", 16))

    assert networks(host(1), host(2)) == ["10.1.0.0/16 (ib0)", "10.0.0.0/24 (eth1)", "8.8.8.0/24 (eth0)"]
    made = draft("gpu1", "gpu2", gpu1={"facts": facts(*host(1))}, gpu2={"facts": facts(*host(2))})
    assert loaded(made).head.ip == "10.1.0.1"
    assert "# They also share 10.0.0.0/24 (eth1) and 8.8.8.0/24 (eth0)" in text(made)


def test_an_address_that_two_have_makes_no_network() -> None:
    assert networks((lan(1),), (replace(lan(1), card="other"),)) == []


def test_where_none_is_shared_the_only_address_of_each_will_do() -> None:
    (found,) = shared_networks({"a": facts(lan(1, prefix=32)), "b": facts(lan(2, prefix=32))})
    assert (found.network, found.addresses["b"].ip) == ("", "10.0.0.2")
    made = draft("a", "b", a={"facts": facts(lan(1, prefix=32))}, b={"facts": facts(lan(2, prefix=32))})
    assert "which are in no network that all share: see `raycluster check`" in text(made)
    assert loaded(made).workers[0].ip == "10.0.0.2"


def test_where_one_has_several_nobody_guesses() -> None:
    assert networks((lan(1, prefix=32), lan(3, "eth1", prefix=32)), (lan(2, prefix=32),)) == []


def test_one_machine_under_two_names_is_known_by_its_card() -> None:
    hosts = {"a": facts(DOCKER0, lan(1)), "b": facts(DOCKER0, lan(2)), "c": facts(DOCKER0, lan(1))}
    assert one_machine(hosts) == ("a", "c", lan(1))
    assert one_machine({"a": hosts["a"], "b": hosts["b"]}) is None

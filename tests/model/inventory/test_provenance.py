"""Where a value comes from, and what of it is shown."""

from dataclasses import replace

import pytest

from orchestrator.model import redact
from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.provenance import (
    HostSettings,
    Origin,
    Setting,
    SettingSource,
    of_cluster,
    of_hosts,
)
from orchestrator.model.inventory.resolve import resolve
from orchestrator.model.inventory.yaml_source import Source, from_text

TEXT = """\
cluster: demo
image: vllm
network: 10.0.0.0/24
head: {host: gpu1, ip: 10.0.0.1}
workers:
  - host: gpu[2-3]
    docker:
      shm_size: 64g
      args: [-t]
    env: {A: 2}
  - host: big
    name: gpu4
    ray:
      num_gpus: 4
docker:
  shm_size: 32g
  args:
    - -i
ray: {port: 7000}
env: {A: 1, B: 1, HF_TOKEN: hf_abc}
rdma:
"""


def explained(text: str = TEXT) -> tuple[dict[str, Setting], dict[str, dict[str, Setting]]]:
    source = from_text(text, "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    cluster = resolve(inventory)
    hosts = of_hosts(source, inventory, cluster)
    return by_key(of_cluster(source, inventory, cluster)), {host.name: settings(host) for host in hosts}


def by_key(told: tuple[Setting, ...]) -> dict[str, Setting]:
    return {each.key: each for each in told}


def settings(host: HostSettings) -> dict[str, Setting]:
    return by_key(host.settings)


CLUSTER, HOSTS = explained()


@pytest.mark.parametrize(
    ("host", "key", "value", "origin"),
    [
        ("gpu2", "docker.shm_size", "64g", Origin(SettingSource.HOST, (8,))),
        ("gpu1", "docker.shm_size", "32g", Origin(SettingSource.CLUSTER, (16,))),
        ("gpu1", "docker.restart", "unless-stopped", Origin(SettingSource.DEFAULT)),
        ("gpu1", "rdma", "auto", Origin(SettingSource.DEFAULT)),
        ("gpu2", "docker.args", ("-i", "-t"), Origin(SettingSource.HOST, (17, 9))),
        ("gpu1", "docker.args", ("-i",), Origin(SettingSource.CLUSTER, (17,))),
        ("gpu2", "env.A", "2", Origin(SettingSource.HOST, (10,))),
        ("gpu2", "env.B", "1", Origin(SettingSource.CLUSTER, (20,))),
        ("gpu4", "ray.num_gpus", 4, Origin(SettingSource.HOST, (14,))),
        ("gpu1", "ray.num_gpus", None, Origin(SettingSource.DEFAULT)),
        ("gpu3", "host", "gpu3", Origin(SettingSource.HOST, (6,), "gpu[2-3]")),
        ("gpu3", "name", "gpu3", Origin(SettingSource.HOST, (6,), "gpu[2-3]")),
        ("gpu4", "name", "gpu4", Origin(SettingSource.HOST, (12,))),
        ("gpu1", "ip", "10.0.0.1", Origin(SettingSource.HOST, (4,))),
        ("gpu4", "ip", None, Origin(SettingSource.CLUSTER, (3,))),
        ("gpu1", "ssh.port", None, Origin(SettingSource.SSH)),
        ("gpu1", "ssh.connect_timeout", 10, Origin(SettingSource.DEFAULT)),
        ("gpu1", "ssh.host_keys", None, Origin(SettingSource.SSH)),
    ],
)
def test_each_value_has_the_lines_that_say_so(host: str, key: str, value: object, origin: Origin) -> None:
    assert HOSTS[host][key] == Setting(key, value, origin)  # type: ignore[arg-type]


def test_so_has_what_holds_for_the_cluster() -> None:
    assert CLUSTER["ray.port"] == Setting("ray.port", 7000, Origin(SettingSource.CLUSTER, (19,)))
    assert CLUSTER["ray.auth"].origin == Origin(SettingSource.DEFAULT)
    assert CLUSTER["image"].origin.lines == (2,)


def test_a_value_that_a_merge_key_brings_is_told_where_it_stands() -> None:
    text = "cluster: d\nimage: v\nnetwork: 10.0.0.0/8\nhead: &h\n  host: a\n  rdma: off\n"
    text += "workers:\n  - <<: *h\n    host: b\n"
    assert explained(text)[1]["b"]["rdma"].origin == Origin(SettingSource.HOST, (6,))


def test_a_time_to_connect_that_ssh_has_is_sshs() -> None:
    source = from_text(TEXT, "f")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not isinstance(inventory, InventoryError), inventory.text()
    cluster = resolve(inventory)
    patient = replace(cluster.head, ssh=replace(cluster.head.ssh, connect_timeout=30))
    head, *_ = of_hosts(source, inventory, replace(cluster, head=patient))
    assert settings(head)["ssh.connect_timeout"] == Setting(
        "ssh.connect_timeout", 30, Origin(SettingSource.SSH)
    )


def test_a_host_that_is_this_machine_has_nothing_of_ssh() -> None:
    hosts = explained(TEXT.replace("host: gpu1", "host: local"))[1]
    assert not [key for key in hosts["local"] if key.startswith("ssh.")]
    assert [key for key in hosts["gpu2"] if key.startswith("ssh.")]


def test_a_secret_in_env_is_hidden() -> None:
    assert HOSTS["gpu1"]["env.HF_TOKEN"].value == redact.HIDDEN


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "APIKEY", "API_KEYS", "X_CREDENTIALS", "GITHUB_PAT"],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert redact.variable(name, "x") == redact.HIDDEN
    assert redact.variable(name, "") == ""


@pytest.mark.parametrize("name", ["TOKENIZERS_PARALLELISM", "MAX_TOKENS", "NCCL_DEBUG", "KEY_FILE", "PWD"])
def test_other_names_are_not(name: str) -> None:
    assert redact.variable(name, "x") == "x"


def test_of_an_url_only_the_password_is_hidden() -> None:
    shown = redact.variable("STORE", "postgres://ana:pw@db:5432/x")
    assert shown == "postgres://ana:<hidden>@db:5432/x"


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (("-e", "HF_TOKEN=abc", "-t"), ("-e", "HF_TOKEN=<hidden>", "-t")),
        (("-eHF_TOKEN=abc",), ("-eHF_TOKEN=<hidden>",)),
        (("--redis-password", "abc", "-t"), ("--redis-password", "<hidden>", "-t")),
        (("--redis-password=a\nb",), ("--redis-password=<hidden>",)),
        (("-e", "HF_TOKEN", "-v", "/keys:/keys"), ("-e", "HF_TOKEN", "-v", "/keys:/keys")),
    ],
)
def test_arguments_that_set_secrets_are_hidden(args: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert redact.arguments(args) == shown

"""Advice on the inventory is a change of that very file: the line, and the key under which it goes."""

import pytest

from orchestrator.model.inventory.advice import Advice, Written
from orchestrator.model.inventory.parse import parse
from orchestrator.model.inventory.yaml_source import Source, from_text

FILE = """\
cluster: demo
image: vllm/vllm-openai:v0.17.1
ray:
  port: 6380
head: {host: gpu1, ip: 10.0.0.1}
workers:
  - {host: gpu2, ip: 10.0.0.2, docker: {args: [--x]}}
  - {host: "gpu[3-4]", ip: "10.0.0.[3-4]"}
docker: {args: [--y]}
"""
ALL = ("gpu1", "gpu2", "gpu3", "gpu4")


def written(text: str = FILE) -> Written:
    source = from_text(text, "m/ok.yaml")
    assert isinstance(source, Source)
    inventory = parse(source)
    assert not hasattr(inventory, "mistakes"), inventory
    return Written(source, inventory)


CASES = [
    (("ray.install", "'ray[default]'"), (), "m/ok.yaml:3: under `ray`, add `install: 'ray[default]'`"),
    (("ray.port", "6390"), (), "m/ok.yaml:4: write `port: 6390`"),
    (("image", "other:1"), (), "m/ok.yaml:2: write `image: other:1`"),
    (("ray.install", "x"), ("gpu2",), "m/ok.yaml:3: under `ray`, add `install: x`"),
    (("ray.num_gpus", "8"), ("gpu2",), "m/ok.yaml:7: to the entry of gpu2, add `ray: {num_gpus: 8}`"),
    (("image", "other:1"), ("gpu2",), "m/ok.yaml:2: write `image: other:1`"),
    (("accelerator", "none"), ALL, "m/ok.yaml: add `accelerator: none`"),
    (("accelerator", "none"), ("gpu1",), "m/ok.yaml:5: to the entry of gpu1, add `accelerator: none`"),
    (("ip", "10.0.0.9"), ("gpu2",), "m/ok.yaml:7: write `ip: 10.0.0.9`"),
    (("docker.pull", "never"), ("gpu2",), "m/ok.yaml:7: under `docker`, add `pull: never`"),
    (("docker.pull", "never"), ("gpu1",), "m/ok.yaml:5: to the entry of gpu1, add `docker: {pull: never}`"),
    (
        ("accelerator", "none"),
        ("gpu3",),
        "m/ok.yaml:8: give gpu3 an entry of its own, with `accelerator: none`",
    ),
    (
        ("accelerator", "none"),
        ("gpu3", "gpu4"),
        "m/ok.yaml:8: to the entry of gpu3, gpu4, add `accelerator: none`",
    ),
]


def test_of_a_machine_that_is_to_join_the_file_has_no_line() -> None:
    change = Advice(("docker", "command"), ("sudo -n docker",))
    assert (
        written().advise(change, ("gpu9",)) == "in the inventory, write `docker: {command: sudo -n docker}`"
    )


@pytest.mark.parametrize(("change", "hosts", "told"), CASES)
def test_a_change_names_its_line_and_the_key_above_it(
    change: tuple[str, str], hosts: tuple[str, ...], told: str
) -> None:
    assert written().advise(Advice(tuple(change[0].split(".")), (change[1],)), hosts) == told


def test_a_list_that_is_there_gets_further_items() -> None:
    advice = Advice(("docker", "args"), ("--userns=host",), adds=True)
    assert written().advise(advice, ("gpu2",)) == "m/ok.yaml:7: add `--userns=host` to `docker.args`"
    assert written().advise(advice, ALL) == "m/ok.yaml:9: add `--userns=host` to `docker.args`"


def test_the_image_is_changed_where_its_map_has_it() -> None:
    text = FILE.replace("image: vllm/vllm-openai:v0.17.1", "image:\n  from: x:1")
    assert written(text).advise(Advice(("image",), ("y:2",))) == "m/ok.yaml:3: write `from: y:2`"


def test_what_is_there_once_is_never_advised_twice() -> None:
    """Followed to the letter, the file reads well."""
    line, _, change = (
        written().advise(Advice(("ray", "install"), ("ray==2.56.*",))).partition(": under `ray`, add ")
    )
    number = int(line.removeprefix("m/ok.yaml:"))
    lines = FILE.splitlines()
    lines.insert(number, f"  {change.strip('`')}")
    assert written("\n".join(lines)).inventory.ray.install == "ray==2.56.*"  # type: ignore[union-attr]


def test_a_key_that_only_a_person_can_fill_is_named_with_its_lines() -> None:
    assert written().where(("docker", "args"), ("gpu1", "gpu2")) == (
        "`docker.args` (m/ok.yaml:9, m/ok.yaml:7)"
    )
    assert written().where(("ray", "port")) == "`ray.port` (m/ok.yaml:4)"
    assert written().where(("hf_home",), ("gpu1",)) == "`hf_home`"

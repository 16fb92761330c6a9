"""Will it fit, on real hosts: a model's shape is read in their caches, and their GPUs tell of their memory."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import living
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.seeing import Answer, brought_up, failed, two_hosts
from tests.plan.serving.shapes import LLAMA_8B, MIXTRAL, header, tensors

GPUS = "NVIDIA Stand-in, {}, [N/A]\n"
COMMIT = "0a1b2c3d4e" * 4
OURS = "/usr/local/bin/vllm serv[e]|supervisor.p[y]"


def gives_gpus(host: Host, mib: int) -> None:
    """Its container has GPUs of so much memory."""
    text = f"#!/bin/sh\ncat <<'END'\n{GPUS.format(mib) * 8}END\n"
    write = "cat >/usr/local/bin/nvidia-smi && chmod +x /usr/local/bin/nvidia-smi"
    host.run("docker", "exec", "--interactive", f"raycluster-lab-{host.name}", "sh", "-c", write, stdin=text)


def has_model(host: Host, name: str, config: dict[str, Any]) -> None:
    """In its cache, as large as it is: files of nothing behind their headers."""
    top: Path = host.folder / f"root/.cache/huggingface/hub/models--{name.replace('/', '--')}"
    snapshot = top / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (top / "refs").mkdir()
    (top / "refs/main").write_text(COMMIT)
    (snapshot / "config.json").write_text(json.dumps(config))
    (snapshot / "tokenizer.json").write_text("{}")
    told = header(tensors(config))
    text = json.dumps(told).encode()
    with (snapshot / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + max(each["data_offsets"][1] for each in told.values()))


@pytest.fixture
def stand(lab: Lab) -> Iterator[Path]:
    """A cluster of two hosts that have vLLM's stand-in, GPUs of 24 GiB, and two models."""
    living.lend_vllm(lab)
    inventory = brought_up(lab, two_hosts(lab, **living.SERVING))
    for name in ("gpu1", "gpu2"):
        gives_gpus(lab.hosts[name], 24564)
        has_model(lab.hosts[name], "org/small", LLAMA_8B)
        has_model(lab.hosts[name], "org/experts", MIXTRAL)
    yield inventory
    lab.raycluster("serve", "stop", "-i", inventory)


def plan(lab: Lab, inventory: Path, *words: str) -> Answer:
    return lab.raycluster("serve", "--plan", "-i", inventory, *words)


def test_a_plan_shows_sizes_and_memory_and_starts_nothing(lab: Lab, stand: Path) -> None:
    small = plan(lab, stand, "org/small")
    assert small.returncode == 0, small.stderr
    assert small.stdout.startswith("org/small fits on 8 GPUs\n")
    assert "NVIDIA Stand-in, 24.0 GiB, of which vLLM may use 21.6" in small.stdout
    assert all(len(line) <= 80 for line in small.stdout.splitlines())

    experts = json.loads(plan(lab, stand, "org/experts", "-o", "json").stdout)
    assert (experts["verdict"], experts["args"][:2]) == ("fits", ["--tensor-parallel-size", "8"])

    gives_gpus(lab.hosts["gpu2"], 12000)  # the smallest one counts
    large = plan(lab, stand, "org/experts", "--", "--max-model-len", "8192")
    assert large.returncode == 0, large.stderr
    assert "tensor parallel 8, pipeline parallel 2" in large.stdout
    assert not any(lab.hosts[name].runs(OURS) for name in ("gpu1", "gpu2"))


def test_a_model_that_does_not_fit_is_refused_and_force_goes_on(lab: Lab, stand: Path) -> None:
    for name in ("gpu1", "gpu2"):
        gives_gpus(lab.hosts[name], 6000)
    shown = plan(lab, stand, "org/experts")
    assert (shown.returncode, "org/experts does not fit" in shown.stdout) == (1, True)
    refused = lab.raycluster("serve", "-i", stand, "org/experts")
    failed(
        refused, "org/experts does not fit: a GPU would hold ", " org/experts --force` starts it all the same"
    )
    assert "Nothing was started." in refused.stderr
    assert not lab.hosts["gpu1"].runs(OURS)

    forced = lab.raycluster("serve", "-i", stand, "--force", "org/experts")
    assert forced.returncode == 0, forced.stderr
    assert "! gpu1: org/experts does not fit: " in forced.stderr
    assert "org/experts answers at " in forced.stdout

"""Models on real hosts, downloaded by several versions of Hugging Face's library from a small hub on the laptop."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.lab import hub, living, variants
from tests.lab.lab import Lab
from tests.lab.network import LAPTOP, NETWORK
from tests.lab.processes import wait_until
from tests.lab.seeing import brought_up, failed, ids, two_hosts
from tests.lab.test_check import iptables
from tests.payload.serving.place import VLLM

VERSIONS = ("0.23.5", "0.36.2", "1.20.1", "2.4.0")
STORE = f"{NETWORK}.9"
PORT = 8800
URL = f"http://{LAPTOP}:{PORT}"
MB = 1_000_000
FILES: dict[str, str | int] = {
    "config.json": '{"model_type": "llama"}',
    "tokenizer.json": "{}",
    "README.md": "# tiny",
    "weights/part-00001.bin": 3 * MB,
    "part-00002.bin": 2 * MB,
}
SERVED: dict[str, str | int] = {
    "config.json": '{"model_type": "llama"}',
    "tokenizer.json": "{}",
    "README.md": "# tiny",
    "model.safetensors": "\x08" + 7 * "\0" + "{}      ",
}
ENVIRONMENT = "for pid in $(pgrep -f 'vllm serv[e]'); do tr '\\0' '\\n' </proc/$pid/environ; done"
OFFLINE = (
    "import os; os.environ['HF_HUB_OFFLINE'] = '1'; import huggingface_hub as h; "
    "print(h.snapshot_download('org/tiny', allow_patterns='*.json'))"
)
Hub = Callable[..., dict[str, Any]]


@pytest.fixture
def serves(lab: Lab) -> Hub:
    """Starts the hub with these repositories; what an inventory has to have to ask it, with this library."""

    def start(
        version: str, repositories: Mapping[str, Any], tokens: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        told = lab.folder / "hub.json"
        told.write_text(json.dumps({"repositories": repositories, "tokens": tokens or {}}))
        lab.laptop(["ip", "address", "replace", f"{STORE}/24", "dev", "eth0"])
        lab.laptop_popen([sys.executable, hub.__file__, LAPTOP, str(PORT), STORE, told])
        host = lab.hosts["gpu1"]
        probe = f"</dev/tcp/{STORE}/{PORT + 1}"
        wait_until("the hub answers", lambda: host.run("bash", "-c", probe, check=False).returncode == 0)
        image = variants.make(lab, variants.of_hub(version), "gpu1", "gpu2")
        return {"image": image, "env": {"HF_ENDPOINT": URL}}

    return start


def cache(lab: Lab, name: str = "gpu1") -> Path:
    return lab.hosts[name].folder / "root/.cache/huggingface/hub"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_is_downloaded_verified_mended_and_removed(version: str, lab: Lab, serves: Hub) -> None:
    settings = serves(version, {"org/tiny": {"files": FILES}})
    inventory = ("-i", lab.inventory(**settings))

    pulled = lab.raycluster("model", "pull", *inventory, "-l", "gpu1", "org/tiny", timeout=300)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.startswith("gpu1 has org/tiny main "), pulled.stdout
    top = cache(lab) / "models--org--tiny"
    commit = (top / "refs/main").read_text()
    assert len(commit) == 40

    host = lab.hosts["gpu1"]
    mount = ("--volume", "/root/.cache/huggingface:/root/.cache/huggingface", "--network", "none")
    found = host.docker("run", "--rm", *mount, settings["image"], "python3", "-c", OFFLINE)
    assert found.strip().endswith(f"/snapshots/{commit}")

    listed = lab.raycluster("model", "ls", *inventory, "-l", "gpu1,gpu2", "org/tiny", timeout=300)
    assert listed.returncode == 0, listed.stderr
    assert f"main {commit[:7]}  5 MB  whole  gpu1\n" in listed.stdout
    assert "none   gpu2\n" in listed.stdout
    absent = lab.raycluster("model", "ls", *inventory, "-l", "gpu3", timeout=300)
    assert absent.returncode == 1
    assert (
        f"gpu3  Error response from daemon: No such image: {settings['image']}\n      → bring"
        in absent.stderr
    )

    blob = (top / "snapshots" / commit / "part-00002.bin").readlink().name
    data = bytearray((top / "blobs" / blob).read_bytes())
    data[MB] ^= 1
    (top / "blobs" / blob).write_bytes(data)
    again = lab.raycluster("model", "pull", *inventory, "-l", "gpu1", "org/tiny", timeout=300)
    assert again.returncode == 0  # nobody looks at what is there
    bad = lab.raycluster("model", "verify", *inventory, "-l", "gpu1", "org/tiny", timeout=300)
    assert (bad.returncode, "part-00002.bin is not what its hash says" in bad.stdout) == (3, True), bad.stderr
    dropped = lab.raycluster("model", "verify", "--drop", *inventory, "-l", "gpu1", "org/tiny", timeout=300)
    assert "1 file removed" in dropped.stdout
    assert lab.raycluster("model", "pull", *inventory, "-l", "gpu1", "org/tiny", timeout=300).returncode == 0
    good = lab.raycluster("model", "verify", *inventory, "-l", "gpu1", "org/tiny", timeout=300)
    assert (good.returncode, "all are what their hashes say" in good.stdout) == (0, True), good.stdout

    gone = lab.raycluster("model", "rm", *inventory, "-l", "gpu1,gpu2", "org/tiny", timeout=300)
    assert gone.returncode == 0, gone.stderr
    assert "org/tiny is gone from gpu1: 5 MB freed\n" in gone.stdout
    assert not top.exists()


def test_a_model_is_downloaded_once_and_goes_on_from_host_to_host(lab: Lab, serves: Hub) -> None:
    settings = serves("2.4.0", {"org/tiny": {"files": FILES}})
    inventory = ("-i", lab.inventory(**settings), "-l", "gpu1,gpu2")
    pulled = lab.raycluster("model", "pull", *inventory, "org/tiny", timeout=300)
    assert pulled.returncode == 0, pulled.stderr
    assert "(copied to gpu2, " in pulled.stdout
    blobs = [{each.name: each.read_bytes() for each in (cache(lab, name) / "models--org--tiny/blobs").iterdir()}
             for name in ("gpu1", "gpu2")]  # fmt: skip
    assert blobs[0] == blobs[1]
    host = lab.hosts["gpu2"]
    mount = ("--volume", "/root/.cache/huggingface:/root/.cache/huggingface", "--network", "none")
    assert "/snapshots/" in host.docker("run", "--rm", *mount, settings["image"], "python3", "-c", OFFLINE)


def test_a_gated_model_comes_with_the_token_of_the_inventorys_secrets(lab: Lab, serves: Hub) -> None:
    gated = {"org/tiny": {"files": FILES, "gated": True}}
    settings = serves("0.36.2", gated, {"hf_good": ["org/tiny"], "hf_other": []})
    without = lab.raycluster(
        "model", "pull", "-l", "gpu1", "-i", lab.inventory(**settings), "org/tiny", timeout=300
    )
    assert without.returncode == 1
    assert "gpu1  download org/tiny: org/tiny is gated, and no token was given" in without.stderr
    inventory = lab.inventory(**settings, secrets=["HF_TOKEN"])
    for token, words in (
        ("hf_wrong", "the hub does not know this token"),
        ("hf_other", "this token has no access to it"),
        ("hf_good", ""),
    ):
        ran = lab.raycluster(
            "model", "pull", "-l", "gpu1", "-i", inventory, "org/tiny", env={"HF_TOKEN": token}, timeout=300
        )
        assert words in ran.stderr
        assert token not in ran.stderr + ran.stdout
        assert ran.returncode == (1 if words else 0), ran.stderr


def test_a_gated_model_is_served_once_it_was_pulled_and_no_container_is_replaced_for_it(
    lab: Lab, serves: Hub
) -> None:
    settings = serves("0.36.2", {"org/gated": {"files": SERVED, "gated": True}}, {"hf_good": ["org/gated"]})
    asks = 'MODEL = MODEL if os.environ.get("HF_HUB_OFFLINE") else "gated"\nGIVEN = '
    living.lend_vllm(lab, VLLM.read_text().replace("GIVEN = ", asks, 1))
    settings |= {"engine": "mp", **living.SERVING}
    inventory = brought_up(lab, two_hosts(lab, **settings))
    refused = lab.raycluster("serve", "-i", inventory, "org/gated", "-l", "gpu1", timeout=300)
    failed(refused, "the model is gated", f"then `raycluster model pull -i {inventory} org/gated` brings it")
    before = ids(lab)
    inventory = two_hosts(lab, **settings, secrets=["HF_TOKEN"])
    token = {"HF_TOKEN": "hf_good"}
    pulled = lab.raycluster("model", "pull", "-i", inventory, "org/gated", env=token, timeout=300)
    assert pulled.returncode == 0, pulled.stderr
    served = lab.raycluster("serve", "-i", inventory, "org/gated", "-l", "gpu1", env=token)
    assert "org/gated answers at " in served.stdout, served.stderr
    assert ids(lab) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_a_mistyped_name_and_a_revision_that_is_not_there_are_told_with_what_to_look_at(
    version: str, lab: Lab, serves: Hub
) -> None:
    inventory = lab.inventory(**serves(version, {"org/tiny": {"files": FILES}}))
    pull = ("model", "pull", "-l", "gpu1", "-i", inventory)
    name = lab.raycluster(*pull, "org/tinny", timeout=300)
    failed(name, "the hub has no model org/tinny", "its page would be https://huggingface.co/org/tinny")
    revision = lab.raycluster(*pull, "--revision", "v9", "org/tiny", timeout=300)
    failed(
        revision, "the hub has no such revision: org/tiny v9; it has main (", "without --revision it is main"
    )


@pytest.mark.parametrize("version", ["0.36.2", "2.4.0"])
def test_an_interrupted_download_ends_at_once_and_keeps_whole_files(
    version: str, lab: Lab, serves: Hub
) -> None:
    files = {**FILES, "large.bin": 30 * MB}
    settings = serves(version, {"org/tiny": {"files": files, "rate": 2 * MB}})
    running = lab.raycluster_popen("model", "pull", "-l", "gpu1", "-i", lab.inventory(**settings), "org/tiny")
    blobs = cache(lab) / "models--org--tiny/blobs"
    wait_until(
        "the large file is on its way",
        lambda: any(each.stat().st_size > 4 * MB for each in blobs.glob("*.incomplete")),
        seconds=120,
    )
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=20)
    assert running.returncode == 130, stderr
    assert "is not known to be on all hosts: interrupted" in stderr
    host = lab.hosts["gpu1"]
    wait_until("its container is gone", lambda: not host.docker("ps", "--all", "--quiet"))
    assert sum(each.stat().st_size for each in blobs.iterdir() if "." not in each.name) >= 3 * MB


def is_served_offline(lab: Lab, host: str) -> bool:
    return "HF_HUB_OFFLINE=1\n" in lab.hosts[host].run("sh", "-c", ENVIRONMENT).stdout


def test_up_serve_brings_the_inventorys_model_to_all_and_the_hub_is_not_needed_any_more(
    lab: Lab, serves: Hub
) -> None:
    living.lend_vllm(lab)
    settings = serves("2.4.0", {"org/tiny": {"files": SERVED}})
    workers = [lab.hosts["gpu2"].entry]
    common = {"engine": "mp", "workers": workers, **settings, **living.SERVING}
    pulling = lab.inventory(serve={"model": "org/tiny", "pull": True}, **common)
    plain = lab.folder / "plain.yaml"
    plain.write_text(lab.inventory_text(serve={"model": "org/tiny"}, **common))
    up = lab.raycluster("up", "--serve", pulling, timeout=400)
    assert up.returncode == 0, up.stderr
    assert "all 2 hosts have org/tiny main " in up.stdout
    assert "org/tiny answers at " in up.stdout
    assert all(is_served_offline(lab, host) for host in ("gpu1", "gpu2"))

    lab.hosts["gpu2"].docker("rm", "--force", "raycluster-lab-gpu2")
    again = lab.raycluster("up", pulling, timeout=300)
    assert again.returncode == 0, again.stderr
    wait_until("its part is served there again", lambda: is_served_offline(lab, "gpu2"), seconds=60)

    away = ("OUTPUT", "-p", "tcp", "-d", LAPTOP, "--dport", str(PORT), "-j", "REJECT")
    assert lab.raycluster("serve", "stop", "-i", pulling).returncode == 0
    with iptables(lab.hosts["gpu1"], *away), iptables(lab.hosts["gpu2"], *away):
        without = lab.raycluster("serve", "-i", pulling)
        assert without.returncode == 0, without.stderr
        assert lab.raycluster("serve", "stop", "-i", pulling).returncode == 0
        assert lab.raycluster("model", "rm", "-y", "-i", pulling, "-l", "gpu2", "org/tiny").returncode == 0
        refused = lab.raycluster("serve", "-i", plain)
        line = f"raycluster model copy -i {plain} --from gpu1 org/tiny"
        failed(
            refused,
            f"gpu2  has nothing of org/tiny, and does not reach the hub: {URL}: Connection refused\n",
            f"→ `{line}` brings it there",
        )
        assert lab.raycluster(*line.split()[1:]).returncode == 0
        mended = lab.raycluster("serve", "-i", plain)
        assert mended.returncode == 0, mended.stderr
    lab.raycluster("down", "-y", plain)

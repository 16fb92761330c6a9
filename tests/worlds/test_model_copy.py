"""Models from host to host: what each lacks, in one pass, to be read by the container's user, or not to be seen."""

import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.lab import network, variants
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import finished
from tests.payload.models.layouts import Repo, plain, safetensors, shared, tiny

LARGE = 20_000_000
CACHE = "root/.cache/huggingface/hub"


def model(size: int = 2_000_000) -> Repo:
    return tiny(more={"model-00001-of-00002.safetensors": safetensors(size)})


def cache(lab: Lab, host: str) -> Path:
    return lab.hosts[host].folder / CACHE


def is_there(lab: Lab, host: str, repo: Repo) -> bool:
    top = cache(lab, host) / repo.folder
    files = {path: top / "snapshots" / repo.commit / path for path in repo.files}
    return all(path.is_file() and path.read_bytes() == repo.files[name] for name, path in files.items())


@pytest.fixture
def slow(lab: Lab) -> Iterator[Lab]:
    with network.limited("40mbit", *lab.hosts):
        yield lab
    lab.mend()


def test_a_model_goes_to_all_hosts_and_only_once(lab: Lab) -> None:
    repo, inventory = model(), ("-i", lab.inventory())
    shared(cache(lab, "gpu1"), repo)
    copied = lab.raycluster("model", "copy", *inventory, "org/tiny", timeout=300)
    assert copied.returncode == 0, copied.stderr
    assert copied.stdout.startswith(
        f"all 3 hosts have org/tiny main {repo.commit[:7]}, 2 MB (copied to gpu2, gpu3, "
    )
    assert is_there(lab, "gpu2", repo)
    assert is_there(lab, "gpu3", repo)
    assert "through this machine" not in copied.stderr
    again = lab.raycluster("model", "copy", *inventory, "org/tiny", timeout=300)
    assert (again.returncode, again.stderr, "copied" in again.stdout) == (0, "", False)
    verified = lab.raycluster("model", "verify", *inventory, "org/tiny", timeout=300)
    assert verified.returncode == 0, verified.stdout
    for host in lab.hosts.values():
        assert not host.docker("ps", "--all", "--quiet")
        assert not host.run("ss", "-Hltn", "sport >= 10002 and sport <= 19999").stdout


def test_a_container_that_runs_is_used_and_goes_on(lab: Lab) -> None:
    repo, inventory = model(), lab.inventory(engine="mp", ray=None)
    plain(cache(lab, "gpu1"), repo)
    assert lab.raycluster("up", inventory, timeout=300).returncode == 0
    before = [host.docker("ps", "--quiet") for host in lab.hosts.values()]
    copied = lab.raycluster("model", "copy", "-i", inventory, "org/tiny", timeout=300)
    assert copied.returncode == 0, copied.stderr
    assert is_there(lab, "gpu3", repo)
    assert [host.docker("ps", "--quiet") for host in lab.hosts.values()] == before


def copying(lab: Lab) -> Popen[str]:
    """A copy that is under way: the last host has some of it."""
    running = lab.raycluster_popen("model", "copy", "org/tiny", "-i", lab.inventory(), "-o", "jsonl")
    assert running.stdout
    for line in running.stdout:
        if '"event": "step-progress", "host": "gpu3"' in line and '"done": 0' not in line:
            return running
    raise AssertionError(running.stderr.read() if running.stderr else "")


def test_an_interrupted_copy_shows_nothing_and_goes_on_where_it_was(slow: Lab) -> None:
    repo = model(LARGE)
    plain(cache(slow, "gpu1"), repo)
    running = copying(slow)
    running.send_signal(signal.SIGINT)
    assert finished(running).returncode == 130
    top = cache(slow, "gpu3") / repo.folder
    wait_until("no container is left", lambda: not slow.hosts["gpu3"].docker("ps", "--all", "--quiet"), 10)
    assert not (top / "snapshots").exists()
    parts = sum(path.stat().st_size for path in top.rglob("*.raycluster-part"))
    assert 0 < parts < LARGE
    again = slow.raycluster("model", "copy", "org/tiny", "-i", slow.inventory(), timeout=300)
    assert again.returncode == 0, again.stderr
    assert "gpu3: copy 20 MB" not in again.stderr
    assert is_there(slow, "gpu3", repo)


def test_a_host_that_is_lost_leaves_by_name_and_the_one_behind_it_gets_the_model(slow: Lab) -> None:
    repo = model(LARGE)
    plain(cache(slow, "gpu1"), repo)
    running = copying(slow)
    slow.hosts["gpu2"].cut()
    ended = finished(running)
    assert ended.returncode == 1
    assert '"hosts": ["gpu2"]' in ended.stdout.splitlines()[-1]
    assert is_there(slow, "gpu3", repo)
    assert not (cache(slow, "gpu2") / repo.folder / "refs").exists()


def test_a_disk_that_fills_up_half_way_is_told_and_the_others_go_on(slow: Lab) -> None:
    repo, gpu2 = model(3 * LARGE), slow.hosts["gpu2"]
    plain(cache(slow, "gpu1"), repo)
    place, filler = "/root/.cache/huggingface", "/root/.cache/huggingface/filler"
    gpu2.run("mkdir", "-p", place)
    gpu2.run("mount", "-t", "tmpfs", "-o", "size=140m", "none", place)
    try:
        running = copying(slow)
        gpu2.run("sh", "-c", f"cat /dev/zero >{filler}", check=False)
        ended = finished(running)
        assert ended.returncode == 1
        result = ended.stdout.splitlines()[-1]
        assert '"hosts": ["gpu2"]' in result
        assert "No space left on device" in result
        assert is_there(slow, "gpu3", repo)
        gpu2.run("rm", filler)
        again = slow.raycluster("model", "copy", "org/tiny", "-i", slow.inventory(), timeout=300)
        assert again.returncode == 0, again.stderr
        assert "all 3 hosts have org/tiny" in again.stdout
    finally:
        gpu2.run("umount", "--lazy", place)


def test_it_belongs_to_the_user_of_the_container(lab: Lab) -> None:
    repo, image = model(), variants.make(lab, variants.OTHER_USER)
    homes = [host.folder / "root/hf" for host in lab.hosts.values()]
    for home in homes:
        home.mkdir(parents=True)
        home.chmod(0o777)
    plain(homes[0] / "hub", repo)
    settings = {"image": image, "hf_home": "/root/hf", "env": {"HF_HOME": "/data/hf"}}
    copied = lab.raycluster("model", "copy", "org/tiny", "-i", lab.inventory(**settings), timeout=300)
    assert copied.returncode == 0, copied.stderr
    blob = homes[1] / "hub" / repo.folder / "blobs" / repo.digest("config.json")
    assert (blob.stat().st_uid, blob.stat().st_mode & 0o777) == (variants.UID, 0o644)


def test_a_model_of_the_laptops_and_a_folder_of_ones_own(lab: Lab) -> None:
    repo, inventory = model(), ("-i", lab.inventory(docker={"args": ["-v", "/tmp/models:/data/models"]}))
    plain(lab.home / ".cache/huggingface/hub", repo)
    copied = lab.raycluster("model", "copy", *inventory, "--from", "laptop", "org/tiny", timeout=300)
    assert copied.returncode == 0, copied.stderr
    assert all(is_there(lab, host, repo) for host in lab.hosts)
    mine = lab.hosts["gpu1"].folder / "tmp/models/mine"
    mine.mkdir(parents=True)
    for path, data in repo.files.items():
        (mine / path).write_bytes(data)
    folder = lab.raycluster("model", "copy", *inventory, "/data/models/mine", timeout=300)
    assert folder.returncode == 0, folder.stderr
    there = lab.hosts["gpu3"].folder / "tmp/models/mine"
    assert {path.name: path.read_bytes() for path in there.iterdir()} == repo.files


def test_hosts_that_share_a_file_system_get_it_once(lab: Lab) -> None:
    repo = model()
    plain(cache(lab, "gpu1"), repo)
    (lab.hosts["gpu2"].folder / "root/.cache/huggingface").mkdir(parents=True)
    lab.hosts["gpu3"].share_home(lab.hosts["gpu2"])
    copied = lab.raycluster("model", "copy", "org/tiny", "-i", lab.inventory(), timeout=300)
    assert copied.returncode == 0, copied.stderr
    assert "(copied to gpu2, " in copied.stdout
    assert "all 3 hosts have" in copied.stdout

"""An environment that an entrypoint or BASH_ENV sets up: the same in every life of a container, and for all in it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import living, variants, worlds
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.seeing import bad, brought_up, findings, good, is_served, two_hosts
from tests.lab.terminal import terminal
from tests.lab.variants import BASH_ENV, DEAF, DROPS, ENTRYPOINT, QUIET, SERVES_ITSELF, Variant

BY_SHELLS = {"SHLVL", "_", "OLDPWD"}
KEPT = {"docker": {"entrypoint": "keep", **living.SERVING["docker"]}}
BY_BASH = {"env": {"BASH_ENV": "/setvars.sh"}, **living.SERVING}
INIT = {"docker": {"entrypoint": "keep", "args": ["--init", *living.SERVING["docker"]["args"]]}}
HOSTS_PIDS = {"docker": {"entrypoint": "keep", "args": ["--pid=host", *living.SERVING["docker"]["args"]]}}
OTHER_USER = {**KEPT, **worlds.OTHER_HOME}
KINDS = {
    "entrypoint": (ENTRYPOINT, KEPT),
    "BASH_ENV": (ENTRYPOINT, BY_BASH),
    "behind-init": (ENTRYPOINT, INIT),
    "pid-host": (ENTRYPOINT, HOSTS_PIDS),
    "other-user": (DROPS, OTHER_USER),
}


def served(lab: Lab) -> dict[str, str]:
    """The environment of what is served, on the head."""
    head = lab.hosts["gpu1"]
    pids = head.run("pgrep", "--full", "vllm serve").stdout.split()
    told = head.run("cat", f"/proc/{pids[0]}/environ").stdout.split("\0")
    given = {name: value for name, _, value in (each.partition("=") for each in told)}
    user = head.run("stat", "--format", "%u", f"/proc/{pids[0]}").stdout.strip()
    return {name: value for name, value in given.items() if name not in BY_SHELLS} | {"its user": user}


def again(lab: Lab, what: Callable[[], Any]) -> dict[str, str]:
    """The same once the head's container has begun another life."""
    before = lab.hosts["gpu1"].run("pgrep", "--full", "vllm serve").stdout
    what()
    head = lab.hosts["gpu1"]
    wait_until(
        "it is served again",
        lambda: (
            head.run("pgrep", "--full", "vllm serve", check=False).stdout not in {"", before}
            and is_served(lab)
        ),
        120,
    )
    return served(lab)


def reboot(lab: Lab, host: Host) -> None:
    """As after a power cut; what stands in for vLLM lies in /run, which a boot empties."""
    host.power_off()
    host.power_on()
    living.lend_vllm(lab)
    host.start_services()


@pytest.mark.parametrize("engine", ["mp", "ray"])
@pytest.mark.parametrize(("variant", "changes"), KINDS.values(), ids=KINDS)
def test_what_is_served_has_the_same_environment_and_user_in_every_life(
    lab: Lab, engine: str, variant: Variant, changes: dict[str, Any]
) -> None:
    living.lend_vllm(lab)
    worlds.give_models(lab)
    image = variants.make(lab, variant)
    inventory = lab.inventory(workers=[], engine=engine, image=image, **changes)
    assert good(findings(lab, inventory))
    brought_up(lab, inventory)
    serve = lab.raycluster("serve", "-i", inventory, "-y", "alphabet")
    assert serve.returncode == 0, serve.stderr
    first, head = served(lab), lab.hosts["gpu1"]
    assert (first["ACCEL_HOME"], first["ACCEL_NOTE"]) == ("/opt/accel", "a b\nc")
    assert first["LD_LIBRARY_PATH"] == "/opt/accel/lib"
    user = str(variants.UID) if variant is DROPS else "0"
    assert first["its user"] == user
    shown = lab.raycluster("exec", "-i", inventory, "--", "sh", "-c", 'echo "$ACCEL_HOME $(id -u)"')
    assert f"/opt/accel {user}\n" in shown.stdout, shown.stderr
    assert again(lab, lambda: head.docker("restart", "raycluster-lab-gpu1")) == first
    assert again(lab, lambda: reboot(lab, head)) == first


def test_an_entrypoint_that_is_skipped_though_it_sets_something_up_is_told_and_kept_as_the_remedy_says(
    lab: Lab,
) -> None:
    image = variants.make(lab, ENTRYPOINT)
    text, fix = bad(lab, two_hosts(lab, image=image), "gpu1", "entrypoint")
    assert text == (
        "the image's entrypoint, /setup.sh, sets ACCEL_HOME, ACCEL_NOTE, LD_LIBRARY_PATH and is skipped"
    )
    assert "docker" in fix
    assert "entrypoint" in fix
    found = findings(lab, two_hosts(lab, image=image, docker={"entrypoint": "keep"}))
    assert good(found)
    assert not [each for each in found if each["topic"] == "entrypoint"]
    assert lab.hosts["gpu1"].docker("ps", "--all", "--quiet") == ""


def test_an_entrypoint_that_runs_no_command_cannot_be_kept(lab: Lab) -> None:
    image = variants.make(lab, SERVES_ITSELF)
    assert good(findings(lab, two_hosts(lab, image=image)))
    found = findings(lab, two_hosts(lab, image=image, docker={"entrypoint": "keep"}))
    told = [each["text"] for each in found if each["topic"] == "entrypoint"]
    assert told == ["the image's entrypoint, vllm serve, passes no command on, so it cannot be kept"] * 2
    up = lab.raycluster("up", two_hosts(lab, image=image, docker={"entrypoint": "keep"}))
    assert (up.returncode, lab.hosts["gpu1"].docker("ps", "--all", "--quiet")) == (1, "")
    assert told[0] in up.stderr
    assert "entrypoint: skip" in up.stderr


def test_an_image_that_sets_bash_env_is_told_until_the_inventory_sets_it_too(lab: Lab) -> None:
    image = variants.make(lab, BASH_ENV)
    _, fix = bad(lab, two_hosts(lab, image=image), "gpu1", "entrypoint")
    assert "BASH_ENV: /setvars.sh" in fix
    found = findings(lab, two_hosts(lab, image=image, env={"BASH_ENV": "/setvars.sh"}))
    assert not [each for each in found if each["topic"] == "entrypoint"]


def test_a_shell_and_the_deep_checks_ranks_have_the_environment_and_user_behind_the_entrypoint(
    lab: Lab,
) -> None:
    """The image has no torch: that a rank says so shows that it was begun."""
    image = variants.make(lab, DROPS)
    inventory = two_hosts(lab, image=image, docker={"entrypoint": "keep"})
    deep = lab.raycluster("check", "--deep", inventory)
    assert "the image's torch cannot be used: ModuleNotFoundError: " in deep.stdout, deep.stdout + deep.stderr
    brought_up(lab, inventory)
    with terminal(lab) as desk:
        desk.type(f"raycluster shell -i {inventory} gpu2")
        desk.type('echo "<$ACCEL_HOME|$(id -u)>"')
        desk.wait_for(f"</opt/accel|{variants.UID}>")


def test_a_container_that_cannot_write_its_environment_down_is_told_with_the_folders_for_it(lab: Lab) -> None:
    docker = {"entrypoint": "keep", "args": ["--read-only"]}
    inventory = two_hosts(lab, image=variants.make(lab, ENTRYPOINT), docker=docker)
    _, fix = bad(lab, inventory, "gpu1", "image")
    assert "--tmpfs=/var/tmp" in fix
    up = lab.raycluster("up", inventory)
    assert up.returncode == 1
    assert "/var/tmp/raycluster.environment.new: Read-only file system" in up.stderr
    assert "--tmpfs=/var/tmp" in up.stderr


def test_hosts_whose_entrypoint_keeps_what_ray_says_from_the_log_join_all_the_same(lab: Lab) -> None:
    """Of a worker whose image is not the head's, the log is looked at."""
    quiet, unlike, gpu2 = variants.make(lab, QUIET), "unlike:1", lab.hosts["gpu2"]
    lab.hosts["gpu1"].docker("tag", quiet, unlike)
    gpu2.docker("create", "--name", "unlike", quiet)
    gpu2.docker("cp", "/etc/hostname", "unlike:/unlike")
    gpu2.docker("commit", "unlike", unlike)
    gpu2.docker("rm", "unlike")
    up = lab.raycluster("up", two_hosts(lab, image=unlike, docker={"entrypoint": "keep"}), "-o", "jsonl")
    assert up.returncode == 0, up.stderr
    assert "its log has nothing of `ray start`, so it is watched for 10 s" in up.stdout
    assert lab.hosts["gpu2"].docker("logs", "raycluster-lab-gpu2") == ""


def test_an_entrypoint_that_waits_for_ever_is_passed_over_where_it_is_skipped_and_nothing_of_it_is_left(
    lab: Lab,
) -> None:
    found = findings(lab, two_hosts(lab, image=variants.make(lab, DEAF)))
    assert good(found)
    assert not [each for each in found if each["topic"] == "entrypoint"]
    assert lab.hosts["gpu1"].docker("ps", "--all", "--quiet") == ""


def test_an_entrypoint_that_waits_for_ever_is_told_where_it_is_kept(lab: Lab) -> None:
    inventory = two_hosts(lab, image=variants.make(lab, DEAF), docker={"entrypoint": "keep"})
    text, fix = bad(lab, inventory, "gpu1", "image")
    assert text == "a container from it does not start: it says nothing for 60 s"
    assert "entrypoint: skip" in fix
    up = lab.raycluster("up", inventory)
    assert up.returncode == 1
    assert (
        "gpu1  wait for its entrypoint: the image's entrypoint has not begun our command, after 60 s"
        in up.stderr
    )
    assert "I serve alone" in up.stderr
    assert "entrypoint: skip" in up.stderr
    assert lab.hosts["gpu1"].docker("ps", "--all", "--quiet") == ""

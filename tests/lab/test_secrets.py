"""Secrets and Ray's token on real hosts: who has them, who does not, and who is let in with them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from .lab import Lab
from .seeing import Answer, brought_up, environment, two_hosts

SECRET = "hf_Zq7-not_for_anybodys_eyes"
TELLS_ALL = "printf '#!/bin/sh\\nenv; env >&2; exit 3\\n' >/usr/local/bin/ray"
ASKS_GCS = """
from ray._raylet import GcsClient
print(len(GcsClient(address="192.0.2.11:6379").get_all_node_info()), "nodes")
"""
ASKS_DASHBOARD = """
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://192.0.2.11:8265/api/version", timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@contextmanager
def argument_lists() -> Iterator[set[bytes]]:
    """Every process's arguments, on the laptop and on all hosts, seen again and again meanwhile."""
    seen: set[bytes] = set()
    over = Event()

    def look() -> None:
        while not over.wait(0.01):
            for process in os.listdir("/proc"):  # noqa: PTH208 - hundreds, many times a second
                with suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as line:  # noqa: PTH123
                    seen.add(line.read())

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def with_secret(lab: Lab, *words: str | Path) -> Answer:
    """The program with HF_TOKEN in its environment; its value is in no argument list on the way there."""
    (lab.folder / "token").write_text(SECRET)
    argv, env = lab.raycluster_command(*words)
    script = f'HF_TOKEN=$(cat {lab.folder / "token"}) exec "$@"'
    return lab.laptop(["bash", "-c", script, "secretly", *argv], env=env)


def logs(lab: Lab) -> str:
    kept = (lab.home / ".local/state/raycluster/log").glob("*.log")
    return "".join(path.read_text() for path in kept)


def token_of(lab: Lab, host: str) -> str:
    return lab.hosts[host].run("cat", f"/root/.raycluster/lab/{host}.token").stdout


def test_neither_a_secret_nor_the_token_is_in_any_argument_list_screen_or_log(lab: Lab) -> None:
    inventory = two_hosts(lab, secrets=["HF_TOKEN"])
    with argument_lists() as seen:
        answers = [
            with_secret(lab, "up", inventory, "--dry-run"),
            with_secret(lab, "up", inventory, "-o", "sh"),
            with_secret(lab, "up", inventory, "-vv"),
            with_secret(lab, "check", inventory, "-o", "json"),
            with_secret(lab, "status", inventory, "-o", "json"),
        ]
    assert [answer.returncode for answer in answers] == [0, 0, 0, 0, 0], [each.stderr for each in answers]
    assert f"HF_TOKEN={SECRET}" in environment(lab, "gpu2")
    assert any(b"docker\0run\0--detach" in line for line in seen)
    said = "".join(answer.stdout + answer.stderr for answer in answers) + logs(lab)
    assert "docker run --detach" in said
    for value in (SECRET, token_of(lab, "gpu1")):
        assert len(value) > 20
        assert not any(value.encode() in line for line in seen)
        assert value not in said


def test_a_container_that_tells_all_it_knows_tells_no_secret(lab: Lab) -> None:
    lab.hosts["gpu1"].variant("raylab:chatty", TELLS_ALL)
    up = with_secret(lab, "up", lab.inventory(workers=[], image="raylab:chatty", secrets=["HF_TOKEN"]), "-vv")
    assert up.returncode == 1
    assert "HF_TOKEN=<HF_TOKEN>" in up.stderr
    assert "HF_TOKEN=<HF_TOKEN>" in logs(lab)
    assert SECRET not in up.stdout + up.stderr + logs(lab)


@pytest.mark.parametrize(("auth", "let_in"), [("disabled", True), ("auto", False)])
def test_a_program_on_another_host_is_let_in_without_a_token_and_refused_with_one(
    lab: Lab, auth: str, *, let_in: bool
) -> None:
    """The dashboard is opened to the network for this, which nobody does who reads its warning."""
    head = {**lab.hosts["gpu1"].entry, "ray": {"args": ["--dashboard-host=0.0.0.0"]}}
    brought_up(lab, lab.inventory(head=head, workers=[], image="raylab:dashboard", ray={"auth": auth}))

    def asked(program: str) -> Answer:
        run = (
            "run",
            "--rm",
            "--network",
            "host",
            "raylab:dashboard",
            "timeout",
            "60",
            "python3",
            "-c",
            program,
        )
        return lab.hosts["gpu3"].run("docker", *run, check=False)

    gcs, dashboard = asked(ASKS_GCS), asked(ASKS_DASHBOARD)
    assert (gcs.returncode == 0, gcs.stdout) == ((True, "1 nodes\n") if let_in else (False, ""))
    assert let_in or "auth" in gcs.stderr.lower()
    assert dashboard.stdout == ("200\n" if let_in else "401\n")

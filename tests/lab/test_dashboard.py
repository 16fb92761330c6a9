"""Ray's own dashboard and metrics, through SSH, on three real hosts: what a browser and Prometheus would see."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT
from typing import Any

import pytest

from . import faults
from .lab import Lab
from .processes import CHECKOUT
from .seeing import Answer, brought_up, finished, heard

NODES = "#/cluster"
ADDRESSES = ("192.0.2.11", "192.0.2.12", "192.0.2.13")
PICTURE = CHECKOUT / ".cache/dashboard.png"
ASKS = """
import sys, urllib.error, urllib.request
try: print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
except urllib.error.HTTPError as error: print(error.code, error.read().decode())
except OSError as error: print(error)
"""


def with_dashboard(lab: Lab, **changes: Any) -> Path:
    """Pinned ports, so that a test can say which they are."""
    return lab.inventory(image="raylab:dashboard", ray={"ports": "pinned"}, **changes)


@pytest.fixture(scope="module")
def served(lab_with_cluster: Lab) -> Lab:
    brought_up(lab_with_cluster, with_dashboard(lab_with_cluster))
    return lab_with_cluster


@contextmanager
def opened(lab: Lab, inventory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The link, and the command that keeps the tunnel open."""
    running = lab.raycluster_popen("dashboard", inventory, "--no-open")
    assert running.stdout
    yield running.stdout.readline().strip(), running
    running.send_signal(SIGINT)
    running.communicate(timeout=30)


def browsed(lab: Lab, link: str, place: str, *words: str, picture: Path | None = None) -> Answer:
    to = picture or lab.folder / "picture.png"
    to.parent.mkdir(exist_ok=True)
    argv: list[str | Path] = [sys.executable, "-m", "tests.lab.browser", link, place, to, *words]
    return lab.laptop(argv, env={"PYTHONPATH": str(CHECKOUT)})


def asked(lab: Lab, link: str) -> str:
    """What whoever is on the laptop gets there, without the browser's cookie."""
    return lab.laptop([sys.executable, "-c", ASKS, link]).stdout


def token(lab: Lab) -> str:
    return lab.hosts["gpu1"].run("cat", "/root/.raycluster/lab/gpu1.token").stdout.strip()


def test_a_browser_shows_every_node_and_the_token_is_nowhere_to_be_seen(served: Lab) -> None:
    with opened(served, with_dashboard(served)) as (link, running):
        page = browsed(served, link, NODES, *ADDRESSES, "ALIVE", picture=PICTURE)
        assert page.returncode == 0, page.stdout + page.stderr
        line = Path(f"/proc/{running.pid}/cmdline").read_text()
        running.send_signal(SIGINT)
        end = finished(running)
    assert end.returncode == 0
    assert end.stderr.endswith("the tunnel is closed\n")
    assert token(served) not in link + line + end.stdout + end.stderr + page.stdout
    assert "refused" in asked(served, link)


def test_nobody_gets_in_without_the_link_or_with_one_that_was_used(served: Lab) -> None:
    with opened(served, with_dashboard(served)) as (link, _):
        nodes = link.rpartition("/")[0] + "/nodes?view=summary"
        assert "401" in asked(served, nodes)
        assert browsed(served, link, "#/overview", "Cluster utilization").returncode == 0
        assert "401" in asked(served, nodes)
        again = browsed(served, link, NODES, "Authentication Token Required")
        assert again.returncode == 0, again.stdout + again.stderr


def test_a_connection_that_drops_while_the_dashboard_is_open(served: Lab) -> None:
    with opened(served, with_dashboard(served)) as (link, running):
        faults.drop_connections(served.hosts["gpu1"])
        heard(running, "✗ gpu1  the connection to 192.0.2.11:22 was lost")
        page = browsed(served, link, NODES, *ADDRESSES)
        assert page.returncode == 0, page.stdout + page.stderr
        heard(running, "the dashboard on gpu1 answers again")


def test_metrics_are_where_it_says(served: Lab) -> None:
    answer = served.raycluster("metrics", with_dashboard(served))
    assert answer.returncode == 0, answer.stderr
    targets = [target for each in json.loads(answer.stdout) for target in each["targets"]]
    assert targets == [
        *("192.0.2.11:6385", "192.0.2.11:6387", "192.0.2.11:6388"),
        *("192.0.2.12:6385", "192.0.2.13:6385"),
    ]
    for target in targets:
        told = served.hosts["gpu2"].run("python3", "-c", ASKS, f"http://{target}/metrics").stdout
        assert "# TYPE" in told, f"{target}: {told}"


def test_metrics_without_a_host_that_is_out_of_ray(served: Lab) -> None:
    file, inventory = served.folder / "ray.json", with_dashboard(served)
    served.hosts["gpu3"].docker("stop", "raycluster-lab-gpu3")
    try:
        answer = served.raycluster("metrics", inventory, "--write", file)
    finally:
        served.hosts["gpu3"].docker("start", "raycluster-lab-gpu3")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "✗ gpu3  its container exited with code" in answer.stderr
    assert [each["labels"]["node"] for each in json.loads(file.read_text())] == ["gpu1", "gpu2"]


def test_there_is_no_dashboard_where_there_is_no_cluster(served: Lab) -> None:
    answer = served.raycluster("dashboard", with_dashboard(served, cluster="other"))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "✗ gpu1  no container of cluster other is there" in answer.stderr
    assert "→ raycluster up -i " in answer.stderr


def test_there_is_no_dashboard_while_the_head_is_down(served: Lab) -> None:
    served.hosts["gpu1"].stop_ssh()
    try:
        answer = served.raycluster("dashboard", with_dashboard(served))
        metrics = served.raycluster("metrics", with_dashboard(served))
    finally:
        served.hosts["gpu1"].start_ssh()
    for each in (answer, metrics):
        assert (each.returncode, each.stdout) == (1, "")
        assert "✗ gpu1  192.0.2.11:22 refuses connections" in each.stderr

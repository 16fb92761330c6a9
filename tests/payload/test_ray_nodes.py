"""The program that tells Ray's node table, really run, with a Ray that reads its rows from a file."""

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.accelerators import RESOURCES
from orchestrator.payload import program
from orchestrator.plan.facts.host import RayNode, RayTable
from orchestrator.plan.ray.commands import parse_table

RAYLET = """
import json, os
from types import SimpleNamespace

looks = 0


class GcsClient:
    def __init__(self, address):
        self.lost = False

    def get_all_node_info(self):
        global looks
        with open(os.environ["TABLES"]) as file:
            tables = json.load(file)
        table = tables[min(looks, len(tables) - 1)]
        looks += 1
        if self.lost or isinstance(table, str):
            self.lost = True  # as a connection: once broken, it stays so
            raise RuntimeError(table)
        if "RAY_BEFORE_2_31" in os.environ:
            return {row["node_manager_address"]: row for row in table}
        return {row["node_manager_address"]: node(row) for row in table}

    def get_all_resource_usage(self):
        with open(os.environ["TABLES"]) as file:
            rows = json.load(file)[-1]
        batch = [
            SimpleNamespace(node_id=row["node_id"], resources_available=row["free"]) for row in rows if "free" in row
        ]
        return SimpleNamespace(resource_usage_data=SimpleNamespace(batch=batch))
    def internal_kv_get(self, key, namespace):
        told = {
            b"dashboard": b"127.0.0.1:8265",
            b"AutoscalerMetricsAddress": b"127.0.0.1:1",
            b"DashboardMetricsAddress": f"127.0.0.1:{os.environ['PORT']}".encode(),
        }
        return told.get(key)



def node(row):
    death = SimpleNamespace(reason_message=row.pop("death"))
    return SimpleNamespace(death_info=death, **{"node_manager_port": int(os.environ["PORT"])} | row)
"""


def row(ip: str = "127.0.0.1", *, alive: bool = True, gpus: int = 8, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "node_manager_address": ip,
        "state": 0 if alive else 1,
        "is_head_node": ip == "127.0.0.1",
        "resources_total": {"CPU": 64.0, "GPU": float(gpus), f"node:{ip}": 1.0},
        "start_time_ms": 1772366405500,
        "node_manager_hostname": "gpu1",
        "node_id": ip,
        "metrics_export_port": 44707,
        "death": "",
    }
    return told | changes


Table = list[dict[str, Any]] | str


@dataclass
class Head:
    """The head's container: Python, a stub of Ray, and a port that answers, there and on another node."""

    folder: Path
    listener: socket.socket
    other: socket.socket
    port: int
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def tells(self, *tables: Table) -> None:
        """The table of each look; the last one stays. A text is an error that Ray raises."""
        fresh = self.folder / "fresh.json"
        fresh.write_text(json.dumps(tables))
        fresh.replace(self.folder / "tables.json")

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program("ray_nodes"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "PYTHONPATH": str(self.folder),
                "TABLES": str(self.folder / "tables.json"),
                "PORT": str(self.port),
            },
        )
        self.running.append(process)
        return process

    def close(self) -> None:
        for process in self.running:
            process.kill()
            with process:  # which closes its pipes
                process.wait()
        self.listener.close()
        self.other.close()


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    package = tmp_path / "ray"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "2.56.0"\n')
    (package / "_raylet.py").write_text(RAYLET)
    listener = socket.create_server(("127.0.0.1", 0))
    other = socket.create_server(("127.0.0.2", listener.getsockname()[1]))
    head = Head(tmp_path, listener, other, listener.getsockname()[1])
    yield head
    head.close()


def line(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that is not empty."""
    assert process.stdout
    told: dict[str, Any] = json.loads(next(each for each in process.stdout if each != "\n"))
    return told


def rest(process: subprocess.Popen[str]) -> list[list[tuple[str, bool]]]:
    """The nodes of each further line."""
    assert process.stdout
    lines = map(json.loads, process.stdout.read().splitlines())
    return [[(node["ip"], node["alive"]) for node in told["nodes"]] for told in lines]


def test_without_seconds_it_tells_the_table_once_and_where_nobody_exports_metrics(head: Head) -> None:
    head.tells(
        [
            row(),
            row(
                "127.0.0.2",
                alive=False,
                gpus=4,
                metrics_export_port=-1,
                death="missed too many heartbeats",
            ),
        ]
    )
    process = head.run(head.address)
    stdout, _ = process.communicate()
    assert process.returncode == 0
    assert parse_table(stdout) == RayTable(
        "2.56.0",
        (
            RayNode(
                "127.0.0.1",
                alive=True,
                is_head=True,
                accelerators=(("GPU", 8),),
                started=1772366405.5,
                hostname="gpu1",
                port=head.port,
                reached=True,
                metrics=44707,
                exports=False,
            ),
            RayNode(
                "127.0.0.2",
                alive=False,
                is_head=False,
                accelerators=(("GPU", 4),),
                started=1772366405.5,
                hostname="gpu1",
                death="missed too many heartbeats",
                port=head.port,
                reached=None,
            ),
        ),
        dashboard="127.0.0.1:8265",
        metrics=(f"127.0.0.1:{head.port}",),
        python=platform.python_version(),
    )


def test_who_exports_metrics_is_not_asked_of_a_node_that_cannot_be_reached(head: Head) -> None:
    head.tells([row(), row("127.0.0.3")])
    stdout, _ = head.run(head.address).communicate()
    here, away = json.loads(stdout)["nodes"]
    assert (here["reached"], here["exports"]) == (True, False)
    assert away["reached"] is False
    assert "exports" not in away


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ({"GPU": 8.0}, {"GPU": 8}),
        ({"NPU": 16.0, "CPU": 4.0}, {"NPU": 16}),
        ({"GPU": 8.0, "NPU": 16.0}, {"GPU": 8, "NPU": 16}),
        ({"CPU": 4.0, "GPU": 0.0}, {}),
    ],
)
def test_each_accelerator_is_told_by_rays_name_and_a_node_may_have_none(
    head: Head, resources: dict[str, float], told: dict[str, int]
) -> None:
    head.tells([row(resources_total=resources)])
    assert line(head.run(head.address))["nodes"][0]["accelerators"] == told


def test_every_accelerator_of_the_table_is_known_inside() -> None:
    assert f"ACCELERATORS = {json.dumps(RESOURCES).replace('[', '(').replace(']', ')')}" in program(
        "ray_nodes"
    )


def test_gpus_are_no_npus(head: Head) -> None:
    gpus, npus = [row()], [row(resources_total={"NPU": 8.0})]
    head.tells(gpus, npus)
    process = head.run(head.address, "60", "127.0.0.1=NPU=8")
    assert process.wait() == 0
    assert process.stdout
    told = [json.loads(each)["nodes"][0]["accelerators"] for each in process.stdout]
    assert told[-2:] == [{"GPU": 8}, {"NPU": 8}]


def test_nodes_stand_in_the_order_in_which_they_started(head: Head) -> None:
    head.tells([row("127.0.0.2", start_time_ms=2000), row("127.0.0.1", start_time_ms=1000)])
    assert [node["ip"] for node in line(head.run(head.address))["nodes"]] == ["127.0.0.1", "127.0.0.2"]


def test_a_port_that_refuses_means_that_ray_is_gone(head: Head) -> None:
    address = head.address
    head.listener.close()
    process = head.run(address)
    assert line(process) == {"error": f"nothing listens on {address}", "gone": True}
    assert process.wait() == 0


def test_an_error_of_ray_is_told_and_does_not_mean_that_it_is_gone(head: Head) -> None:
    head.tells("deadline exceeded")
    told = line(head.run(head.address))
    assert told == {"error": f"{head.address}: RuntimeError: deadline exceeded", "gone": False}


def test_a_ray_whose_nodes_are_dictionaries_is_too_old(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_BEFORE_2_31", "yes")
    head.tells([row()])
    told = line(head.run(head.address))
    assert (told["too_old"], told["gone"]) == ("2.56.0", False)
    assert told["error"].startswith(f"{head.address}: Ray 2.56.0 ")


def test_an_image_without_ray_is_told(head: Head) -> None:
    (head.folder / "ray" / "_raylet.py").unlink()
    told = line(head.run(head.address))
    assert "ModuleNotFoundError" in told["error"]
    assert told["gone"] is False


def test_following_tells_changes_alone(head: Head) -> None:
    one, two = [row()], [row(), row("127.0.0.2")]
    head.tells(one, one, one, two, two, one, two)
    process = head.run(head.address, "60", "127.0.0.9=GPU=0")
    told = [[node["ip"] for node in line(process)["nodes"]] for _ in range(4)]
    assert told == [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]]


def test_following_sees_a_file_that_changes_later(head: Head) -> None:
    head.tells([row()])
    process = head.run(head.address, "60")
    assert len(line(process)["nodes"]) == 1
    head.tells([row(), row("127.0.0.2")])
    assert len(line(process)["nodes"]) == 2


def test_following_goes_on_with_a_new_connection_after_an_error(head: Head) -> None:
    head.tells("deadline exceeded", [row()])
    process = head.run(head.address, "60")
    assert "error" in line(process)
    assert line(process)["nodes"][0]["ip"] == "127.0.0.1"


def test_it_ends_well_when_all_that_are_expected_are_alive_with_their_gpus(head: Head) -> None:
    head.tells(
        [row()],
        [row(), row("127.0.0.2", alive=False)],
        [row(), row("127.0.0.2", gpus=4)],
        [row(), row("127.0.0.2")],
        [row()],
    )
    process = head.run(head.address, "60", "127.0.0.1=GPU=8", "127.0.0.2=GPU=8")
    assert process.wait() == 0
    assert [nodes[1:] for nodes in rest(process)] == [
        *([], [("127.0.0.2", False)], [("127.0.0.2", True)], [("127.0.0.2", True)])
    ]


def test_it_needs_no_standard_input_where_it_knows_what_to_expect(head: Head) -> None:
    head.tells([], [row()])
    process = head.run(head.address, "60", "127.0.0.1=GPU=8")
    assert process.stdin
    process.stdin.close()
    assert process.wait() == 0


def test_it_ends_when_nobody_listens_any_more(head: Head) -> None:
    head.tells([row()])
    process = head.run(head.address, "60")
    line(process)
    assert process.stdin
    process.stdin.close()
    assert process.wait() == 1


def test_it_ends_when_its_time_is_over(head: Head) -> None:
    head.tells([row()])
    assert head.run(head.address, "0", "127.0.0.1=GPU=8").wait() == 1


def test_a_node_that_cannot_be_reached_is_told_as_such_and_never_counts_as_complete(head: Head) -> None:
    head.other.close()
    head.tells([row(), row("127.0.0.2")])
    process = head.run(head.address, "60", "127.0.0.1=GPU=8", "127.0.0.2=GPU=8")
    told = next(told for told in iter(lambda: line(process), None) if told["nodes"][1]["reached"] is not None)
    assert [node["reached"] for node in told["nodes"]] == [True, False]
    assert process.poll() is None


def test_a_single_look_says_of_each_node_whether_it_was_reached(head: Head) -> None:
    head.other.close()
    head.tells([row(), row("127.0.0.2")])
    assert [node["reached"] for node in line(head.run(head.address))["nodes"]] == [True, False]


def test_watching_tells_what_of_a_nodes_resources_is_free_and_of_others_nothing(head: Head) -> None:
    total = {"CPU": 64.0, "GPU": 8.0, "memory": 4e11, "node:127.0.0.1": 1.0}
    busy = row(resources_total=total, free={"CPU": 60.0, "memory": 1e11, "node:127.0.0.1": 1.0})
    head.tells([busy, row("127.0.0.2", start_time_ms=1772366405501)])
    told = line(head.run("watch", head.address))["nodes"]
    assert told[0]["resources"] == {"CPU": [60.0, 64.0], "GPU": [0.0, 8.0], "memory": [1e11, 4e11]}
    assert "resources" not in told[1]


def test_watching_a_ray_that_tells_no_resources_still_tells_the_nodes(head: Head) -> None:
    stub = head.folder / "ray" / "_raylet.py"
    stub.write_text(stub.read_text().replace("get_all_resource_usage", "renamed"))
    head.tells([row()])
    (told,) = line(head.run("watch", head.address))["nodes"]
    assert (told["ip"], "resources" in told) == ("127.0.0.1", False)


def test_watching_a_table_that_does_not_change_gives_a_sign_of_life(head: Head) -> None:
    head.tells([row()])
    process = head.run("watch", head.address)
    assert process.stdout
    while process.stdout.readline() != "\n":
        assert process.poll() is None


def test_watching_has_no_end_but_that_of_who_listens(head: Head) -> None:
    head.tells([row()])
    process = head.run("watch", head.address)
    line(process)
    head.tells([row(), row("127.0.0.2")])
    assert len(line(process)["nodes"]) == 2
    assert process.stdin
    process.stdin.close()
    assert process.wait() == 0

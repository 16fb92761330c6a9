"""`raycluster status --watch`: the page, and its lines in a pipe."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import pytest
from jsonschema import Draft202012Validator
from rich.console import ConsoleDimensions

from orchestrator.cli.output import json as answers
from orchestrator.cli.output.console import Screen
from orchestrator.cli.output.watch_page import TimedEvent, page
from orchestrator.plan.facts.host import Facts, RayTable, Resource, Unreachable
from orchestrator.plan.status.health import Verdict
from orchestrator.plan.status.snapshot import (
    ClusterSnapshot,
    Gpu,
    HealthEvent,
    HostPending,
    RayPending,
    snapshot,
)
from tests.cli.conftest import Raycluster
from tests.plan.worlds import bare, cluster, ray_node, standing, with_host

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOST = Unreachable("10.0.0.3:22 does not answer", "plug it in")
RESOURCES = (Resource("CPU", 60, 64), Resource("GPU", 0, 8), Resource("memory", 2**33, 2**34))
GPUS = tuple(Gpu(index, 97.0, 71834, 81559, 64, 612.4) for index in range(8))


def world(workers: int = 2, lost: int = 0, gpus: tuple[Gpu, ...] | str = ()) -> ClusterSnapshot:
    """A cluster in good order but for its last hosts, all resources of Ray's told."""
    of = cluster(workers)
    table = RayTable("2.60.0", tuple(ray_node(node, resources=RESOURCES) for node in of.nodes))
    facts: Facts = with_host(standing(of), "gpu1", ray=table)
    facts |= {node.name: LOST for node in of.nodes[len(of.nodes) - lost :]}
    since = {name: NOW.timestamp() for name, each in facts.items() if isinstance(each, Unreachable)}
    return snapshot(of, facts, {"gpu1": gpus} if gpus else {}, since, {})


def drawn(
    seen: ClusterSnapshot, width: int = 80, height: int = 24, told: tuple[TimedEvent, ...] = ()
) -> list[str]:
    """The page as lines on a screen of that size."""
    console = Screen(width=width, height=height, markup=False, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(page(seen, told, NOW, ConsoleDimensions(width, height)))
    return capture.get().splitlines()


def lines_with(page: list[str], words: str) -> list[str]:
    return [line for line in page if words in line]


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (200, 50), (60, 14), (50, 12)])
@pytest.mark.parametrize(("workers", "lost"), [(0, 0), (2, 1), (59, 3), (59, 59)])
def test_the_page_fits_every_screen(workers: int, lost: int, size: tuple[int, int]) -> None:
    told = tuple(
        TimedEvent(NOW, HealthEvent("gpu2", "its container was restarted " * 9, Verdict.DOWN))
        for _ in range(40)
    )
    shown = drawn(world(workers, lost, GPUS), *size, told)
    assert len(shown) <= size[1]
    assert max(map(len, shown)) <= size[0]
    assert shown[0].startswith("cluster demo is ")


def test_on_a_short_screen_hosts_in_trouble_come_first_and_the_others_are_counted() -> None:
    shown = drawn(world(59, lost=3))
    assert [line.split()[0] for line in shown[2:6]] == ["gpu58", "gpu59", "gpu60", "gpu1"]
    assert shown[13] == "and 49 more healthy"
    assert lines_with(shown, "→") == ["→ plug it in (gpu58, gpu59, gpu60)"]


def test_an_unknown_host_is_told_with_its_reason_and_since_when() -> None:
    since = f"{NOW.astimezone():%H:%M:%S}"
    assert f"gpu3: unknown since {since}: 10.0.0.3:22 does not answer" in drawn(world(lost=1))


def test_a_narrow_screen_goes_without_columns_and_no_cell_is_cut() -> None:
    wide, narrow = drawn(world(), width=80)[1:5], drawn(world(), width=60)[1:5]
    assert wide[0].split() == [
        "HOST",
        "ROLE",
        "IP",
        *(kept := ["VERDICT", "CONTAINER", "RAY", "JOINED", "GPUS", "UP"]),
    ]
    assert narrow[0].split() == ["HOST", "ROLE", *kept]
    assert "…" not in "".join((*wide, *narrow))


def test_a_very_narrow_screen_keeps_the_verdict_and_what_it_stands_on() -> None:
    lines = drawn(world(), width=45)[1:5]
    assert lines[0].split() == ["HOST", "VERDICT", "CONTAINER", "RAY", "JOINED", "GPUS"]
    assert "…" not in "".join(lines)


def test_each_gpu_has_its_use_and_memory_and_on_a_wide_screen_more() -> None:
    assert lines_with(drawn(world(gpus=GPUS), 80), "97% 70/80")[0].split() == [
        "gpu1",
        *(word for index in range(4) for word in (str(index), "97%", "70/80")),
    ]
    assert lines_with(drawn(world(gpus=GPUS), 120), "3  97% 70/80 64° 612W")


def test_a_gpu_that_cannot_be_asked_is_told_in_the_words_of_nvidia_smi() -> None:
    assert lines_with(drawn(world(gpus="Failed to initialize NVML")), "gpu1  Failed to initialize NVML")


def test_rays_resources_are_told_in_all_and_for_each_node() -> None:
    shown = [line.split() for line in lines_with(drawn(world()), " GiB")]
    assert shown == [
        ["all", "12/192", "24/24", "24.0/48.0", "GiB"],
        *([f"gpu{number}", "4/64", "8/8", "8.0/16.0", "GiB"] for number in (1, 2, 3)),
    ]


def test_a_ray_that_does_not_tell_its_resources_is_said_not_to() -> None:
    of = cluster()
    assert lines_with(drawn(snapshot(of, standing(of), {}, {}, {})), "Ray does not tell")


def test_the_newest_event_is_at_the_bottom() -> None:
    told = tuple(
        TimedEvent(NOW, HealthEvent("gpu2", f"event {number}", Verdict.DOWN)) for number in range(40)
    )
    assert drawn(world(), told=told)[-1].endswith("gpu2: event 39")


def test_no_verdict_is_shown_before_every_host_had_the_time_to_answer() -> None:
    of = cluster()
    shown = drawn(snapshot(of, standing(of) | {"gpu3": HostPending()}, {}, {}, {}))
    assert shown[0].startswith("cluster demo: asking 1 of 3 hosts")
    assert shown[2].split() == [
        "gpu1",
        "head",
        "10.0.0.1",
        "healthy",
        "running",
        "yes",
        "yes",
        "8/8",
        "60",
        "s",
    ]
    assert shown[4].split() == ["gpu3", "worker", "10.0.0.3", "asking"]


def test_a_host_about_which_ray_is_still_asked_is_not_called_degraded() -> None:
    of = cluster()
    asked = with_host(standing(of), "gpu1", ray=RayPending())
    shown = drawn(snapshot(of, asked, {}, {}, {}))
    assert shown[0].startswith("cluster demo: asking Ray on gpu1")
    assert [line.split()[:5] for line in shown[2:5]] == [
        ["gpu1", "head", "10.0.0.1", "asking", "running"],
        ["gpu2", "worker", "10.0.0.2", "asking", "running"],
        ["gpu3", "worker", "10.0.0.3", "asking", "running"],
    ]
    assert not lines_with(shown, "degraded")


@pytest.mark.parametrize("known", [0, 1])
def test_of_many_hosts_that_are_still_asked_the_rest_is_counted_as_such(known: int) -> None:
    of = cluster(59)
    facts: Facts = {node.name: HostPending() for node in of.nodes}
    facts |= {node.name: LOST for node in of.nodes[:known]}
    shown = drawn(snapshot(of, facts, {}, {}, {}))
    assert not lines_with(shown, "degraded")
    assert lines_with(shown, "more asking")


class Prepared:
    """A watch that has these sights, and is ended then."""

    sights_to_come: tuple[ClusterSnapshot, ...] = ()

    only: frozenset[str] | None = None

    def __init__(
        self, _cluster: object, _fleet: object, _cancel: object, only: frozenset[str] | None
    ) -> None:
        Prepared.only = only

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def sights(self) -> Iterator[ClusterSnapshot]:
        yield from self.sights_to_come


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def prepare(*sights: ClusterSnapshot) -> None:
        monkeypatch.setattr("orchestrator.cli.output.watch.Watcher", Prepared)
        monkeypatch.setattr(Prepared, "sights_to_come", sights)

    return prepare


def pending() -> ClusterSnapshot:
    of = cluster()
    return snapshot(of, dict.fromkeys((node.name for node in of.nodes), HostPending()), {}, {}, {})


def test_in_a_pipe_the_state_comes_first_and_then_a_line_for_each_event(
    raycluster: Raycluster, seen: Callable[..., None]
) -> None:
    seen(pending(), world(), world(), world(lost=1))
    watch = raycluster("status", "--watch")
    state, events = watch.stdout.splitlines()[:6], watch.stdout.splitlines()[6:]
    assert state[0] == "cluster demo is healthy: Ray 2.60.0 lists 3 of 3 hosts, 24 GPUs"
    assert [line[10:] for line in events] == [
        "gpu3: lost: 10.0.0.3:22 does not answer",
        "cluster demo is degraded",
    ]
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in events)


def test_it_may_be_of_some_hosts_alone(raycluster: Raycluster, seen: Callable[..., None]) -> None:
    seen(world(1))
    assert raycluster("status", "--watch", "-l", "gpu2").exit_code == 0
    assert Prepared.only == frozenset({"gpu2"})
    assert raycluster("status", "--watch").exit_code == 0
    assert Prepared.only is None


def test_the_page_of_some_hosts_asks_the_head_as_well_and_does_not_show_it() -> None:
    of = cluster(1)
    facts: Facts = dict.fromkeys((node.name for node in of.nodes), HostPending())
    sight = snapshot(of, facts, {"gpu1": GPUS, "gpu2": GPUS}, {}, {}, frozenset({"gpu2"}))
    shown = drawn(sight)
    assert shown[0].startswith("cluster demo: asking 2 of 2 hosts")
    assert not lines_with(shown, "gpu1")
    assert lines_with(shown, "gpu2")


def test_as_json_each_line_is_an_object_with_version_and_time(
    raycluster: Raycluster, seen: Callable[..., None]
) -> None:
    seen(world(), world(lost=1))
    state, lost, verdict = map(json.loads, raycluster("status", "-w", "-o", "jsonl").stdout.splitlines())
    validator = Draft202012Validator(answers.schema("watch"))
    assert all(validator.is_valid(each) for each in (state, lost, verdict))
    assert (state["version"], state["event"], state["state"]["verdict"]) == (2, "state", "healthy")
    assert datetime.fromisoformat(lost.pop("time")).tzinfo
    assert lost == {
        "version": 2,
        "event": "happened",
        "host": "gpu3",
        "text": "lost: 10.0.0.3:22 does not answer",
        "verdict": "unknown",
    }
    assert (verdict["host"], verdict["verdict"]) == ("", "degraded")


def test_the_exit_code_is_that_of_the_state_at_the_end(
    raycluster: Raycluster, seen: Callable[..., None]
) -> None:
    seen(world(), world(lost=1))
    assert raycluster("status", "--watch").exit_code == 3
    seen(world(lost=1), world())
    assert raycluster("status", "--watch").exit_code == 0
    seen(pending())
    assert raycluster("status", "--watch").exit_code == 130


def test_what_hosts_say_cannot_steer_the_terminal(raycluster: Raycluster, seen: Callable[..., None]) -> None:
    of = cluster()
    hostile = standing(of) | {"gpu3": replace(LOST, text="\x1b]0;owned\x07")}
    seen(world(), snapshot(of, hostile, {}, {}, {}))
    said = raycluster("status", "--watch").stdout
    assert "owned" in said
    assert "\x1b" not in said
    assert not lines_with(drawn(snapshot(of, bare(of) | hostile, {"gpu1": "\x1b[2J"}, {}, {})), "\x1b")


@pytest.mark.parametrize("words", [("--watch", "-o", "json"), ("-o", "jsonl"), ("--watch", "-o", "sh")])
def test_a_form_that_does_not_go_with_it_is_a_mistake(raycluster: Raycluster, words: tuple[str, ...]) -> None:
    assert raycluster("status", *words).exit_code == 2

"""The supervisors of a model's ranks, each as in a container of its own: they live and die together."""

import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.serving.spec import RankGroup
from tests.payload.serving.place import Place, free_port, lives, until
from tests.payload.serving.test_liveness import HURRIED

HOSTS = ("gpu1", "gpu2", "gpu3")


class Ranks(dict[str, Place]):
    """The places of three hosts, by name."""

    def __init__(self, folder: Path) -> None:
        self.meet, port = ("127.0.0.1", free_port()), free_port()
        super().__init__({host: Place(folder / host, port) for host in HOSTS})

    def start(self, *hosts: str, model: str = "alphabet", run: str = "one", **changes: Any) -> None:
        """Tells those hosts' supervisors to keep their ranks."""
        for host in hosts:
            rank = HOSTS.index(host)
            words = ("--node-rank", str(rank), *(["--headless"] if rank else []))
            self[host].start(model, *words, group=asdict(RankGroup(rank, HOSTS, self.meet, run)), **changes)

    def answer(self, starts: int) -> None:
        """Waits until all do, in that life."""
        for place in self.values():
            place.becomes("answering", starts)
        assert [place.look()["trouble"] for place in self.values()] == ["", "", ""]

    def servers(self) -> list[str]:
        """The hosts on which a server runs."""
        return [
            host
            for host, place in self.items()
            if any(" serve " in each for each in place.processes().values())
        ]

    def missing(self) -> list[str]:
        """Whom the first one's supervisor waits for."""
        return list(self["gpu1"].state().get("missing", ()))


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[Ranks]:
    ranks = Ranks(tmp_path)
    for place in ranks.values():
        place.folder.mkdir()
        place.furnish(GATHER_SECONDS="5")
    yield ranks
    for place in ranks.values():
        place.clear()


@pytest.fixture
def serving(ranks: Ranks) -> Ranks:
    """Three ranks that serve."""
    ranks.start(*HOSTS)
    ranks.answer(starts=1)
    return ranks


def test_no_rank_begins_before_all_hosts_are_there(ranks: Ranks) -> None:
    ranks.start("gpu1", "gpu2")
    until("it waits for gpu3 alone", lambda: ranks.missing() == ["gpu3"])
    assert ranks.servers() == []
    ranks.start("gpu3")
    ranks.answer(starts=1)


def test_a_rank_that_nobody_joins_gives_up_and_says_whom_it_missed(ranks: Ranks) -> None:
    ranks.start("gpu1", "gpu2")
    until("the supervisors have left", lambda: not any(place.supervisors() for place in ranks.values()), 30)
    assert ranks["gpu1"].look()["state"]["why"] == "nothing was heard of gpu3"
    assert ranks["gpu2"].look()["state"]["why"].startswith("gpu1 ")


@pytest.mark.parametrize("host", HOSTS)
def test_when_one_rank_ends_all_begin_anew(serving: Ranks, host: str) -> None:
    serving[host].kill(serving[host].server)
    serving.answer(starts=2)


def test_a_server_that_answers_nothing_is_started_again_with_all_its_ranks(ranks: Ranks) -> None:
    for place in ranks.values():
        place.furnish(**HURRIED)
    ranks.start(*HOSTS)
    ranks.answer(starts=1)
    before = [place.server for place in ranks.values()]
    ranks["gpu1"].get("/deaf")
    ranks.answer(starts=2)
    assert not any(map(lives, before))


def test_a_load_goes_on_while_any_rank_moves(ranks: Ranks) -> None:
    for place in ranks.values():
        place.furnish(COUNT_SECONDS="0.2")
    ranks.start(*HOSTS, model="creeps-1", stalled_after=3)
    ranks["gpu1"].becomes("starting")
    began = ranks["gpu1"].state()["since"]
    until("longer than one that is still may take", lambda: ranks["gpu1"].state()["moved"] > began + 4)
    ranks["gpu2"].kill(ranks["gpu2"].server)


def test_a_load_in_which_no_rank_moves_ends_for_all(ranks: Ranks) -> None:
    for place in ranks.values():
        place.furnish(COUNT_SECONDS="0.2")
    ranks.start(*HOSTS, model="creeps-9", stalled_after=1)
    until("the supervisors have left", lambda: not any(place.supervisors() for place in ranks.values()))
    assert ranks["gpu1"].state()["why"].startswith("nothing had moved for ")
    assert ranks.servers() == []


def test_while_a_host_is_gone_there_is_no_rank_and_the_first_keeper_says_whom_it_lacks(
    serving: Ranks,
) -> None:
    serving["gpu2"].clear()
    until("it is missed", lambda: serving.missing() == ["gpu2"])
    assert serving["gpu1"].look()["trouble"]
    until("the other ranks are ended", lambda: serving.servers() == [])
    serving["gpu2"].begin("run")
    serving.answer(starts=2)


def test_when_the_head_is_gone_the_others_wait_for_it(serving: Ranks) -> None:
    serving["gpu1"].clear()
    for host in ("gpu2", "gpu3"):
        serving[host].becomes("waiting")
    assert serving.servers() == []
    serving["gpu1"].begin("run")
    serving.answer(starts=2)


def test_a_rank_that_ends_before_the_server_ever_answered_ends_it_for_all(ranks: Ranks) -> None:
    ranks.start(*HOSTS, model="short-2")
    until("the supervisors have left", lambda: not any(place.supervisors() for place in ranks.values()))
    assert ranks["gpu1"].look()["state"]["why"] == "vLLM on gpu3 ended with exit code 1"
    assert "CUDA out of memory" in ranks["gpu3"].look()["lines"][-1]
    assert ranks.servers() == []


def test_a_rank_that_was_killed_is_told_with_the_exit_code_of_a_shell(ranks: Ranks) -> None:
    ranks.start(*HOSTS, model="loads")
    serving = ranks["gpu2"]
    until("it runs", lambda: "serve loads" in " ".join(serving.processes().values()))
    serving.kill(serving.server)
    until("the supervisors have left", lambda: not any(place.supervisors() for place in ranks.values()))
    assert ranks["gpu1"].look()["state"]["why"] == "vLLM on gpu2 ended with exit code 137"


def test_stopped_everywhere_nothing_of_it_is_left(serving: Ranks) -> None:
    for place in serving.values():
        assert place.supervisor("stop", place.name).returncode == 0
    assert [place.processes() for place in serving.values()] == [{}, {}, {}]


def test_a_keeper_of_another_company_is_turned_away(ranks: Ranks) -> None:
    ranks.start("gpu1", "gpu3")
    ranks.start("gpu2", run="another")
    until("it waits for gpu2 alone", lambda: ranks.missing() == ["gpu2"])
    until("it is turned away", lambda: ranks["gpu2"].state().get("missing") == ["gpu1"])
    assert ranks.servers() == []


def test_a_port_that_is_taken_is_told(ranks: Ranks) -> None:
    with socket.create_server(ranks.meet):
        ranks.start("gpu1")
        until("it gives up", lambda: not ranks["gpu1"].supervisors())
    port = ranks.meet[1]
    assert ranks["gpu1"].state()["why"] == f"nobody can listen at port {port} on gpu1: Address already in use"

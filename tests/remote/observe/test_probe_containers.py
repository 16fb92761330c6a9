"""What stays only for a while is gone when that is over, run on this machine itself."""

from pathlib import Path
from threading import Event

from orchestrator.remote.local.transport import LocalTransport
from orchestrator.remote.observe.probe_containers import ProbeContainers
from orchestrator.remote.transport import Failure, Output
from tests.remote.fakes import SOON, reached
from tests.remote.sshd import sh

HERE = LocalTransport()


def ended(script: str, parting: float = SOON) -> Output | Failure:
    """How a command ended that was no longer needed once it had said something."""
    began, ends = Event(), list[Output | Failure]()
    with ProbeContainers(parting) as several:
        several.start(HERE, sh(script), lambda _: began.set(), ends.append, SOON)
        assert reached(began)
    (end,) = ends
    return end


def test_all_are_told_to_leave_and_waited_for(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert ended(f"echo here; cat; sleep 0.3; echo gone > {gone}; exit 3") == Output(3)
    assert gone.read_text() == "gone\n"


def test_one_that_does_not_leave_is_left_to_itself() -> None:
    assert isinstance(ended("echo here; cat; exec sleep 2", parting=0.2), Failure)


def test_what_comes_when_it_is_over_is_not_begun(tmp_path: Path) -> None:
    with ProbeContainers() as several:
        several.over.set()
        several.start(HERE, sh(f"touch {tmp_path / 'begun'}"), print, lambda _: None, SOON)
    assert not (tmp_path / "begun").exists()

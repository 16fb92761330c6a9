"""What is said about a channel, and what no longer."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import paramiko
import pytest
from paramiko.packet import Packetizer

from orchestrator.remote.ssh import packets
from orchestrator.remote.ssh.packets import (
    CLOSE,
    GLOBAL_REQUEST,
    OPEN_CONFIRMATION,
    asking_packetizer,
    orderly_packetizer,
)

DATA, EOF = 94, 96


@pytest.fixture
def ends() -> Iterator[tuple[Packetizer, Packetizer]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(1)
        yield orderly_packetizer()(ours), Packetizer(theirs)


def test_a_handshake_may_take_as_long_as_the_connection(ends: tuple[Packetizer, Packetizer]) -> None:
    ours, theirs = ends
    ours.start_handshake(0)
    theirs.send_message(about(DATA, 3))
    assert heard(ours) == (DATA, 3)
    assert not ours.handshake_timed_out()


def about(kind: int, *channels: int) -> paramiko.Message:
    message = paramiko.Message()
    message.add_byte(bytes([kind]))
    for channel in channels:
        message.add_int(channel)
    return message


def heard(end: Packetizer) -> tuple[int, int]:
    kind, message = end.read_message()
    return kind, message.get_int()


def test_nothing_is_said_about_a_channel_after_its_close(ends: tuple[Packetizer, Packetizer]) -> None:
    ours, theirs = ends
    for message in (
        about(DATA, 3),
        about(CLOSE, 3),
        about(EOF, 3),
        about(DATA, 3),
        about(CLOSE, 3),
        about(EOF, 4),
    ):
        ours.send_message(message)
    assert [heard(theirs) for _ in range(3)] == [(DATA, 3), (CLOSE, 3), (EOF, 4)]


def test_a_number_that_is_given_out_again_is_a_new_channel(ends: tuple[Packetizer, Packetizer]) -> None:
    ours, theirs = ends
    ours.send_message(about(CLOSE, 3))
    theirs.send_message(about(OPEN_CONFIRMATION, 7, 3))
    assert heard(ours) == (OPEN_CONFIRMATION, 7)
    ours.send_message(about(DATA, 3))
    assert [heard(theirs) for _ in range(2)] == [(CLOSE, 3), (DATA, 3)]


ANSWER = 82


@dataclass
class Silence:
    """A host of which nothing is heard, seen with a clock of our own: asked every 5 s, 9 times at most."""

    ours: Any
    theirs: Packetizer
    now: float = 0.0
    exchanges_keys: bool = False

    def hears(self) -> None:
        self.theirs.send_message(about(ANSWER))
        self.ours.read_message()

    def goes_on(self, seconds: float, step: float = 2.5) -> None:
        for _ in range(int(seconds / step)):
            self.now += step
            self.ours._check_keepalive()  # noqa: SLF001 - paramiko's


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silence]:
    here, there = socket.socketpair()
    with here, there:
        there.settimeout(1)
        silence = Silence(asking_packetizer()(here), Packetizer(there))
        monkeypatch.setattr(packets, "monotonic", lambda: silence.now)
        silence.ours.keep_asking(5, 45, lambda: not silence.exchanges_keys, answers=False)
        yield silence


def test_a_host_of_which_nothing_is_heard_is_gone(silence: Silence) -> None:
    silence.hears()
    silence.goes_on(45)
    silence.hears()
    silence.goes_on(45)
    with pytest.raises(EOFError):
        silence.goes_on(5)


def test_a_host_is_not_gone_because_this_process_was_stopped_for_a_while(silence: Silence) -> None:
    silence.hears()
    silence.goes_on(5)
    silence.goes_on(120, step=60)
    silence.hears()
    silence.goes_on(45)


def test_a_server_that_is_known_to_answer_is_gone_though_it_never_came_to_it(silence: Silence) -> None:
    silence.ours.keep_asking(5, 45, lambda: True, answers=True)
    silence.goes_on(45)
    with pytest.raises(EOFError):
        silence.goes_on(5)


def test_a_command_that_ends_soon_costs_no_question(silence: Silence) -> None:
    silence.ours.send_message(about(DATA, 3))
    assert heard(silence.theirs)[0] == DATA


def test_what_is_sent_meanwhile_is_no_sign_of_life(silence: Silence) -> None:
    silence.hears()
    for _ in range(18):
        silence.goes_on(2.5)
        silence.ours.send_message(about(DATA, 3))
    with pytest.raises(EOFError):
        silence.goes_on(5)


def test_a_server_that_answers_no_such_question_at_all_is_not_gone(silence: Silence) -> None:
    silence.goes_on(600)


def test_nothing_is_asked_during_a_key_exchange_which_has_an_end_too(silence: Silence) -> None:
    silence.hears()
    silence.goes_on(5)
    assert heard(silence.theirs)[0] == GLOBAL_REQUEST
    silence.exchanges_keys = True
    silence.goes_on(40)
    silence.ours.send_message(about(DATA, 3))
    assert heard(silence.theirs)[0] == DATA
    with pytest.raises(EOFError):
        silence.goes_on(5)

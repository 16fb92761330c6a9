"""What is said about a channel, and what no longer."""

import socket
from collections.abc import Iterator

import paramiko
import pytest
from paramiko.packet import Packetizer

from orchestrator.remote.ssh.packets import CLOSE, OPEN_CONFIRMATION, orderly_packetizer

DATA, EOF = 94, 96


@pytest.fixture
def ends() -> Iterator[tuple[Packetizer, Packetizer]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(1)
        yield orderly_packetizer()(ours), Packetizer(theirs)


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

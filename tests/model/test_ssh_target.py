"""Hosts as one types them after `ssh`."""

import pytest

from orchestrator.model.ssh_target import Target, names, parse, parse_all


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("gpu1", Target("gpu1")),
        ("ubuntu@gpu1:2222", Target("gpu1", "ubuntu", 2222)),
        ("gpu1:22", Target("gpu1", None, 22)),
        ("me@corp@gpu1", Target("gpu1", "me@corp")),
        ("fd00::1", Target("fd00::1")),
        ("me@[fd00::1]:22", Target("fd00::1", "me", 22)),
        ("192.0.2.11", Target("192.0.2.11")),
    ],
)
def test_a_host_may_have_a_user_and_a_port(written: str, target: Target) -> None:
    assert parse(written) == (target,)
    assert parse(str(target)) == (target,)


def test_a_range_stands_for_several() -> None:
    assert parse("me@gpu[09-10].lan:22") == (Target("gpu09.lan", "me", 22), Target("gpu10.lan", "me", 22))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("gpu1:ssh", "should be [user@]host[:port]"),
        ("gpu1:", "should be [user@]host[:port]"),
        ("@gpu1", "should be [user@]host[:port]"),
        ("http://gpu1", "should be [user@]host[:port]"),
        ("gpu1,gpu2", "separate machines by blanks, not by commas"),
        ("gpu;1", "should be a host name"),
        ("-oProxyCommand=x", 'should not start with "-"'),
        ("gpu[3-1]", "runs backwards"),
        ("me@local", '"local" is this machine, reached without SSH: write it alone'),
        ("a:b:c", 'should be [user@]host[:port], such as "ubuntu@gpu1:2222"'),
    ],
)
def test_what_is_no_host_is_told(written: str, why: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - its text is what matters
        parse(written)
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name at least one machine"),
        (["gpu1", "gpu2:70000"], '"gpu2:70000": should be a whole number from 1 to 65535, not "70000"'),
        (["gpu[1-1024]", "gpu0"], "these are 1,025 hosts; a cluster has at most 1,024"),
        (["gpu[1-3]", "gpu2"], '"gpu2" is there twice'),
    ],
)
def test_so_is_what_makes_no_cluster(words: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_all(words)


def test_hosts_are_called_by_their_host_where_that_can_be_a_name_of_one() -> None:
    hosts = parse_all(["gpu1", "localhost:2201", "localhost:2202", "fd00::1", "head"])
    assert names(hosts) == ("gpu1", "localhost-2201", "localhost-2202", "gpu4", "gpu5")

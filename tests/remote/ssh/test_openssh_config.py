"""One `ssh -G` for many hosts says of each what its own would."""

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh import openssh_config
from orchestrator.remote.ssh.openssh_config import ask_ssh
from orchestrator.remote.timeouts import DEFAULT
from orchestrator.remote.transport import FailureError
from tests.payload.serving.place import until

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="there is no OpenSSH client here")

Count = Callable[[], int]

HOSTS = (
    "gpu1",
    "gpu2",
    "gpu10",
    "cpu1",
    "GPU2",
    "10.0.0.1",
    "10.0.0.2",
    "2001:DB8::0:1",
    "a.example.com",
    "010.0.0.9",
)
PATTERNS = ("*", "gpu*", "gpu?", "!gpu2", "10.0.0.*", "10.0.0.1", "*.example.com", "cpu1", "2001:*", "GPU*")
LINES = (
    *(
        "User ana",
        "Port 2222",
        "HostName %h.internal",
        "HostName gpu1",
        "HostName GPU2",
        'HostName "gpu1"',
        "HostName 192.0.2.7",
        "ProxyJump gate",
        "ProxyJump gpu1",
    ),
    *("IdentityFile ~/.ssh/%h", "IdentityFile /keys/one", "HostKeyAlias gpu", "UserKnownHostsFile /known/%n"),
    *(
        "ControlPath ~/.ssh/%C",
        "ControlPath /s/%r@%h:%p",
        "ControlPath /s/%n-%C",
        "CanonicalizeHostname yes",
        "AddressFamily inet6",
        "SendEnv LANG",
    ),
)


def forget() -> None:
    openssh_config.ask_together.cache_clear()
    openssh_config.ask_once.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> None:
    forget()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many processes it took, all in one period, however busy the machine is."""
    ran: list[object] = []
    run = subprocess.run

    def counted(*words: object, **options: object) -> object:
        ran.append(words)
        return run(*words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", counted)
    monkeypatch.setattr(openssh_config, "monotonic", lambda: 0.0)
    return lambda: len(ran)


def told(hosts: tuple[str, ...], config: Path) -> list[openssh_config.Options | None]:
    return [ask_ssh(host, Ssh(), config, hosts) for host in hosts]


def options(host: str, config: Path, *alike: str) -> object:
    forget()
    try:
        return ask_ssh(host, Ssh(), config, alike)
    except FailureError as refused:
        return refused.failure


KEYWORDS = (
    *("Host {0}", "Host {0}", "host= {0}", '"Host" {0}', 'Host "gpu1" {0}', "Host 'gpu2' {0}"),
    "Match originalhost {1}",
)
BLOCK = st.builds(
    lambda keyword, patterns, lines: "\n ".join(
        [keyword.format(" ".join(patterns), ",".join(patterns)), *lines]
    ),
    st.sampled_from(KEYWORDS),
    st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(LINES), min_size=1, max_size=3, unique=True),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from(LINES), max_size=1),
    blocks=st.lists(BLOCK, max_size=4),
    included=BLOCK,
    hosts=st.lists(st.sampled_from(HOSTS), min_size=2, max_size=4, unique=True),
)
def test_whatever_the_config_every_host_is_told_what_ssh_would_do_with_it(
    tmp_path: Path, before: list[str], blocks: list[str], included: str, hosts: list[str]
) -> None:
    (tmp_path / "included").write_text(included)
    config = tmp_path / "config"
    config.write_text("\n".join([*before, *blocks[:1], f" Include {tmp_path}/included", *blocks[1:], ""]))
    for host in hosts:
        assert options(host, config, *hosts) == options(host, config)


@pytest.mark.parametrize("control", ["~/.ssh/%C", "/s/%r@%h:%p"])
def test_hosts_that_no_line_tells_apart_cost_one_question(tmp_path: Path, asked: Count, control: str) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host gpu*\n User ana\nHost *\n ControlPath {control}\n")
    said = told(("gpu1", "gpu2", "gpu10"), config)
    assert [each["hostname"] for each in said if each] == [["gpu1"], ["gpu2"], ["gpu10"]]
    assert asked() == 1


def test_hosts_with_settings_of_their_own_are_asked_for_themselves(tmp_path: Path, asked: Count) -> None:
    config = tmp_path / "config"
    config.write_text("Host gpu1\n Port 1\nHost gpu2\n Port 2\n")
    ports = [each["port"] for each in told(("gpu1", "gpu2", "gpu3", "gpu4"), config) if each]
    assert ports == [["1"], ["2"], ["22"], ["22"]]
    assert asked() == 3


def test_an_answer_in_which_the_hosts_name_stands_is_for_no_other(tmp_path: Path, asked: Count) -> None:
    config = tmp_path / "config"
    config.write_text("HostName %h.example.com\n")
    names = [each["hostname"] for each in told(("gpu1", "gpu2"), config) if each]
    assert names == [["gpu1.example.com"], ["gpu2.example.com"]]
    assert asked() == 2


def test_a_match_may_look_at_anything_so_each_host_is_asked(tmp_path: Path, asked: Count) -> None:
    config = tmp_path / "config"
    config.write_text('Match exec "test %h = gpu2"\n Port 2\n')
    ports = [each["port"] for each in told(("gpu1", "gpu2"), config) if each]
    assert ports == [["22"], ["2"]]
    assert asked() == 2


def test_a_config_that_is_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("Port 1\n")
    monkeypatch.setattr(openssh_config, "monotonic", lambda: 0.0)
    assert told(("gpu1",), config)[0]["port"] == ["1"]  # type: ignore[index]
    config.write_text("Port 2\n")
    monkeypatch.setattr(openssh_config, "monotonic", lambda: DEFAULT.config_is_fresh + 1.0)
    assert told(("gpu2",), config)[0]["port"] == ["2"]  # type: ignore[index]


def test_a_newer_ssh_puts_the_hosts_name_into_an_include_so_each_host_is_asked(
    tmp_path: Path, asked: Count
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Include {tmp_path}/%h.conf\n")
    told(("gpu1", "gpu2"), config)
    assert asked() == 2


def test_nobody_waits_for_an_answer_that_is_anothers(tmp_path: Path) -> None:
    """The time that a slow `Match exec` takes is for each host once."""
    began, gate = tmp_path / "began", tmp_path / "gate"
    config = tmp_path / "config"
    hosts = ("gpu1", "gpu2")
    slow = f"test %h = gpu1 && touch {began} && while ! [ -f {gate} ]; do sleep 0.01; done; true"
    config.write_text(f'Match exec "{slow}"\n Port 2\n')
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask_ssh, "gpu1", Ssh(), config, hosts)
        until("the first is asked", began.is_file)
        assert ask_ssh("gpu2", Ssh(), config, hosts)["port"] == ["2"]  # type: ignore[index]
        assert not first.done()
        gate.touch()
        assert first.result()["port"] == ["2"]  # type: ignore[index]


def test_a_jump_host_of_many_is_asked_about_once(tmp_path: Path, asked: Count) -> None:
    config = tmp_path / "config"
    config.touch()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask_ssh("gate", Ssh(), config), range(8)))
    assert answers == [answers[0]] * 8
    assert asked() == 1


def test_what_ssh_says_of_itself_is_no_complaint(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Nonsense yes\n")
    with pytest.raises(FailureError) as refused:
        ask_ssh("gpu1", Ssh(), config)
    assert refused.value.failure.detail.startswith(f"{config}: line 1: Bad configuration option: nonsense")

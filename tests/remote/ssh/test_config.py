"""What the SSH config and the inventory say together."""

import os
import pwd
import socket
from pathlib import Path

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.config import Settings, expand, route, settings
from orchestrator.remote.transport import FailureError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config"


@pytest.fixture(params=["ssh", "no ssh"])
def with_or_without_ssh(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no ssh":
        monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("with_or_without_ssh")
def test_a_host_has_what_the_ssh_config_says(config: Path, tmp_path: Path) -> None:
    config.write_text(
        f"""
        Host gpu*
          HostName %h.example.com
          Port 2222
          User ray
          IdentityFile {tmp_path}/%r_key
          IdentityFile {tmp_path}/other
          IdentitiesOnly yes
          IdentityAgent {tmp_path}/agent
          UserKnownHostsFile {tmp_path}/known {tmp_path}/known2
          GlobalKnownHostsFile {tmp_path}/global
          HostKeyAlias the-gpu
          AddressFamily inet
        """
    )
    assert settings("gpu1", Ssh(), config) == Settings(
        name="gpu1",
        host="gpu1.example.com",
        port=2222,
        user="ray",
        identity_files=(tmp_path / "ray_key", tmp_path / "other"),
        identities_only=True,
        agent=tmp_path / "agent",
        known_hosts=(tmp_path / "known", tmp_path / "known2"),
        global_known_hosts=(tmp_path / "global",),
        host_key_alias="the-gpu",
        family=socket.AF_INET,
    )


@pytest.mark.usefixtures("with_or_without_ssh")
def test_a_host_nobody_mentions_has_defaults(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    config.touch()
    found = settings("10.0.0.7", Ssh(), config)
    assert (found.host, found.port, found.agent, found.proxy_jump) == ("10.0.0.7", 22, None, ())
    assert "id_ed25519" in {file.name for file in found.identity_files}
    assert found.known_hosts[0].name == "known_hosts"


@pytest.mark.usefixtures("with_or_without_ssh")
def test_the_inventory_wins(config: Path, tmp_path: Path) -> None:
    config.write_text("Host gpu1\n User a\n Port 1\n IdentityFile /a\n ProxyJump x\n")
    key = tmp_path / "key"
    key.touch()
    found = settings("gpu1", Ssh(user="b", port=2, key=str(key), jump="y,z"), config)
    assert (found.user, found.port, found.identity_files, found.proxy_jump) == ("b", 2, (key,), ("y", "z"))


def test_included_files_and_matches_count(config: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host gpu1\n HostName 10.0.0.1\n")
    config.write_text(f'Include {tmp_path}/more\nMatch host 10.0.0.1 user ray exec "true"\n Port 2222\n')
    assert settings("gpu1", Ssh(user="ray"), config).address == "10.0.0.1:2222"
    assert settings("gpu1", Ssh(user="me"), config).address == "10.0.0.1:22"


def test_a_jump_host_of_the_inventory_replaces_a_proxy_command(config: Path) -> None:
    config.write_text("Host gpu1\n ProxyCommand nc %h %p\n")
    assert settings("gpu1", Ssh(), config).proxy_command == "nc gpu1 22"
    assert settings("gpu1", Ssh(jump="x"), config).proxy_command is None


@pytest.mark.parametrize(
    ("said", "meant"), [("none", None), ("$AGENT", Path("/a")), ("SSH_AUTH_SOCK", Path("/s"))]
)
def test_the_agent_is_the_one_the_config_names(
    config: Path, monkeypatch: pytest.MonkeyPatch, said: str, meant: Path | None
) -> None:
    monkeypatch.setenv("AGENT", "/a")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/s")
    config.write_text(f"IdentityAgent {said}\n")
    assert settings("gpu1", Ssh(), config).agent == meant


def test_none_means_no_files(config: Path) -> None:
    config.write_text("IdentityFile none\nUserKnownHostsFile none\nGlobalKnownHostsFile none\n")
    found = settings("gpu1", Ssh(), config)
    assert (found.identity_files, found.known_hosts, found.global_known_hosts) == ((), (), ())


@pytest.mark.parametrize(
    ("host", "port", "alias", "name"),
    [
        ("Gpu1", 22, None, "gpu1"),
        ("gpu1", 2222, None, "[gpu1]:2222"),
        ("fe80::1", 22, None, "fe80::1"),
        ("fe80::1", 2222, None, "[fe80::1]:2222"),
        ("gpu1", 2222, "Alias", "alias"),
    ],
)
def test_known_hosts_files_have_a_host_by_name_and_port(
    host: str, port: int, alias: str | None, name: str
) -> None:
    assert Settings(host, host, port, "me", host_key_alias=alias).known_as == name


def test_tokens_and_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "/w")
    hop = Settings("gpu1", "10.0.0.1", 2222, "ray")
    assert expand("${WHERE}/%n-%h-%p-%r-%%h", hop) == "/w/gpu1-10.0.0.1-2222-ray-%h"


def test_the_route_leads_through_every_jump_host(config: Path) -> None:
    config.write_text(
        """
        Host gpu1
          ProxyJump a,ssh://bob@b:2200
          User ray
        Host a
          ProxyJump first
        Host b
          ProxyJump ignored
        """
    )
    hops = route("gpu1", Ssh(port=2222), config)
    me = hops[0].user
    assert [hop.login for hop in hops] == [f"{me}@first:22", f"{me}@a:22", "bob@b:2200", "ray@gpu1:2222"]


def test_a_jump_host_may_have_an_ipv6_address(config: Path) -> None:
    config.touch()
    jump, _ = route("gpu1", Ssh(jump="me@[fe80::1]:2200"), config)
    assert jump.login == "me@[fe80::1]:2200"


def test_a_jump_host_may_be_named_after_the_host_and_the_user(config: Path) -> None:
    config.write_text("Host gpu1\n HostName 10.0.0.1\n User ray\n ProxyJump %r@gate-of-%n,%h-%%:2200\n")
    assert settings("gpu1", Ssh(), config).proxy_jump == ("ray@gate-of-gpu1", "10.0.0.1-%:2200")


def test_a_jump_hosts_address_may_be_written_as_a_url(config: Path) -> None:
    """`ssh -G` prints such a host in brackets, whatever it is."""
    config.write_text("Host gpu1\n ProxyJump ssh://bob@10.0.0.9:2200\n")
    assert route("gpu1", Ssh(), config)[0].login == "bob@10.0.0.9:2200"


@pytest.mark.usefixtures("with_or_without_ssh")
def test_a_route_in_a_circle_is_refused(config: Path) -> None:
    config.write_text("Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
    with pytest.raises(FailureError, match="the way to a leads through a"):
        route("a", Ssh(), config)


def test_a_broken_config_is_refused_in_sshs_own_words(config: Path) -> None:
    config.write_text("Nonsense yes\n")
    with pytest.raises(FailureError, match="the SSH config is of no use for gpu1") as refused:
        settings("gpu1", Ssh(), config)
    assert "Bad configuration option: nonsense" in refused.value.failure.detail


def test_a_match_that_hangs_is_given_up(config: Path) -> None:
    config.write_text('Match exec "sleep 60"\n Port 1\n')
    with pytest.raises(FailureError, match="does not end"):
        settings("gpu1", Ssh(connect_timeout=0.2), config)


@pytest.mark.usefixtures("with_or_without_ssh")
def test_the_inventory_decides_how_long_to_wait_then_the_config_then_ten_seconds(config: Path) -> None:
    config.write_text("Host gpu1\n ConnectTimeout 30\n")
    said = [
        settings(*asked, config).connect_seconds
        for asked in (("gpu1", Ssh(connect_timeout=4)), ("gpu1", Ssh()), ("gpu2", Ssh()))
    ]
    assert said == [4, 30, 10]


def test_no_limit_in_the_config_is_no_reason_to_wait_without_end(config: Path) -> None:
    config.write_text("ConnectTimeout 0\n")
    assert settings("gpu1", Ssh(), config).connect_seconds == 10


def test_a_time_in_minutes_is_read_as_ssh_reads_it(config: Path) -> None:
    config.write_text("ConnectTimeout 1m30\n")
    assert settings("gpu1", Ssh(), config).connect_seconds == 90


@pytest.mark.parametrize("keyword", ["UserKnownHostsFile", "userknownhostsfile=", '"UserKnownHostsFile"'])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"{0}/my hosts/known"', ("{0}/my hosts/known",)),
        ("'{0}/my hosts/known' {0}/other", ("{0}/my hosts/known", "{0}/other")),
        (r"{0}/my\ hosts/known {0}/other  # mine", ("{0}/my hosts/known", "{0}/other")),
        ('"{0}/of %h/%r" "{0}/x y"', ("{0}/of gpu1/ray", "{0}/x y")),
        ('"~/my hosts/known" ~/other', ("{home}/my hosts/known", "{home}/other")),
        ('"${{HOME}}/my hosts" ~/other', ("{home}/my hosts", "{home}/other")),
    ],
)
def test_known_hosts_files_with_blanks_are_told_from_several(
    config: Path, tmp_path: Path, keyword: str, written: str, meant: tuple[str, ...]
) -> None:
    places = {"home": Path.home()}
    config.write_text(f"Host gpu1\n {keyword} {written.format(tmp_path, **places)}\n User ray\n")
    files = settings("gpu1", Ssh(), config).known_hosts
    assert files == tuple(Path(file.format(tmp_path, **places)) for file in meant)


def test_a_file_with_blanks_may_be_in_a_file_that_is_included(config: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text('GlobalKnownHostsFile "/etc/my hosts" /etc/others\n')
    config.write_text(f"Include {tmp_path}/more\n")
    found = settings("gpu1", Ssh(), config).global_known_hosts
    assert found == (Path("/etc/my hosts"), Path("/etc/others"))


def test_names_that_can_be_read_in_two_ways_are_refused_rather_than_guessed(config: Path) -> None:
    config.write_text('Host gpu1\n UserKnownHostsFile "/a b"\nHost gpu2\n UserKnownHostsFile /a b\n')
    with pytest.raises(FailureError, match='two meanings for the known_hosts files "/a b"'):
        settings("gpu1", Ssh(), config)


def test_a_proxy_command_has_its_own_tokens_and_its_shells_variables(config: Path) -> None:
    config.write_text("User ray\nHostName 10.0.0.1\nProxyCommand go %n %h:%p %r %% ${HOME:-x} ${HOME}\n")
    assert settings("gpu1", Ssh(), config).proxy_command == "go gpu1 10.0.0.1:22 ray % ${HOME:-x} ${HOME}"


def test_the_hash_of_a_connection_is_that_of_ssh(config: Path) -> None:
    config.write_text("ControlPath /s/%C\nHostName 10.0.0.1\nUser ray\n")
    found = settings("gpu1", Ssh(), config)
    assert found.control_path == Path(expand("/s/%C", found))


def test_files_are_in_the_home_that_ssh_goes_by(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user database's, and not $HOME, which `sudo` and containers of CI set to another."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config.write_text("IdentityFile ~/key\nIdentityFile %d/other\nUserKnownHostsFile ~/my\\ hosts\n")
    found, home = settings("gpu1", Ssh(), config), Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert found.identity_files == (home / "key", home / "other")
    assert found.known_hosts == (home / "my hosts",)


def test_a_file_of_a_user_who_is_not_here_is_refused(config: Path) -> None:
    config.write_text("IdentityFile ~nobody-of-that-name/key\n")
    with pytest.raises(FailureError) as refused:
        settings("gpu1", Ssh(), config)
    assert "~nobody-of-that-name/key: there is no such user" in refused.value.failure.message


@pytest.mark.parametrize("line", ["Port ssh", "UserKnownHostsFile ana's"])
def test_a_broken_config_is_refused_where_there_is_no_openssh_to_ask_too(
    config: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    config.write_text(f"{line}\n")
    with pytest.raises(FailureError) as refused:
        settings("gpu1", Ssh(), config)
    assert refused.value.failure.message == "the SSH config is of no use for gpu1"
    assert refused.value.failure.detail

"""Which host keys are trusted, and what is said about the others."""

import base64
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import paramiko
import pytest

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.plan.typed import ours
from orchestrator.remote.ssh.config import Settings
from orchestrator.remote.ssh.host_keys import (
    Changed,
    HostKeyPolicy,
    Known,
    Revoked,
    Unknown,
    accept,
    judge,
    record,
)
from orchestrator.remote.ssh.keyscan import examine
from orchestrator.remote.ssh.known_hosts import HostKey
from orchestrator.remote.transport import FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, Sshd, failed, fingerprint, keygen, public, run, sh

ACCEPT_NEW = Ssh(host_keys=HostKeys.ACCEPT_NEW)
IN = Output(0, "in\n")


def key_of(file: Path) -> HostKey:
    return HostKey(*public(file).split()[:2])


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> HostKey:
    return key_of(keygen(tmp_path_factory.mktemp("keys") / "key"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> HostKey:
    return key_of(keygen(tmp_path_factory.mktemp("keys") / "other"))


@pytest.fixture(scope="module")
def ecdsa(tmp_path_factory: pytest.TempPathFactory) -> HostKey:
    return key_of(keygen(tmp_path_factory.mktemp("keys") / "ecdsa", "ecdsa"))


@pytest.fixture
def hop(tmp_path: Path) -> Settings:
    return Settings("gpu1", "Gpu1.example.com", 22, "me", known_hosts=(tmp_path / "known_hosts",))


@pytest.mark.parametrize(
    "names",
    [
        "gpu1.example.com",
        "a,GPU1.example.com,b",
        "*.example.com",
        "gpu?.*",
        "*",
        "!gpu2.example.com,*.example.com",
    ],
)
def test_a_key_on_file_is_known(hop: Settings, key: HostKey, names: str) -> None:
    hop.known_hosts[0].write_text(f"# comment\n\n{names} {key.type} {key.base64} me@laptop\n")
    assert judge(hop, key) == Known("gpu1.example.com", key)


@pytest.mark.parametrize(
    "line",
    [
        "gpu2.example.com {key}",
        "!gpu1.example.com,*.example.com {key}",
        "[gpu1.example.com]:2222 {key}",
        "#gpu1.example.com {key}",
        "gpu1.example.com ssh-ed25519",
        "gpu1.example.com ssh-ed25519 AAAA",
        "gpu1.example.com ssh-ed25519 %%%%",
        "gpu1.example.com ssh-ed25519 ä",
        "|1|ä|ä {key}",
        "@revoked gpu2.example.com {key}",
        "|1|damaged {key}",
        "|1|%%|%% {key}",
    ],
)
def test_other_lines_leave_a_key_unknown(hop: Settings, key: HostKey, line: str) -> None:
    hop.known_hosts[0].write_bytes(
        line.format(key=f"{key.type} {key.base64}").encode() + b"\n\xff\xfe \xff \xff\n"
    )
    assert judge(hop, key) == Unknown("gpu1.example.com", key, hop.known_hosts[0])


def test_another_key_is_a_change_and_its_line_is_named(hop: Settings, key: HostKey, other: HostKey) -> None:
    file = hop.known_hosts[0]
    file.write_text(f"\ngpu1.example.com {other.type} {other.base64}\n")
    verdict = judge(hop, key)
    assert isinstance(verdict, Changed)
    assert (verdict.expected.key, verdict.expected.place) == (other, f"{file}:2")


def test_a_key_of_another_type_is_a_change_too(hop: Settings, key: HostKey, ecdsa: HostKey) -> None:
    hop.known_hosts[0].write_text(f"gpu1.example.com {ecdsa.type} {ecdsa.base64}\n")
    assert isinstance(judge(hop, key), Changed)
    asked_for = HostKeyPolicy(hop, HostKeys.STRICT, monotonic() + 1).algorithms
    assert asked_for[:2] == ["ecdsa-sha2-nistp256", "ssh-ed25519"]
    assert set(asked_for) == set(hop.host_key_algorithms)


def test_one_of_several_keys_suffices(hop: Settings, key: HostKey, other: HostKey) -> None:
    hop.known_hosts[0].write_text("".join(f"gpu1.example.com {k.type} {k.base64}\n" for k in (other, key)))
    assert isinstance(judge(hop, key), Known)


def test_a_revoked_key_is_not_trusted(hop: Settings, key: HostKey) -> None:
    file = hop.known_hosts[0]
    line = f"{key.type} {key.base64}\n"
    file.write_text(f"gpu1.example.com {line}@revoked * {line}")
    assert judge(hop, key) == Revoked("gpu1.example.com", key, f"{file}:2")


def test_a_key_of_the_host_holds_for_its_other_ports(tmp_path: Path, key: HostKey, other: HostKey) -> None:
    hop = Settings("gpu1", "gpu1", 2222, "me", known_hosts=(tmp_path / "known_hosts",))
    hop.known_hosts[0].write_text(f"gpu1 {key.type} {key.base64}\n")
    assert isinstance(judge(hop, key), Known)
    assert isinstance(judge(hop, other), Unknown)


def test_global_files_count_and_are_not_written_to(tmp_path: Path, key: HostKey) -> None:
    hop = Settings("gpu1", "gpu1", 22, "me", global_known_hosts=(tmp_path / "global",))
    assert judge(hop, key) == Unknown("gpu1", key, None)
    assert accept(hop, Unknown("gpu1", key, None)) == Unknown("gpu1", key, None)
    hop.global_known_hosts[0].write_text(f"gpu1 {key.type} {key.base64}\n")
    assert isinstance(judge(hop, key), Known)


def test_a_key_is_recorded_once_in_a_private_file(tmp_path: Path, key: HostKey) -> None:
    unknown = Unknown("[gpu1]:2222", key, tmp_path / "new" / "known_hosts")
    assert record(unknown) is None
    assert record(unknown) is None
    assert unknown.file
    assert unknown.file.read_text() == f"[gpu1]:2222 {key.type} {key.base64}\n"
    assert unknown.file.stat().st_mode & 0o777 == 0o600
    assert unknown.file.parent.stat().st_mode & 0o777 == 0o700


def test_a_last_line_without_an_end_is_not_spoiled(tmp_path: Path, key: HostKey) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("# by hand")
    record(Unknown("gpu1", key, file))
    assert file.read_text().splitlines() == ["# by hand", f"gpu1 {key.type} {key.base64}"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, key: HostKey) -> None:
    (tmp_path / "known_hosts").mkdir()
    failure = record(Unknown("gpu1", key, tmp_path / "known_hosts"))
    assert failure
    assert failure.message == f"{tmp_path / 'known_hosts'} cannot be written: Is a directory"


def test_the_fingerprint_is_the_one_ssh_keygen_shows(tmp_path: Path) -> None:
    file = keygen(tmp_path / "key")
    assert key_of(file).fingerprint == fingerprint(file)
    assert (key_of(file).kind, HostKey("ecdsa-sha2-nistp256", "").kind) == ("ED25519", "ECDSA")


@pytest.mark.sshd
def test_an_unknown_key_is_refused_with_its_fingerprint(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.host("gpu1", server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    place = f"{server.address}:{server.port}"
    assert failure.message == f"the host key of {place} is not known: ED25519 {fingerprint(server.key())}"
    assert failure.fix == ours("trust")
    assert not laptop.known_hosts.exists()
    assert "Accepted" not in server.log()


@pytest.mark.sshd
def test_a_hashed_name_is_recognised(laptop: Laptop, server: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-H", "-f", str(laptop.known_hosts)], check=True, capture_output=True)
    assert server.address not in laptop.known_hosts.read_text()
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.sshd
def test_an_alias_is_looked_up_without_a_port(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.host("gpu1", server, "HostKeyAlias Lab")
    laptop.known_hosts.write_text(f"lab {server.known_hosts_line().split(maxsplit=1)[1]}")
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.sshd
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_server_is_asked_for_the_type_on_file(laptop: Laptop, start: Start, kind: str) -> None:
    server = start(host_keys=("ed25519", "ecdsa", "rsa"))
    laptop.host("gpu1", server)
    laptop.known_hosts.write_text(server.known_hosts_line(kind))
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.sshd
@pytest.mark.parametrize("policy", list(HostKeys))
def test_a_changed_key_is_refused_and_the_fix_works(laptop: Laptop, start: Start, policy: HostKeys) -> None:
    server, impostor = start("127.0.0.2"), start("127.0.0.2")
    laptop.host("gpu1", server)
    laptop.known_hosts.write_text(
        f"[{server.address}]:{server.port} {impostor.known_hosts_line().split(maxsplit=1)[1]}"
    )
    failure = failed(run(laptop.dial("gpu1", Ssh(host_keys=policy)), sh("true")), FailureKind.HOST_KEY)
    assert failure.message == f"the host key of {server.address}:{server.port} has changed"
    assert fingerprint(server.key()) in failure.detail
    assert f"{fingerprint(impostor.key())}  ({laptop.known_hosts}:1)" in failure.detail
    remedy = f"ssh-keygen -R '[{server.address}]:{server.port}' -f {laptop.known_hosts}"
    assert failure.fix == f"if the change is right: {remedy}"
    subprocess.run(["sh", "-c", remedy], check=True, capture_output=True)
    assert laptop.known_hosts.read_text() == ""


@pytest.mark.sshd
def test_a_revoked_key_is_refused(laptop: Laptop, server: Sshd) -> None:
    with laptop.known_hosts.open("a") as file:
        file.write("@revoked * " + server.known_hosts_line().split(maxsplit=1)[1])
    failure = failed(run(laptop.dial("gpu1", ACCEPT_NEW), sh("true")), FailureKind.HOST_KEY)
    assert f"is revoked ({laptop.known_hosts}:2)" in failure.message


@pytest.mark.sshd
def test_new_keys_are_accepted_and_recorded_once_however_many_ask(laptop: Laptop, start: Start) -> None:
    server = start()
    laptop.host("gpu1", server)
    with ThreadPoolExecutor(20) as pool:
        ended = list(pool.map(lambda _: run(laptop.dial("gpu1", ACCEPT_NEW), sh("echo in")), range(20)))
    assert ended == [IN] * 20
    assert laptop.known_hosts.read_text() == server.known_hosts_line()


@pytest.mark.sshd
@pytest.mark.parametrize("place", ["folder", "file/known_hosts"])
def test_a_new_key_is_taken_though_it_cannot_be_recorded_as_ssh_does_and_is_told(
    laptop: Laptop, start: Start, place: str
) -> None:
    server, file = start(), laptop.home / place
    (laptop.home / "folder").mkdir()
    (laptop.home / "file").touch()
    laptop.host("gpu1", server, "StrictHostKeyChecking accept-new", f"UserKnownHostsFile {file}")
    by_hand = laptop.ssh("gpu1")
    assert (by_hand.stdout, "Failed to add the host" in by_hand.stderr) == ("in\n", True)
    gpu1 = laptop.dial("gpu1")
    assert run(gpu1, sh("echo in")) == IN
    taken = f"any host key of {server.address}:{server.port} is taken: {file} cannot be written: "
    assert gpu1.warning.startswith(taken)


@pytest.mark.sshd
@pytest.mark.parametrize("options", [(), ("HostKeyAlias Lab",)])
def test_a_name_is_recorded_hashed_where_the_ssh_config_says_so_and_ssh_finds_it(
    laptop: Laptop, start: Start, options: tuple[str, ...]
) -> None:
    server = start()
    laptop.host("gpu1", server, "HashKnownHosts yes", *options)
    with ThreadPoolExecutor(5) as pool:
        ended = list(pool.map(lambda _: run(laptop.dial("gpu1", ACCEPT_NEW), sh("echo in")), range(5)))
    assert ended == [IN] * 5
    (line,) = laptop.known_hosts.read_text().splitlines()
    assert line.startswith("|1|")
    assert laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=yes").stdout == "in\n"
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


def test_a_hashed_name_is_recorded_once(tmp_path: Path, key: HostKey) -> None:
    unknown = Unknown("[gpu1]:2222", key, tmp_path / "known_hosts", hashed=True)
    assert (record(unknown), record(unknown)) == (None, None)
    assert len((tmp_path / "known_hosts").read_text().splitlines()) == 1


@pytest.mark.sshd
@pytest.mark.parametrize("ssh", [Ssh(), ACCEPT_NEW])
def test_a_key_that_cannot_be_kept_is_not_accepted_and_the_line_that_is_told_keeps_it(
    laptop: Laptop, start: Start, ssh: Ssh
) -> None:
    server, nowhere = start(), "UserKnownHostsFile /dev/null"
    laptop.host("gpu1", server, "StrictHostKeyChecking no", nowhere)
    failure = failed(run(laptop.dial("gpu1", ssh), sh("true")), FailureKind.HOST_KEY)
    assert failure.detail == "~/.ssh/config keeps no host keys, so every one is new."
    line = "UserKnownHostsFile ~/.ssh/known_hosts"
    assert failure.fix == f"set {line} for gpu1 in ~/.ssh/config, then {ours('trust')}"
    laptop.host("told", server, "StrictHostKeyChecking no", line.replace("~", str(laptop.home)))
    found = examine("told", Ssh(), laptop.config)
    assert isinstance(found, Unknown)
    assert record(found) is None
    assert (laptop.home / ".ssh/known_hosts").read_text() == server.known_hosts_line()
    assert run(laptop.dial("told", Ssh(host_keys=HostKeys.STRICT)), sh("echo in")) == IN


@pytest.mark.sshd
@pytest.mark.parametrize("word", ["accept-new", "no", "off"])
def test_an_unknown_key_is_recorded_where_the_ssh_config_says_so_and_a_changed_one_never(
    laptop: Laptop, start: Start, word: str
) -> None:
    server, impostor = start("127.0.0.2"), start("127.0.0.2")
    laptop.host("gpu1", server, f"StrictHostKeyChecking {word}")
    laptop.host("impostor", impostor, f"StrictHostKeyChecking {word}", "HostKeyAlias gpu1")
    laptop.host("strict", impostor, f"StrictHostKeyChecking {word}", "HostKeyAlias new")
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN
    assert laptop.known_hosts.read_text() == server.known_hosts_line()
    laptop.known_hosts.write_text(f"gpu1 {server.known_hosts_line().split(maxsplit=1)[1]}")
    failure = failed(run(laptop.dial("impostor"), sh("true")), FailureKind.HOST_KEY)
    assert failure.message.endswith("has changed")
    inventory = Ssh(host_keys=HostKeys.STRICT)
    assert (
        "is not known"
        in failed(run(laptop.dial("strict", inventory), sh("true")), FailureKind.HOST_KEY).message
    )


@pytest.mark.sshd
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_the_server_is_asked_only_for_what_the_ssh_config_takes(
    laptop: Laptop, start: Start, kind: str
) -> None:
    server = start(host_keys=("ed25519", "ecdsa", "rsa"))
    algorithm = {"rsa": "rsa-sha2-512", "ecdsa": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}[kind]
    laptop.host("gpu1", server, f"HostKeyAlgorithms {algorithm}")
    assert run(laptop.dial("gpu1", ACCEPT_NEW), sh("echo in")) == IN
    assert laptop.known_hosts.read_text() == server.known_hosts_line(kind)


def test_the_guard_lets_a_known_key_pass(hop: Settings, key: HostKey) -> None:
    hop.known_hosts[0].write_text(f"gpu1.example.com {key.type} {key.base64}\n")
    shown = paramiko.PKey.from_type_string(key.type, base64.b64decode(key.base64))
    HostKeyPolicy(hop, HostKeys.STRICT, monotonic() + 1).missing_host_key(paramiko.SSHClient(), "", shown)

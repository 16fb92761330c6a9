"""Keywords of ssh_config(5): none is dropped in silence."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestrator.model.cluster import Ssh
from orchestrator.remote.ssh.config import settings
from orchestrator.remote.ssh.keywords import CONDITIONAL, HONOURED, NAMED, WITHOUT_EFFECT
from orchestrator.remote.transport import FailureKind, Output
from tests.payload.serving.place import until
from tests.remote.conftest import Start
from tests.remote.sshd import Laptop, failed, keygen, run, sh

needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="there is no OpenSSH client here")

ONLY_WHEN_SET = """
BindAddress 127.0.0.1
BindInterface lo
CertificateFile /c
ControlPath /p
DynamicForward 1080
HostKeyAlias a
IdentityAgent /s
IgnoreUnknown x
KbdInteractiveDevices pam
KnownHostsCommand /k
LocalCommand true
LocalForward 8080 localhost:80
PKCS11Provider /l
PreferredAuthentications publickey
RemoteCommand true
RemoteForward 8080 localhost:80
RevokedHostKeys /r
SendEnv A
SetEnv A=b
"""


@needs_ssh
@pytest.mark.parametrize("proxy", ["ProxyCommand false", "ProxyJump b"])
def test_every_keyword_that_ssh_prints_is_honoured_or_without_effect_or_named(
    tmp_path: Path, proxy: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"{ONLY_WHEN_SET}{proxy}\n")
    argv = ["ssh", "-G", "-F", str(config), "gpu1"]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    keywords = {line.split()[0].lower() for line in printed.splitlines()}
    for keyword in keywords:
        parts = [keyword in part for part in (HONOURED, WITHOUT_EFFECT, CONDITIONAL, NAMED)]
        assert sum(parts) == 1, keyword
    missing = {line.split()[0].lower() for line in ONLY_WHEN_SET.split("\n") if line} - keywords
    assert missing <= {"pkcs11provider"}  # which not every ssh is built with


@needs_ssh
def test_nothing_that_ssh_has_by_itself_is_taken_for_a_choice(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.touch()
    found = settings("gpu1", Ssh(), config)
    assert (found.unknown, found.control_path) == ((), None)
    assert (found.ciphers, found.macs, found.kex, found.environment) == ((), (), (), ())


@pytest.mark.sshd
def test_a_refused_login_names_keywords_that_raycluster_does_not_know(start: Start, laptop: Laptop) -> None:
    server = start(authorized=(keygen(laptop.home / "other"),))
    laptop.host("gpu1", server, "HostbasedAuthentication yes")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    named = "The SSH config sets HostbasedAuthentication for it, which raycluster does not know."
    assert named in failure.detail.splitlines()


@pytest.mark.sshd
def test_a_keyword_that_cannot_be_the_reason_is_not_named(start: Start, laptop: Laptop) -> None:
    server = start()
    laptop.host("gpu1", server, "HostbasedAuthentication yes", "VerifyHostKeyDNS yes")
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert "VerifyHostKeyDNS" in failure.detail
    assert "HostbasedAuthentication" not in failure.detail


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a name that is short enough for sockets."""
    with TemporaryDirectory(prefix="cm") as folder:
        yield Path(folder)


@pytest.mark.sshd
def test_a_control_masters_connection_that_is_open_is_named_where_the_login_fails(
    start: Start, laptop: Laptop, sockets: Path
) -> None:
    server = start()
    laptop.host("gpu1", server, f"ControlPath {sockets}/%C")
    laptop.knows(server)
    argv = ["ssh", "-F", str(laptop.config), "-M", "-N", "gpu1"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as master:
        try:
            until("the master listens", lambda: list(sockets.iterdir()))
            (server.home / "authorized_keys").write_text("")
            failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
            (control,) = sockets.iterdir()
            assert f"`ssh` has a connection open ({control})" in failure.detail
        finally:
            master.terminate()
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert "connection open" not in failure.detail


@pytest.mark.sshd
@pytest.mark.parametrize("has_ticket", [True, False])
def test_kerberos_is_named_where_there_is_a_ticket(
    start: Start, laptop: Laptop, monkeypatch: pytest.MonkeyPatch, has_ticket: bool
) -> None:
    klist = laptop.home / "klist"
    klist.write_text(f'#!/bin/sh\n[ "$*" = -s ] && exit {0 if has_ticket else 1}\n')
    klist.chmod(0o755)
    monkeypatch.setenv("PATH", f"{laptop.home}:{os.environ['PATH']}")
    printed = subprocess.run(["ssh", "-G", "-F", "none", "h"], capture_output=True, text=True, check=True)
    if "gssapiauthentication" not in printed.stdout:
        pytest.skip("this ssh is built without GSSAPI")
    server = start(authorized=(keygen(laptop.home / "other"),))
    laptop.host("gpu1", server, "GSSAPIAuthentication yes")
    laptop.knows(server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.AUTH)
    assert ("your Kerberos ticket" in failure.detail) == has_ticket


@pytest.mark.sshd
def test_variables_that_the_config_sends_arrive_where_the_host_accepts_them(
    start: Start, laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start("127.0.0.2", "AcceptEnv DOCKER_HOST GPU_* LC_*")
    monkeypatch.setenv("GPU_RACK", "7")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    laptop.host(
        "gpu1", server, 'SetEnv "DOCKER_HOST=unix:///run/my docker.sock" HIDDEN=1', "SendEnv GPU_* LC_*"
    )
    laptop.knows(server)
    asked = sh('echo "$DOCKER_HOST|$GPU_RACK|$HIDDEN|$LC_ALL"')
    assert run(laptop.dial("gpu1"), asked) == Output(0, "unix:///run/my docker.sock|7||\n")

"""Certificates of hosts: an authority in known_hosts vouches for a host, as it does for the OpenSSH client."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.model.cluster import HostKeys, Ssh
from orchestrator.plan.typed import ours
from orchestrator.remote.ssh.certificate import certificate, public_key_in
from orchestrator.remote.ssh.host_keys import Known
from orchestrator.remote.ssh.keyscan import examine
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.remote.conftest import Start
from tests.remote.sshd import ME, Laptop, Sshd, certify, failed, fingerprint, keygen, public, run, sh

pytestmark = [pytest.mark.sshd, pytest.mark.slow]
IN = Output(0, "in\n")
ADDRESS = "127.0.0.2"
KINDS = ("rsa", "ecdsa", "ed25519")


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return keygen(tmp_path / "ca")


def certified(
    server: Sshd, ca: Path, principals: str = ADDRESS, *options: str, kind: str = "ed25519"
) -> Path:
    """Gives a host that runs a certificate."""
    server.stop()
    file = certify(ca, server.key(kind), principals, "-h", *options)
    with (server.home / "config").open("a") as config:
        config.write(f"HostCertificate {file}\n")
    server.start()
    return file


def trusts(laptop: Laptop, ca: Path, names: str = f"[{ADDRESS}]:*") -> None:
    with laptop.known_hosts.open("a") as file:
        file.write(f"@cert-authority {names} {public(ca)}\n")


def refused(laptop: Laptop, why: str, policy: HostKeys | None = None) -> Failure:
    """By us, in these words; and by `ssh`."""
    by_ssh = laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=yes")
    assert "Host key verification failed" in by_ssh.stderr
    failure = failed(run(laptop.dial("gpu1", Ssh(host_keys=policy)), sh("true")), FailureKind.HOST_KEY)
    assert why in failure.message
    assert ours("trust") not in failure.fix
    return failure


def gets_in(laptop: Laptop) -> None:
    """Both we and `ssh`."""
    assert laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=yes").stdout == "in\n"
    assert run(laptop.dial("gpu1"), sh("echo in")) == IN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("authority", KINDS)
def test_a_host_with_a_certificate_is_known(
    laptop: Laptop, start: Start, tmp_path: Path, kind: str, authority: str
) -> None:
    server = start(ADDRESS, host_keys=("ed25519", "ecdsa", "rsa"))
    ca = keygen(tmp_path / "authority", authority)
    certified(server, ca, kind=kind)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    gets_in(laptop)
    assert isinstance(examine("gpu1", Ssh(), laptop.config), Known)


@pytest.mark.parametrize("names", [ADDRESS, "127.0.0.*", "*", f"[{ADDRESS}]:*"])
def test_an_authority_is_for_the_names_that_ssh_takes_it_for(
    laptop: Laptop, start: Start, ca: Path, names: str
) -> None:
    server = start(ADDRESS)
    certified(server, ca, f"a,{ADDRESS},b")
    laptop.host("gpu1", server)
    trusts(laptop, ca, names)
    gets_in(laptop)


@pytest.mark.parametrize(
    ("principals", "said"), [("127.0.0.*", ""), ("", "shows a certificate for no name, and not")]
)
def test_names_of_a_certificate_are_patterns_and_none_is_for_no_host(
    laptop: Laptop, start: Start, ca: Path, principals: str, said: str
) -> None:
    """As in OpenSSH from 10.3 on; the one here may be older."""
    server = start(ADDRESS)
    certified(server, ca, principals)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    ended = run(laptop.dial("gpu1"), sh("echo in"))
    assert said in failed(ended, FailureKind.HOST_KEY).message if said else ended == IN


def test_a_certificate_is_for_the_alias_of_a_host(laptop: Laptop, start: Start, ca: Path) -> None:
    server = start(ADDRESS)
    certified(server, ca, "lab")
    laptop.host("gpu1", server, "HostKeyAlias Lab")
    trusts(laptop, ca, "lab")
    gets_in(laptop)


def test_a_host_without_a_certificate_is_refused_and_nobody_is_said_to_vouch_for_it(
    laptop: Laptop, start: Start, ca: Path
) -> None:
    server = start(ADDRESS)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    for policy in HostKeys:
        failure = refused(laptop, "shows no certificate", policy)
        assert failure.message == f"{ADDRESS}:{server.port} shows no certificate"
        assert failure.detail.splitlines() == [
            f"shown  ED25519 {fingerprint(server.key())}",
            f"{laptop.known_hosts}:1 has an authority for it, which does not vouch for this key.",
        ]
    assert isinstance(examine("gpu1", Ssh(), laptop.config), Failure)
    typed = f"ssh -o StrictHostKeyChecking=ask -p {server.port} {ME}@gpu1"
    assert failure.fix.endswith(typed)
    laptop.ssh("gpu1", "-o", "StrictHostKeyChecking=accept-new")  # as a yes to that question does
    gets_in(laptop)


@pytest.mark.parametrize(
    ("principals", "options", "why"),
    [
        (ADDRESS, ("-V", "20200101:20200102"), "shows a certificate that ended on 2020-01-02 00:00"),
        (
            ADDRESS,
            ("-V", "20990101:20990102"),
            "shows a certificate that holds only from 2099-01-01 00:00 on",
        ),
        ("gpu1,127.0.1.*", (), f"shows a certificate for gpu1, 127.0.1.*, and not for {ADDRESS}"),
        (
            ADDRESS,
            ("-O", "critical:only@example.com=here"),
            "shows a certificate on conditions that raycluster does not know: only@example.com",
        ),
    ],
)
def test_a_certificate_that_does_not_hold_is_refused_with_the_reason_and_a_new_one_is_taken(
    laptop: Laptop, start: Start, ca: Path, principals: str, options: tuple[str, ...], why: str
) -> None:
    server = start(ADDRESS)
    certified(server, ca, principals, *options)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    refused(laptop, why)
    refused(laptop, why, HostKeys.ACCEPT_NEW)
    certified(server, ca)
    gets_in(laptop)


def test_a_certificate_by_another_authority_is_refused(
    laptop: Laptop, start: Start, ca: Path, tmp_path: Path
) -> None:
    server, other = start(ADDRESS), keygen(tmp_path / "other")
    certified(server, other)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    refused(laptop, f"shows a certificate by another authority, ED25519 {fingerprint(other)}")


def test_a_certificate_for_a_user_does_not_make_a_host_known(laptop: Laptop, start: Start, ca: Path) -> None:
    server = start(ADDRESS)
    server.stop()
    certify(ca, server.key(), ADDRESS)
    (server.home / "config").open("a").write(f"HostCertificate {server.key()}-cert.pub\n")
    server.start()
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    refused(laptop, "shows ")


def test_a_signature_with_sha_1_does_not_hold(laptop: Laptop, start: Start, tmp_path: Path) -> None:
    server, ca = start(ADDRESS), keygen(tmp_path / "authority", "rsa")
    certified(server, ca, ADDRESS, "-t", "ssh-rsa")
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    refused(laptop, "shows a certificate that is signed with ssh-rsa")


def test_an_algorithm_that_the_ssh_config_does_not_take_from_authorities(
    laptop: Laptop, start: Start, ca: Path
) -> None:
    server = start(ADDRESS)
    certified(server, ca)
    laptop.host("gpu1", server, "CASignatureAlgorithms rsa-sha2-512")
    trusts(laptop, ca)
    refused(laptop, "shows a certificate that is signed with ssh-ed25519")


@pytest.mark.parametrize("revoked", ["authority", "host"])
def test_a_revoked_key_makes_a_certificate_worthless(
    laptop: Laptop, start: Start, ca: Path, revoked: str
) -> None:
    server = start(ADDRESS)
    certified(server, ca)
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    gets_in(laptop)
    with laptop.known_hosts.open("a") as file:
        file.write(f"@revoked * {public(ca if revoked == 'authority' else server.key())}\n")
    refused(laptop, f"is revoked ({laptop.known_hosts}:2)")


def test_a_key_on_file_is_enough_whatever_the_certificate(laptop: Laptop, start: Start, ca: Path) -> None:
    server = start(ADDRESS)
    certified(server, ca, "another")
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    laptop.knows(server)
    gets_in(laptop)


def test_a_host_with_a_certificate_that_no_file_asks_for_is_like_any_other(
    laptop: Laptop, start: Start, ca: Path
) -> None:
    server = start(ADDRESS)
    certified(server, ca)
    laptop.host("gpu1", server)
    failure = failed(run(laptop.dial("gpu1"), sh("true")), FailureKind.HOST_KEY)
    assert failure.fix == ours("trust")
    laptop.knows(server)
    gets_in(laptop)


def test_a_certificate_is_no_excuse_for_a_key_that_has_changed(
    laptop: Laptop, start: Start, ca: Path, tmp_path: Path
) -> None:
    server = start(ADDRESS)
    certified(server, ca, "another")
    laptop.host("gpu1", server)
    trusts(laptop, ca)
    key = public(keygen(tmp_path / "old")).split(maxsplit=2)[:2]
    with laptop.known_hosts.open("a") as file:
        file.write(f"[{ADDRESS}]:{server.port} {' '.join(key)}\n")
    refused(laptop, "has changed")


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("genuine")
    return public_key_in(certify(keygen(place / "ca"), keygen(place / "host"), "gpu1", "-h"))


def test_a_genuine_certificate_says_what_ssh_keygen_says_of_it(tmp_path: Path) -> None:
    for kind in KINDS:
        ca, key = keygen(tmp_path / f"ca{kind}", kind), keygen(tmp_path / kind, kind)
        file = certify(ca, key, "gpu1,gpu2", "-h", "-V", "20300101Z:20310101Z")
        found = certificate(public_key_in(file))
        assert found
        assert found.is_genuine
        assert (found.key, found.authority) == (
            public_key_in(Path(f"{key}.pub")),
            public_key_in(Path(f"{ca}.pub")),
        )
        assert found.principals == (b"gpu1", b"gpu2")
        assert (found.valid_after, found.valid_before) == (1893456000, 1924992000)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_certificate_can_be_changed(genuine: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(genuine) - 1))
    changed = bytearray(genuine)
    changed[at] ^= data.draw(st.integers(1, 255))
    found = certificate(bytes(changed))
    assert found is None or not found.is_genuine


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(end=st.integers(0, 10000), more=st.binary(max_size=3))
def test_no_certificate_can_be_cut_or_continued(genuine: bytes, end: int, more: bytes) -> None:
    changed = genuine[: end % len(genuine)] + more
    found = certificate(changed)
    assert found is None or not found.is_genuine or changed == genuine
    assert certificate(genuine + b"\0") is None

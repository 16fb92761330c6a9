"""Which keys are shown, and how often their files are read."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import paramiko
import pytest

from orchestrator.remote.ssh.auth import load, offers
from orchestrator.remote.ssh.config import Settings
from tests.remote.fakes import SOON
from tests.remote.sshd import keygen


def test_hosts_that_are_connected_to_at_once_load_a_key_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, loaded, together = keygen(tmp_path / "key"), list[Path](), Barrier(8)
    from_path = paramiko.PKey.from_path

    def counted(path: Path) -> paramiko.PKey:
        loaded.append(path)
        return from_path(path)

    monkeypatch.setattr(paramiko.PKey, "from_path", counted)

    def shown(_: int) -> object:
        together.wait(SOON)
        return load(key)

    with ThreadPoolExecutor(8) as pool:
        (offer,) = {*pool.map(shown, range(8))}
    assert (offer, loaded) == (load(key), [key])


def test_what_is_not_there_and_what_is_a_public_key_is_not_shown(tmp_path: Path) -> None:
    key = keygen(tmp_path / "key")
    files = (tmp_path / "none", key.with_name("key.pub"), key)
    assert [offer.file for offer in offers(Settings("gpu1", "gpu1", 22, "ana", files), ())] == [key]

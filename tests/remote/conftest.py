from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.remote.checking import Hosts
from tests.remote.sshd import SSHD, Laptop, Sshd

Start = Callable[..., Sshd]


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    laptop = Laptop(tmp_path / "laptop")
    yield laptop
    laptop.close()


@pytest.fixture
def start(tmp_path: Path, laptop: Laptop) -> Iterator[Start]:
    """Start a server that lets the laptop in, ended with the test."""
    if SSHD is None:
        pytest.skip("there is no OpenSSH server here (apt install openssh-server)")
    with ExitStack() as servers:

        def start(address: str = "127.0.0.2", *options: str, **given: object) -> Sshd:
            home = tmp_path / f"sshd-{len(list(tmp_path.iterdir()))}"
            given.setdefault("authorized", (laptop.key,))
            return servers.enter_context(Sshd(home, address, options=options, **given))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def server(start: Start, laptop: Laptop) -> Sshd:
    """One server, known to the laptop as gpu1."""
    server = start()
    laptop.host("gpu1", server)
    laptop.knows(server)
    return server


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    hosts = Hosts()
    yield hosts
    hosts.fake.check()

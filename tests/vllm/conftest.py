"""The lab, its hosts lent vLLM."""

from collections.abc import Iterator

import pytest

from tests.lab import image, lifecycle
from tests.lab.conftest import say, standing_lab
from tests.lab.host import VLLM
from tests.lab.lab import Lab
from tests.lab.processes import UnavailableError

from . import site

__all__ = ["say", "standing_lab"]


@pytest.fixture(scope="session")
def lab_with_vllm(standing_lab: Lab, say: lifecycle.Say) -> Lab:
    """A host sees what it was lent when it was powered on: one that stood before vLLM was there is booted again."""
    try:
        with image.alone():
            made = site.make(say)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    for host in standing_lab.hosts.values():
        if not host.was_lent({VLLM: made}):
            host.reboot()
        assert host.was_lent({VLLM: made}), f"{host.name} was lent another vLLM than {made}"
    return standing_lab


@pytest.fixture(scope="module")
def lab(lab_with_vllm: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for all tests of a module: each start of a model takes a minute."""
    yield (lab := lab_with_vllm.at(tmp_path_factory.mktemp("vllm")))
    lab.restore()

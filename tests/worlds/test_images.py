"""Images whose Ray and vLLM are not what `python3` and PATH lead to: said where they are, and what mends it."""

import pytest

from tests.lab import variants
from tests.lab.lab import Lab
from tests.lab.seeing import bad, brought_up, failed, findings, good, remedies, two_hosts, verdict
from tests.lab.variants import VENV_BY_LINK, VENV_BY_PROFILE, VENV_BY_WRAPPER, Variant

PATH = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def image(lab: Lab, request: pytest.FixtureRequest) -> str:
    return variants.make(lab, request.param)


def by(variant: Variant) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("image", [variant], ids=[variant.name], indirect=True)


@by(VENV_BY_PROFILE)
def test_a_ray_that_only_login_shells_find_is_found_by_check_and_by_up_and_the_remedy_mends_it(
    lab: Lab, image: str
) -> None:
    inventory = two_hosts(lab, image=image)
    text, fix = bad(lab, inventory, "gpu2", "ray")
    assert text == "ray is in /opt/venv/bin, which is not on PATH"
    assert f"PATH: {PATH}" in fix
    up = lab.raycluster("up", inventory)
    failed(up, "its container ended", "ray is in /opt/venv/bin, which is not on its PATH, ")
    assert any(f"PATH: {PATH}" in each for each in remedies(up)), up.stderr
    brought_up(lab, two_hosts(lab, image=image, env={"PATH": PATH}))


@by(VENV_BY_LINK)
def test_a_linked_rays_python_is_taken_and_told(lab: Lab, image: str) -> None:
    inventory = two_hosts(lab, image=image)
    found = findings(lab, inventory)
    assert good(found)
    texts = [each["text"] for each in found if each["host"] == "gpu2"]
    assert "Ray 2.60.0, Python 3.11.2" in texts
    assert "programs of raycluster run on /opt/venv/bin/python, not on /usr/bin/python3" in texts
    brought_up(lab, inventory)
    assert verdict(lab, inventory) == "healthy"


@by(VENV_BY_WRAPPER)
def test_a_ray_whose_python_cannot_be_told_is_said_at_once(lab: Lab, image: str) -> None:
    inventory = two_hosts(lab, image=image)
    text, fix = bad(lab, inventory, "gpu1", "ray")
    assert text == "`ray` is there, but /usr/bin/python3, which it seems to run on, has no Ray"
    assert "whose first line names the Python" in fix
    up = lab.raycluster("up", inventory, timeout=60)
    failed(up, text)
    assert any("whose first line names the Python" in each for each in remedies(up)), up.stderr
    brought_up(lab, two_hosts(lab, image=image, env={"PATH": PATH}))

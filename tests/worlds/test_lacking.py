"""Images that lack a program which ours need: named before anything is started."""

from tests.lab import variants
from tests.lab.lab import Lab
from tests.lab.seeing import containers, failed, two_hosts

FIX = (
    "the image has no bash, which its container begins with: put it in (FROM it, RUN apt-get install -y bash)"
)


def test_an_image_without_bash_is_named_and_nothing_of_it_is_left(lab: Lab) -> None:
    inventory = two_hosts(lab, image=variants.make(lab, variants.NO_BASH))
    failed(lab.raycluster("up", inventory), 'exec: "/bin/bash": stat /bin/bash: no such file', f"→ {FIX}")
    assert containers(lab) == {}

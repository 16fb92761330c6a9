"""Images on real hosts: pulled from a registry, compared, copied from one host to the others."""

from .lab import Lab
from .registry import registry, small_image
from .seeing import says_nothing_good

ALL = "all 3 hosts have"


def test_an_image_is_pulled_everywhere_and_proved_to_be_the_same(lab: Lab) -> None:
    name = f"{registry(lab)}/small:1"
    small_image(lab.hosts["gpu1"], name, "one", "two")
    lab.hosts["gpu1"].docker("push", name)
    inventory = lab.inventory(image=name, docker={"pull": "missing"})

    first = lab.raycluster("pull", inventory)
    assert first.returncode == 0, first.stderr
    assert f"{ALL} {name}, sha256:" in first.stdout
    assert "(new on gpu2, gpu3; " in first.stdout
    assert "gpu2: pull 192.0.2.1:5000/small:1: ok" in first.stderr

    lab.hosts["gpu3"].cut()
    small_image(lab.hosts["gpu1"], name, "three")
    lab.hosts["gpu1"].docker("push", name)
    second = lab.raycluster("pull", inventory)
    assert second.returncode == 1
    assert second.stdout == ""
    assert (
        f"✗ {name} is not known to be the same on all hosts: 1 host failed\n  gpu3  192.0.2.13:22"
        in second.stderr
    )

    lab.hosts["gpu3"].mend()
    never = lab.raycluster("pull", lab.inventory(image=name))
    assert never.returncode == 1
    assert says_nothing_good(never)
    assert f"✗ {name} is not the same on all hosts\n  gpu1, gpu2  sha256:" in never.stderr
    assert "  gpu3  sha256:" in never.stderr

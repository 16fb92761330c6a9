"""Images whose user is not root."""

from . import variants, worlds
from .lab import Lab
from .seeing import repaired, two_hosts

TOKEN = f"/home/{worlds.USER}/.raycluster/lab/gpu1.token"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_ray_reads_its_token_as_a_user_who_is_not_root_and_nobody_else_on_the_host_does(lab: Lab) -> None:
    worlds.enter(lab, worlds.SUDO)
    gpu1 = lab.hosts["gpu1"]
    inventory = two_hosts(lab, **worlds.ORDINARY, image=variants.make(lab, variants.OTHER_USER))
    repaired(lab, inventory)
    assert gpu1.docker("exec", "raycluster-lab-gpu1", "id", "-u") == str(variants.UID)
    assert gpu1.run(*NOBODY, "ls", f"/home/{worlds.USER}").returncode == 0
    assert "Permission denied" in gpu1.run(*NOBODY, "cat", TOKEN, check=False).stderr

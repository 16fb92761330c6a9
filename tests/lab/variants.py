"""Images of other kinds, each made of the lab's own by a script that runs in it."""

import hashlib
from dataclasses import dataclass
from functools import partial

from .host import Host
from .lab import Lab

UID = 2000
SITE = "/usr/local/lib/python3.11/dist-packages"
IN_VENV = rf"""
mkdir -p /opt/venv/bin /opt/venv/lib/python3.11
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n' >/opt/venv/pyvenv.cfg
ln -s /usr/bin/python3 /opt/venv/bin/python
ln -s python /opt/venv/bin/python3
mv {SITE} /opt/venv/lib/python3.11/site-packages
mkdir {SITE}
sed '1s|.*|#!/opt/venv/bin/python|' /usr/local/bin/ray >/opt/venv/bin/ray
chmod +x /opt/venv/bin/ray
rm /usr/local/bin/ray
"""
"""Ray, moved into a venv; Debian's python3 has none then."""


@dataclass(frozen=True)
class Variant:
    """What is done to the lab's image, and what `docker commit` changes of its settings."""

    name: str
    script: str
    changes: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Another one for another recipe: a host that has it need not make it again."""
        digest = hashlib.sha256(repr((self.script, self.changes)).encode()).hexdigest()
        return f"raylab:{self.name}-{digest[:8]}"


OTHER_USER = Variant(
    "user",
    f"useradd --uid {UID} --gid 0 --create-home vllm",
    (f"USER {UID}", "ENV HOME=/home/vllm"),
)
"""As llm-d's: its user is not root, and in root's group."""

FEW_TOOLS = Variant("few-tools", "rm -f $(command -v ip ss ps top free pgrep pkill)")
"""Without iproute2 and procps, as slim images are."""
NO_BASH = Variant("no-bash", "rm /bin/bash")


VENV_BY_PROFILE = Variant(
    "venv-by-profile", IN_VENV + "echo 'PATH=/opt/venv/bin:$PATH' >/etc/profile.d/venv.sh\n"
)
"""Only a login shell has it on its PATH."""
VENV_BY_LINK = Variant("venv-by-link", IN_VENV + "ln -s /opt/venv/bin/ray /usr/local/bin/ray\n")
VENV_BY_WRAPPER = Variant(
    "venv-by-wrapper",
    IN_VENV + "printf '#!/bin/sh\\nexec /opt/venv/bin/ray \"$@\"\\n' >/usr/local/bin/ray\n"
    "chmod +x /usr/local/bin/ray\n",
)
"""Which Python it is cannot be told from `ray`."""


SETS_UP = r"""
cat >/setup.sh <<'END'
#!/bin/bash
echo "Welcome to the accelerator's image"
export ACCEL_HOME=/opt/accel "ACCEL_NOTE=a b
c" LD_LIBRARY_PATH=/opt/accel/lib
exec "$@"
END
chmod +x /setup.sh
printf '%s\n' 'export ACCEL_HOME=/opt/accel "ACCEL_NOTE=a b' 'c" LD_LIBRARY_PATH=/opt/accel/lib' >/setvars.sh
"""
ENTRYPOINT = Variant("entrypoint", SETS_UP, ('ENTRYPOINT ["/setup.sh"]',))
"""Sets a device's libraries up and runs what it is given, as the images of Intel and NVIDIA (NGC) do."""
SERVES_ITSELF = Variant("serves", "", ('ENTRYPOINT ["vllm", "serve"]',))


def make(lab: Lab, variant: Variant) -> str:
    """The variant's tag, once all hosts have it."""
    lab.on_each(partial(_make, variant=variant))
    return variant.tag


def _make(host: Host, variant: Variant) -> None:
    if not host.docker("images", "--quiet", variant.tag):
        host.variant(variant.tag, variant.script, changes=variant.changes)

"""Faults between the laptop and a host's shell: host keys, logins, servers that hang, connections that drop."""

from pathlib import Path

from . import faults
from .lab import Lab
from .processes import wait_until
from .seeing import Answer, failed, finished, has_started, health, remedies, repaired, two_hosts

SSH = Path("/root/.ssh")  # of the laptop, to OpenSSH, which goes by the user database and not by $HOME


def is_asked(lab: Lab, inventory: object) -> None:
    """Every host answers again: `down` finds that there is nothing to take down."""
    down = lab.raycluster("down", str(inventory))
    assert down.returncode == 0, down.stderr
    assert "is down already" in down.stdout


def done_as_told(lab: Lab, answer: Answer, prefix: str) -> None:
    """The one remedy, typed as it was shown; `prefix` is prose before the command."""
    (remedy,) = remedies(answer)
    assert remedy.startswith(prefix)
    done = lab.laptop(["sh", "-c", remedy.removeprefix(prefix)])
    assert done.returncode == 0, done.stderr


def forget(lab: Lab, host: str) -> None:
    lab.laptop(["ssh-keygen", "-q", "-R", lab.hosts[host].address])


def test_a_host_whose_key_has_changed_until_the_old_one_is_removed_and_the_new_one_trusted(lab: Lab) -> None:
    faults.renew_host_key(lab.hosts["gpu2"])
    inventory = two_hosts(lab)
    down = lab.raycluster("down", inventory)
    failed(
        down,
        "1 host failed",
        "gpu2  the host key of 192.0.2.12:22 has changed",
        "| shown    ED25519 SHA256:",
        "| on file  ED25519 SHA256:",
        "→ if the change is right: ssh-keygen -R 192.0.2.12",
    )
    assert "| shown    ED25519 SHA256:" in lab.raycluster("status", inventory).stdout
    done_as_told(lab, down, "if the change is right: ")
    down = lab.raycluster("down", inventory)
    failed(
        down, "gpu2  the host key of 192.0.2.12:22 is not known: ED25519 SHA256:", "→ raycluster trust -i "
    )
    assert lab.raycluster("trust", inventory, input="y\n").returncode == 0
    is_asked(lab, inventory)


def test_a_jump_host_whose_key_is_not_known_until_it_is_trusted(lab: Lab) -> None:
    inventory = lab.inventory(head={**lab.hosts["gpu2"].entry, "ssh": {"jump": "192.0.2.11"}}, workers=[])
    forget(lab, "gpu1")
    failed(
        lab.raycluster("up", inventory),
        "gpu2  the host key of 192.0.2.11:22 is not known: ED25519 SHA256:",
        "| It is a jump host on the way to 192.0.2.12:22.",
        "→ raycluster trust -i ",
    )
    assert lab.raycluster("trust", inventory, input="y\n").returncode == 0
    is_asked(lab, inventory)


def test_a_jump_host_whose_key_has_changed(lab: Lab) -> None:
    inventory = lab.inventory(head={**lab.hosts["gpu2"].entry, "ssh": {"jump": "192.0.2.11"}}, workers=[])
    faults.renew_host_key(lab.hosts["gpu1"])
    up = lab.raycluster("up", inventory)
    failed(
        up,
        "gpu2  the host key of 192.0.2.11:22 has changed",
        "| It is a jump host on the way to 192.0.2.12:22.",
        "| shown    ED25519 SHA256:",
    )
    done_as_told(lab, up, "if the change is right: ")
    assert lab.raycluster("trust", inventory, input="y\n").returncode == 0
    is_asked(lab, inventory)


def test_a_key_that_a_host_refuses(lab: Lab) -> None:
    lab.hosts["gpu1"].authorize(lab.hosts["gpu3"].public_key)
    inventory = two_hosts(lab)
    key = SSH / "id_ed25519"
    failed(
        lab.raycluster("up", inventory),
        "its head failed",
        "gpu1  root@192.0.2.11:22 refuses every key",
        f"| {key}: refused",
        "| root is the user here. Is it another there? ssh: {user: NAME}",
        f"→ ssh-copy-id -i {key} -p 22 root@192.0.2.11",
        "Nothing was started.",
    )
    assert health(lab, inventory)["hosts"]["gpu1"]["detail"].startswith(f"{key}: refused\n")
    lab.hosts["gpu1"].authorize(lab.desk.public_key)
    is_asked(lab, inventory)


def test_a_key_with_a_passphrase_until_an_agent_has_it(lab: Lab) -> None:
    key, socket, says = SSH / "id_ed25519", lab.home / "agent", lab.home / "says"
    lab.laptop(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", key])
    inventory = two_hosts(lab)
    lab.laptop_popen(["ssh-agent", "-D", "-a", socket])
    wait_until("the agent listens", socket.exists)
    says.write_text("#!/bin/sh\necho a passphrase\n")
    says.chmod(0o700)
    asking = {"SSH_AUTH_SOCK": str(socket), "SSH_ASKPASS": str(says), "SSH_ASKPASS_REQUIRE": "force"}
    down = lab.raycluster("down", inventory, env=asking)
    failed(
        down,
        "2 hosts failed",
        "gpu1  no key to offer to root@192.0.2.11:22",
        f"| {key}: needs its passphrase",
        f"→ ssh-add {key}",
    )
    added = lab.laptop(["sh", "-c", remedies(down)[0]], env=asking)
    assert added.returncode == 0, added.stderr
    again = lab.raycluster("down", inventory, env=asking)
    assert again.returncode == 0, again.stderr


def test_no_key_at_all_because_the_agent_is_not_there(lab: Lab) -> None:
    (lab.home / ".ssh/id_ed25519").unlink()
    config = lab.home / ".ssh/config"
    config.write_text(f"IdentityAgent /nowhere/agent\n{config.read_text()}")
    failed(
        lab.raycluster("down", two_hosts(lab)),
        "gpu2  no key to offer to root@192.0.2.12:22",
        "| the agent at /nowhere/agent: cannot be asked: No such file or directory",
        "→ start the agent",
    )


def test_an_ssh_server_that_takes_calls_and_says_nothing(lab: Lab) -> None:
    faults.hang(lab.hosts["gpu1"], "sshd")
    inventory = two_hosts(lab, ssh={"connect_timeout": 2})
    failed(
        lab.raycluster("up", inventory, timeout=20),
        "its head failed",
        "gpu1  192.0.2.11:22 accepts connections, but says nothing",
        "→ is its sshd stuck, or the host? try: ssh -p 22 root@192.0.2.11",
        "Nothing was started.",
    )
    faults.resume(lab.hosts["gpu1"], "sshd")
    is_asked(lab, inventory)


def test_a_connection_that_drops_while_a_workers_container_is_started(lab: Lab) -> None:
    inventory = two_hosts(lab, engine="mp")
    up = lab.raycluster_popen("up", inventory)
    lab.hosts["gpu2"].catch("^docker run .*raycluster-lab-gpu2 ")
    faults.drop_connections(lab.hosts["gpu2"])
    failed(
        finished(up),
        "1 of 2 hosts failed",
        "gpu2  start its container: the connection to 192.0.2.12:22 was lost",
        "→ ",
        "The other hosts stay as they are",
    )
    repaired(lab, inventory)


def test_a_connection_to_the_head_that_drops_while_workers_join(lab: Lab) -> None:
    inventory = two_hosts(lab)
    up = lab.raycluster_popen("up", inventory)
    has_started(lab.hosts["gpu2"])
    faults.drop_connections(lab.hosts["gpu1"])
    failed(finished(up), "the connection to 192.0.2.11:22 was lost", "What it had started was left there")
    repaired(lab, inventory)


def test_a_jump_host_that_forbids_forwarding(lab: Lab) -> None:
    inventory = lab.inventory(head={**lab.hosts["gpu2"].entry, "ssh": {"jump": "192.0.2.11"}}, workers=[])
    with faults.sshd_says(lab.hosts["gpu1"], "AllowTcpForwarding no"):
        failed(
            lab.raycluster("up", inventory),
            "gpu2  192.0.2.12:22 cannot be reached from 192.0.2.11:22: its sshd forbids to forward connections there",
            "AllowTcpForwarding, PermitOpen",
            "ProxyCommand ssh -p 22 root@192.0.2.11 nc %h %p",
        )
    is_asked(lab, inventory)


def test_a_proxy_command_that_fails_and_one_that_is_slow(lab: Lab) -> None:
    config = lab.home / ".ssh/config"
    usual, program = config.read_text(), lab.home / "proxy"
    config.write_text(f"Host 192.0.2.12\nProxyCommand {program} %h %p\nHost *\n{usual}")
    program.write_text("#!/bin/sh\necho 'An error occurred (ExpiredTokenException)' >&2\nexit 254\n")
    program.chmod(0o755)
    inventory = two_hosts(lab, ssh={"connect_timeout": 2})
    failed(
        lab.raycluster("down", inventory),
        "gpu2  192.0.2.12:22 cannot be reached: its ProxyCommand ended with exit code 254: An error occurred",
        f"| ProxyCommand {program} 192.0.2.12 22",
    )
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    failed(
        lab.raycluster("down", inventory),
        "gpu2  192.0.2.12:22 is not reached: its ProxyCommand has not answered in 2 s",
        "→ give it longer: ssh.connect_timeout, such as 4, or ConnectTimeout in ~/.ssh/config",
    )
    config.write_text(usual)
    is_asked(lab, inventory)


def test_an_ssh_server_with_no_algorithm_of_ours(lab: Lab) -> None:
    gpu2, inventory = lab.hosts["gpu2"], two_hosts(lab)
    with faults.sshd_says(gpu2, "KexAlgorithms sntrup761x25519-sha512@openssh.com"):
        down = lab.raycluster("down", inventory)
        failed(
            down,
            "gpu2  192.0.2.12:22 has no key exchange that raycluster knows, only sntrup761x25519-sha512@openssh.com",
        )
    (remedy,) = remedies(down)
    with faults.sshd_says(gpu2, remedy.removeprefix("let its sshd_config say: ")):
        is_asked(lab, inventory)


def test_a_host_whose_firewall_lets_in_the_address_that_the_ssh_config_names(lab: Lab) -> None:
    gpu2, inventory, config = lab.hosts["gpu2"], two_hosts(lab), lab.home / ".ssh/config"
    usual = config.read_text()
    rule = ("INPUT", "-p", "tcp", "--dport", "22", "!", "-s", "192.0.2.77", "-j", "REJECT")
    lab.laptop(["ip", "address", "add", "192.0.2.77/24", "dev", "eth0"])
    gpu2.run("iptables", "-I", *rule)
    try:
        failed(lab.raycluster("down", inventory), "gpu2  192.0.2.12:22 refuses connections")
        config.write_text(f"Host 192.0.2.12\nBindAddress 192.0.2.77\nHost *\n{usual}")
        is_asked(lab, inventory)
    finally:
        gpu2.run("iptables", "-D", *rule)
        lab.laptop(["ip", "address", "delete", "192.0.2.77/24", "dev", "eth0"])

"""What is made of Fabric."""

from orchestrator.remote.ssh.paramiko_setup import connections


def test_all_connections_share_one_configuration_and_what_is_set_on_one_is_no_part_of_it() -> None:
    one, other = connections()("gpu1", inline_ssh_env=False), connections()("gpu2")
    assert one.config is other.config
    assert (one.inline_ssh_env, one.config.inline_ssh_env, other.inline_ssh_env) == (False, True, True)

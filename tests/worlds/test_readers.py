"""Pipes whose reader has enough before the end, on a real cluster: what acts goes on to its end all the same."""

from tests.lab.lab import Lab
from tests.lab.seeing import containers, two_hosts, verdict


def test_a_reader_that_has_enough_neither_stops_a_cluster_that_comes_up_nor_one_that_goes_down(
    lab: Lab,
) -> None:
    inventory = two_hosts(lab)
    for words, both, then in (
        (("up", inventory), "", "healthy"),
        (("restart", "-i", inventory, "gpu2"), "2>&1", "healthy"),
        (("down", inventory), "2>&1", "down"),
    ):
        argv, env = lab.raycluster_command(*words)
        line = f'"$@" {both} | head -1; echo ${{PIPESTATUS[0]}}'
        ran = lab.laptop(["bash", "-c", line, "bash", *argv], env=env)
        assert ran.stdout.splitlines()[1:] == ["0"]
        assert "Broken" not in ran.stderr
        assert verdict(lab, inventory) == then
    assert not any(containers(lab).values())

"""`raycluster init` on real hosts: what it writes is what `config check` and `check` accept."""

from .image import TAG
from .lab import Lab
from .terminal import terminal


def test_machines_named_on_the_command_line_become_an_inventory_that_every_check_accepts(lab: Lab) -> None:
    init = lab.raycluster("init", "gpu1", "root@gpu[2-3]:22", "--image", TAG)
    assert init.returncode == 0, init.stderr
    assert "inventory.yaml is written." in init.stdout
    assert lab.raycluster("config", "check").stdout.endswith("good: cluster demo, 1 head and 2 workers\n")
    shown = lab.raycluster("config", "show").stdout
    for host in lab.hosts.values():
        assert host.address in shown
    check = lab.raycluster("check")
    assert check.returncode == 0, check.stdout
    assert "0 failures" in check.stdout


def test_a_person_is_asked_until_the_answers_make_sense_and_host_keys_are_trusted_on_the_way(
    lab: Lab,
) -> None:
    lab.laptop(["ssh-keygen", "-q", "-R", lab.hosts["gpu2"].address])
    with terminal(lab, columns=80) as person:
        person.type("raycluster init")
        for question, answer in (
            ("Machines:", "gpu1 gpu2:ssh"),
            ('"gpu2:ssh": should be [user@]host[:port]', "gpu1, gpu2"),
            ("Name of the cluster [demo]:", "My Cluster"),
            ("should be lower-case letters", "team"),
            ("Docker image [", TAG),
            ("Record 1 key in known_hosts? [y/N]", "y"),
        ):
            person.wait_for(question)
            person.type(answer)
        person.wait_for_prompt()
        assert "inventory.yaml is written. Read it, then: raycluster check" in person.seen
        assert "good: cluster team, 1 head and 1 worker" in person.run("clear; raycluster config check")
        person.type("clear; raycluster init gpu1")
        person.wait_for("inventory.yaml is there already. Replace it? [y/N]")
        person.press("Enter")
        person.wait_for_prompt()
        assert "cluster: team" in (lab.folder / "inventory.yaml").read_text()


def test_with_a_machine_down_nothing_is_written_and_each_that_does_not_answer_is_named(lab: Lab) -> None:
    lab.hosts["gpu2"].cut()
    init = lab.raycluster("init", "gpu1", "gpu2", "gpu-four")
    assert (init.returncode, init.stdout) == (1, "")
    assert "✗ gpu2  192.0.2.12:22 " in init.stderr
    assert "✗ gpu-four  gpu-four:22 cannot be looked up" in init.stderr
    again = "Once gpu2, gpu-four answer, try again; without gpu2, gpu-four: raycluster init gpu1\n"
    assert f"Nothing was written. {again}" in init.stderr
    assert not (lab.folder / "inventory.yaml").exists()


def test_a_machine_without_docker_is_written_down_and_told(lab: Lab) -> None:
    lab.hosts["gpu2"].stop_docker()
    init = lab.raycluster("init", "gpu1", "gpu2", "-i", "two.yaml")
    assert init.returncode == 0, init.stderr
    assert "! gpu2  Docker does not answer: " in init.stderr
    assert "→ on gpu2: sudo systemctl start docker" in init.stderr
    assert "two.yaml is written. Read it, then: raycluster check -i two.yaml" in init.stdout


def test_one_machine_under_two_names_is_not_taken_for_two(lab: Lab) -> None:
    init = lab.raycluster("init", "gpu1", lab.hosts["gpu1"].address)
    assert init.returncode == 1
    assert "gpu1 and 192.0.2.11 are one machine: both have 192.0.2.11 on eth0" in init.stderr

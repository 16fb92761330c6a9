"""Commands of one's own on real hosts, and a shell there. gpu1 and gpu2 have containers, gpu3 has none."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab
from .processes import wait_until
from .seeing import Answer, finished, stands, two_hosts
from .terminal import terminal


@pytest.fixture
def cluster(lab_with_cluster: Lab) -> Iterator[Lab]:
    """Containers on gpu1 and gpu2, without Ray; and an inventory of three hosts."""
    lab = lab_with_cluster
    stands(lab, two_hosts(lab, engine="mp"))
    inventory(lab)
    yield lab
    lab.end_commands()
    lab.mend()


def inventory(lab: Lab, **ssh: Any) -> Path:
    return lab.inventory(engine="mp", ssh=ssh or None)


def executed(lab: Lab, *words: str | Path) -> Answer:
    return lab.raycluster("exec", "-i", inventory(lab, connect_timeout=3), *words)


def piped(lab: Lab, script: str) -> Answer:
    """A line of a shell on the laptop, in which `raycluster exec` is $exec."""
    program = f"{shlex.quote(sys.executable)} -m orchestrator exec -i {inventory(lab)}"
    _, env = lab.raycluster_command()
    return lab.laptop(["bash", "-c", f"set -o pipefail; exec={shlex.quote(program)}; {script}"], env=env)


def test_what_hosts_say_alike_is_shown_once_and_what_one_says_apart(cluster: Lab) -> None:
    alike = executed(cluster, "-l", "gpu1,gpu2", "--", "sh", "-c", "echo one; echo $HOME")
    assert (alike.returncode, alike.stdout, alike.stderr) == (0, "==> gpu1, gpu2 <==\none\n/root\n", "")
    script = 'hostname; [ "$(hostname)" = gpu1 ] || { echo "not here" >&2; exit 3; }'
    apart = executed(cluster, "-l", "gpu[12]", "--", "sh", "-c", script)
    assert (apart.returncode, apart.stdout) == (3, "==> gpu1 <==\ngpu1\n==> gpu2: exit code 3 <==\ngpu2\n")
    assert apart.stderr == "==> gpu2: standard error <==\nnot here\n✗ gpu2  exit code 3\n"


def test_a_host_that_is_down_and_one_without_a_container_are_named_and_the_others_shown(cluster: Lab) -> None:
    cluster.hosts["gpu2"].cut()
    some = executed(cluster, "--", "echo", "here")
    cluster.hosts["gpu2"].mend()
    assert (some.returncode, some.stdout) == (255, "==> gpu1 <==\nhere\n")
    assert "✗ gpu2  192.0.2.12:22 does not answer\n" in some.stderr
    assert "✗ gpu3  no container of this cluster is there\n      → raycluster up -i " in some.stderr


def test_one_host_alone_reads_standard_input_and_answers_byte_for_byte(cluster: Lab) -> None:
    round_trip = "head -c 3000000 /dev/urandom >sent && $exec -l gpu2 -- cat <sent >back && cmp sent back"
    assert piped(cluster, round_trip).returncode == 0
    archive = "mkdir got && $exec -l head -- tar c -C /etc hostname os-release | tar x -C got && ls got"
    assert piped(cluster, archive).stdout == "hostname\nos-release\n"
    heard_enough = piped(cluster, "$exec -l gpu2 -- yes | head -n 1")
    assert (heard_enough.stdout, heard_enough.stderr) == ("y\n", "")
    assert not cluster.hosts["gpu2"].runs("^yes$")
    several = piped(cluster, "echo something | $exec -l gpu1,gpu2 -- cat")
    assert (several.returncode, several.stdout) == (0, "==> gpu1, gpu2 <==\n")
    assert "standard input was not read" in several.stderr


def test_words_arrive_as_they_are_and_the_exit_code_comes_back(cluster: Lab) -> None:
    words = ("a b", "$HOME", "it's", '"', "*", "", "-x", "A=b", "\\")
    show = ("sh", "-c", 'printf "<%s>" "$@" "${VLLM_HOST_IP:-outside}"; exit 7', "show", *words)
    arrived = "".join(f"<{word}>" for word in words)
    inside = executed(cluster, "-l", "gpu2", "--", *show)
    assert (inside.returncode, inside.stdout, inside.stderr) == (7, f"{arrived}<192.0.2.12>", "")
    outside = executed(cluster, "-l", "gpu3", "--on-host", "--", *show)
    assert (outside.returncode, outside.stdout, outside.stderr) == (7, f"{arrived}<outside>", "")


def test_a_program_that_is_not_there(cluster: Lab) -> None:
    inside = executed(cluster, "-l", "gpu2", "--", "echo one | cat")
    assert inside.returncode in {126, 127}  # which of them, depends on the Docker there
    with_one = f"raycluster exec -i {inventory(cluster)} -- bash -c 'echo one | cat'"
    assert f"→ this ran without a shell. With one: {with_one}" in inside.stderr
    outside = executed(cluster, "-l", "gpu2", "--on-host", "--", "none-such")
    assert outside.returncode == 127
    assert "none-such: not found" in outside.stderr


def under_way(lab: Lab) -> bool:
    return all(lab.hosts[host].runs("^sleep 31337") for host in ("gpu1", "gpu2"))


def about_to_start(lab: Lab) -> bool:
    lab.hosts["gpu2"].catch("^docker exec .*31337")
    return True


@pytest.mark.parametrize(
    ("options", "script", "reached"),
    [
        (("--on-host",), "sleep 31337 & sleep 31337", under_way),
        ((), "trap '' TERM; sleep 31337 & sleep 31337; sleep 31337", under_way),
        ((), "sleep 31337 & sleep 31337", about_to_start),
    ],
    ids=["on the host", "deaf to a first request", "before it has begun"],
)
def test_ctrl_c_leaves_nothing_of_the_command_on_the_hosts(
    options: tuple[str, ...], script: str, reached: Callable[[Lab], bool], cluster: Lab
) -> None:
    hosts = ("-i", inventory(cluster), "-l", "gpu1,gpu2")
    running = cluster.raycluster_popen("exec", *hosts, *options, "--", "sh", "-c", script)
    wait_until("that far", lambda: reached(cluster))
    running.send_signal(signal.SIGINT)
    ended = finished(running, 30)
    assert ended.returncode == 130
    assert "gpu2  interrupted, and ended there\n" in ended.stderr
    assert not any(host.runs("31337") for host in cluster.hosts.values())


@pytest.mark.long
def test_a_host_behind_a_jump_host_whose_cable_is_cut_is_missed_though_the_jump_host_still_answers(
    cluster: Lab,
) -> None:
    """Of the wire to such a host TCP here knows nothing: the host is asked, and has 45 s to say something."""
    path = inventory(cluster, jump="root@192.0.2.11")
    running = cluster.raycluster_popen("exec", "-i", path, "-l", "gpu2", "--on-host", "--", "sleep", "31337")
    wait_until("it sleeps", lambda: cluster.hosts["gpu2"].runs("^sleep 31337"))
    cluster.hosts["gpu2"].cut()
    ended = finished(running, 60)
    assert ended.returncode == 255
    assert "gpu2  the connection to 192.0.2.12:22 was lost\n" in ended.stderr


def test_a_shell_in_the_container_follows_the_window_and_passes_its_exit_code_on(cluster: Lab) -> None:
    with terminal(cluster, columns=90, rows=30) as desk:
        desk.type("raycluster shell gpu2")
        desk.wait_for("root@gpu2")
        desk.type("echo $VLLM_HOST_IP $TERM $0 $(stty size)")
        desk.wait_for("192.0.2.12 tmux-256color bash 30 90")
        desk.resize(120, 40)
        desk.type("""until [ "$(stty size)" = "40 120" ]; do :; done; echo resi''zed""")
        desk.wait_for("resized")
        desk.type("sleep 31337")
        wait_until("it sleeps", lambda: cluster.hosts["gpu2"].runs("^sleep 31337"))
        desk.press("C-c")
        desk.type("exit 7")
        desk.wait_for_prompt()
        assert "code 7" in desk.run("echo code $?")


def test_a_shell_behind_a_jump_host_takes_the_inventorys_key_there_too(cluster: Lab) -> None:
    inventory(cluster, key="~/.ssh/mine", jump="root@192.0.2.12:22")
    with terminal(cluster) as desk:
        desk.run("mv ~/.ssh/id_ed25519 ~/.ssh/mine")
        desk.type("raycluster shell --on-host gpu3")
        desk.wait_for("root@gpu3")
        desk.type("echo from ${SSH_CLIENT%% *}; exit 5")
        desk.wait_for_prompt()
        assert "from 192.0.2.12\n" in desk.run("mv ~/.ssh/mine ~/.ssh/id_ed25519")


def test_a_shell_on_the_host_and_one_where_no_container_runs(cluster: Lab) -> None:
    with terminal(cluster) as desk:
        desk.type("raycluster shell --on-host gpu3")
        desk.wait_for("root@gpu3")
        desk.type("echo ${VLLM_HOST_IP:-outside}; exit 5")
        desk.wait_for_prompt()
        assert "code 5" in desk.run("echo code $?")
        desk.clear()
        seen = desk.run("raycluster shell gpu3")
        assert "no container of cluster lab runs here; to start one: raycluster up" in seen
        assert "code 125" in desk.run("echo code $?")

"""Lines to type, as they come out for who has called the program and for whom they are."""

from orchestrator.plan.typed import Caller, add, change, has_line, host_command, ours, shown, there

HOSTS = {"gpu1": False, "gpu2": False, "gpu3": False}
CALLER = Caller("m/ok.yaml", HOSTS)
USUAL = Caller("", HOSTS)


def test_a_line_of_ours_names_the_inventory_as_it_was_given() -> None:
    assert shown(ours("up", "--prune"), (), CALLER) == "raycluster up -i m/ok.yaml --prune"
    assert shown(ours("serve status"), (), CALLER) == "raycluster serve status -i m/ok.yaml"


def test_the_usual_inventory_needs_no_name() -> None:
    assert shown(ours("up"), ("gpu2",), USUAL) == "raycluster up"


def test_a_name_that_a_shell_would_take_apart_is_quoted() -> None:
    line = shown(ours("down"), (), Caller("my clusters/it's.yaml", HOSTS))
    assert line == """raycluster down -i 'my clusters/it'"'"'s.yaml'"""


def test_among_words_a_line_stands_in_quotes() -> None:
    text = f"try {ours('down')}, then {ours('up')}"
    assert shown(text, (), USUAL) == "try `raycluster down`, then `raycluster up`"


def test_a_limited_line_names_its_hosts_unless_they_are_all() -> None:
    line = ours("restart", limit=True)
    assert shown(line, ("gpu2", "gpu3"), CALLER) == "raycluster restart -i m/ok.yaml -l gpu2,gpu3"
    assert shown(line, tuple(HOSTS), CALLER) == "raycluster restart -i m/ok.yaml"


def test_what_a_host_can_be_told_from_here_goes_by_exec() -> None:
    line = host_command("mkdir", "-p", "/data/my models")
    typed = "raycluster exec -i m/ok.yaml -l gpu2 --on-host -- mkdir -p '/data/my models'"
    assert shown(line, ("gpu2",), CALLER) == typed
    assert shown(f"first: {line}", ("gpu2",), CALLER) == f"first: `{typed}`"


def test_a_host_that_no_inventory_has_is_named_with_its_line() -> None:
    assert shown(host_command("mkdir", "/x"), ("gpu9",), CALLER) == "on gpu9: mkdir /x"
    assert shown(host_command("mkdir", "/x"), ("gpu9",), Caller()) == "on gpu9: mkdir /x"


def test_a_line_for_a_shell_there_says_where() -> None:
    line = there("sudo systemctl start docker")
    assert shown(line, ("gpu2", "gpu3"), CALLER) == "on gpu2, gpu3: sudo systemctl start docker"
    assert shown(f"or {line}", ("gpu2",), CALLER) == "or on gpu2: `sudo systemctl start docker`"


def test_this_very_machine_needs_no_name() -> None:
    here = Caller("", {"local": True})
    assert shown(there("sudo systemctl start docker"), ("local",), here) == "sudo systemctl start docker"
    assert shown(host_command("mkdir", "/x"), ("local",), here) == "mkdir /x"


def test_marks_survive_formatting() -> None:
    line = ours("serve", "MODEL", "--", "--max-model-len", "{fits}")
    assert shown(line.format(fits=4096), (), USUAL) == "raycluster serve MODEL -- --max-model-len 4096"


def test_words_of_others_are_no_lines() -> None:
    assert shown("\x02up\x03 \x02nonsense\x1fup\x03", (), USUAL) == "\x02up\x03 \x02nonsense\x1fup\x03"
    assert not has_line("`raycluster up`")


def test_without_a_file_a_change_of_the_inventory_is_told_whole() -> None:
    assert (
        shown(change("docker.pull", "missing"), (), USUAL)
        == "in the inventory, write `docker: {pull: missing}`"
    )
    assert (
        shown(add("docker.args", "--x", "y"), (), USUAL)
        == "in the inventory, write `docker: {args: [--x, y]}`"
    )

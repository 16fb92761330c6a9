"""The inventory as `config` shows and checks it, without contacting anybody."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.cli.output import json as answers
from orchestrator.model.inventory.json_schema import of_inventory
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, sent
from tests.cli.test_model import VERIFIED
from tests.plan.facts.test_models import LOOK
from tests.remote.fakes import FakeFleet

ROOT = Path(__file__).resolve().parents[2]


def test_a_good_file_is_called_good(hosts: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("config", "check")
    assert (ran.exit_code, ran.stdout) == (0, "inventory.yaml: good: cluster demo, 1 head and 1 worker\n")
    assert hosts.sent == []


def test_a_good_file_on_standard_input_too(raycluster: Raycluster) -> None:
    alone = INVENTORY.partition("workers:")[0]
    ran = raycluster("config", "check", "-", stdin=alone)
    assert ran.stdout == "<stdin>: good: cluster demo, 1 head and no workers\n"


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_bad_one_has_every_problem_told_as_up_tells_it(
    command: str, hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY.replace("host: gpu2", "hsot: gpu2").replace("8}", "x}"))
    ran, up = raycluster("config", command), raycluster("up")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (2, "", up.stderr)
    assert "inventory.yaml:7:6: workers[0].hsot: unknown key" in ran.stderr
    assert hosts.sent == []


def test_show_says_once_what_all_hosts_share_and_then_what_sets_them_apart(
    hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY.replace("10.0.0.2", "10.0.0.2, docker: {shm_size: 64g}"))
    ran = raycluster("config", "show")
    assert ran.exit_code == 0
    lines = [" ".join(line.split()) for line in ran.stdout.splitlines()]
    assert lines[:4] == [
        "cluster demo: 2 hosts, from inventory.yaml",
        "NAME ROLE IP WRITTEN",
        "gpu1 head 10.0.0.1 line 5",
        "gpu2 worker 10.0.0.2 line 7",
    ]
    shared, first, second = (lines.index(title) for title in ("every host", "gpu1", "gpu2"))
    assert "accelerator none line 3" in lines[shared:first]
    assert "docker.restart unless-stopped default" in lines[shared:first]
    assert lines[first + 1] == "docker.shm_size 10.24g default"
    assert lines[second + 1] == "docker.shm_size 64g line 7"
    assert hosts.sent == []


def test_many_hosts_that_differ_from_few_are_told_by_the_few(raycluster: Raycluster, folder: Path) -> None:
    more = '  - {host: "gpu[3-9]", ip: "10.0.0.[3-9]"}\n'
    (folder / "inventory.yaml").write_text(INVENTORY.replace("10.0.0.2", "10.0.0.2, rdma: off") + more)
    shown = raycluster("config", "show").stdout
    assert "every host but gpu2\n" in shown
    assert "line 8, [3-9]" in shown


def test_show_leaves_no_blanks_at_the_ends_of_lines(raycluster: Raycluster) -> None:
    assert not [line for line in raycluster("config", "show").stdout.splitlines() if line != line.rstrip()]


def test_show_hides_what_looks_like_a_secret_and_says_where_it_belongs(
    raycluster: Raycluster, folder: Path
) -> None:
    written = "env: {HF_TOKEN: hf_abc}\ndocker: {args: [-e, API_KEY=k_abc]}\n"
    (folder / "inventory.yaml").write_text(INVENTORY + written)
    for form in ("text", "json"):
        shown = raycluster("config", "show", "-o", form).stdout
        assert "hf_abc" not in shown
        assert "k_abc" not in shown
        assert "<hidden>" in shown
    assert "`secrets:` keeps one out of the file" in raycluster("config", "show").stdout


def test_show_asks_ssh_for_what_the_inventory_leaves_open(raycluster: Raycluster) -> None:
    told = json.loads(raycluster("config", "show", "-o", "json").stdout)
    ssh = {each["key"]: each for each in told["hosts"][0]["settings"]}
    assert ssh["ssh.port"] == {
        "key": "ssh.port",
        "value": 22,
        "origin": {"source": "ssh", "lines": [], "range": ""},
    }
    assert ssh["ssh.user"]["value"]


def test_the_schema_of_the_inventory_is_the_default(raycluster: Raycluster) -> None:
    ran = raycluster("config", "schema")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout) == json.loads(json.dumps(of_inventory()))


def test_an_unknown_schema_is_a_usage_error_that_names_those_there_are(raycluster: Raycluster) -> None:
    ran = raycluster("config", "schema", "stauts")
    assert ran.exit_code == 2
    assert "should be one of inventory, status, check, lock" in " ".join(ran.stderr.split())


def printed(raycluster: Raycluster, what: str, *words: str) -> list[str]:
    """What is wrong with the answer of a command by its own published schema."""
    schema = json.loads(raycluster("config", "schema", what).stdout)
    Draft202012Validator.check_schema(schema)
    told = json.loads(raycluster(*words).stdout)
    assert told["version"] == schema["properties"]["version"]["const"]
    return [error.message for error in Draft202012Validator(schema).iter_errors(told)]


COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "-o", "json"),
    "check": ("check", "-o", "json"),
    "lock": ("lock", "status", "-o", "json"),
    "config": ("config", "show", "-o", "json"),
    "exec": ("exec", "-o", "json", "--", "nvidia-smi"),
    "serve": ("serve", "status", "-o", "json"),
    "fit": ("serve", "--plan", "org/model", "-o", "json"),
    "models": ("model", "ls", "-o", "json"),
    "verify": ("model", "verify", "-o", "json"),
    "ls": ("ls", "-o", "json"),
}
READING = [what for what in COMMANDS if what != "ls"]


@pytest.mark.parametrize("what", COMMANDS)
def test_what_a_command_prints_is_what_its_schema_says(
    what: str, cluster_stands: FakeFleet, raycluster: Raycluster
) -> None:
    holder = "4711\n1000\nben@desk\ndown\n1065"
    cluster_stands.on("gpu1", sent("ask-lock"), Output(0, holder))
    cluster_stands.on("*", sent("inspect"), Output(1))
    cluster_stands.on("*", "date", Output(0, "1000.5\n"))
    cluster_stands.on("*", "docker ps --all", Output(0, "running\n"))
    cluster_stands.on("*", sent("nvidia-smi"), Output(0, "Tue Nov 24\n"))
    cluster_stands.streams("*", sent("trial"), Output(1, stderr="no"))
    cluster_stands.on("*", sent("look-models"), Output(0, f"\x1e{json.dumps(LOOK)}"))
    cluster_stands.on("*", sent("fit-models"), Output(0, f"\x1e{json.dumps(LOOK)}"))
    cluster_stands.streams(
        "*", sent("verify-models"), f"\x1e{json.dumps({'verified': [VERIFIED]})}", Output(0)
    )
    assert printed(raycluster, what, *COMMANDS[what]) == []


def test_a_program_need_not_count(good: FakeFleet, raycluster: Raycluster) -> None:
    check = json.loads(raycluster("check", "-o", "json").stdout)
    levels = [each["level"] for each in check["findings"]]
    assert check["verdict"] == "passed"
    assert check["counts"] == {
        "hosts": 2,
        **{level: levels.count(level) for level in ("ok", "warning", "failure")},
    }
    good.on("gpu2", sent("observe"), Failure(FailureKind.UNREACHABLE, "gpu2:22 does not answer"))
    check = json.loads(raycluster("check", "-o", "json").stdout)
    assert (check["verdict"], check["counts"]["failure"]) == ("failed", 1)


def test_status_has_totals(cluster_stands: FakeFleet, raycluster: Raycluster) -> None:
    told = json.loads(raycluster("status", "-o", "json").stdout)
    assert told["totals"]["hosts"] == 2
    assert told["totals"]["joined"] == sum(host["joined"] for host in told["hosts"]) == 2
    assert told["totals"]["gpus"] == sum(host["gpus"] for host in told["hosts"]) == 16
    assert cluster_stands.sent


def test_the_result_of_up_has_hosts_and_gpus(hosts: FakeFleet, raycluster: Raycluster) -> None:
    result = json.loads(raycluster("up", "-o", "jsonl").stdout.splitlines()[-1])
    assert result["members"] == [
        {"host": "gpu1", "ip": "10.0.0.1", "gpus": 8},
        {"host": "gpu2", "ip": "10.0.0.2", "gpus": 8},
    ]
    assert hosts.sent


@pytest.mark.parametrize("what", ["status", "lock"])
def test_so_is_what_it_prints_where_there_is_nothing(
    what: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    hosts.on("gpu1", sent("ask-lock"), Output(0))
    assert printed(raycluster, what, *COMMANDS[what]) == []


@pytest.mark.parametrize("what", READING)
@pytest.mark.parametrize("mistake", ["image: again\n", "*"])
def test_a_mistake_in_the_inventory_is_json_too(
    what: str, mistake: str, hosts: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    with (folder / "inventory.yaml").open("a") as file:
        file.write(mistake)
    ran = raycluster(*COMMANDS[what])
    told = json.loads(ran.stdout)
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert told["mistakes"][0]["file"] == "inventory.yaml"
    assert told["error"] == ran.stderr.rstrip()
    assert Draft202012Validator(answers.schema("refusal")).is_valid(told)


@pytest.mark.parametrize(
    "words",
    [
        ("status", "-o", "json", "--nosuch"),
        ("statsu", "-o", "json"),
        ("check", "--output=json", "-j", "none"),
        ("status", "gpu2", "-ojson"),
        ("exec", "-o", "json"),
    ],
)
def test_so_is_one_in_the_line_itself(
    words: tuple[str, ...], hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster(*words)
    told = json.loads(ran.stdout)
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert (told["error"], told["mistakes"]) == (ran.stderr.rstrip(), [])


def test_what_a_command_in_containers_is_to_print_is_not_for_us(raycluster: Raycluster) -> None:
    ran = raycluster("exec", "--nosuch", "--", "kubectl", "get", "-o", "json")
    assert (ran.exit_code, ran.stdout) == (2, "")


def test_so_is_it_as_the_last_event(hosts: FakeFleet, raycluster: Raycluster, folder: Path) -> None:
    (folder / "inventory.yaml").write_text("cluster: demo\n")
    ran = raycluster("up", "-o", "jsonl")
    told = json.loads(ran.stdout)
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert (told["event"], told["verdict"], told["command"], told["exit_code"]) == (
        "result",
        "refused",
        "up",
        2,
    )
    assert Draft202012Validator(answers.schema("events")).is_valid(told)


@pytest.mark.parametrize("words", [("up",), ("up", "--dry-run"), ("down",)])
def test_so_is_each_line_of_what_a_command_does(
    words: tuple[str, ...], hosts: FakeFleet, raycluster: Raycluster
) -> None:
    schema = Draft202012Validator(json.loads(raycluster("config", "schema", "events").stdout))
    hosts.on("gpu2", sent("reach"), Output(1))
    lines = raycluster(*words, "-o", "jsonl").stdout.splitlines()
    assert len(lines) > 3
    assert [error.message for line in lines for error in schema.iter_errors(json.loads(line))] == []


def test_every_answer_is_held_to_its_schema_and_named_in_the_help(raycluster: Raycluster) -> None:
    elsewhere = {"bench", "refusal", "events", "watch"}  # as in test_serve_bench.py
    assert {*COMMANDS, *elsewhere} == set(answers.SCHEMAS)
    named = raycluster("config", "schema", "--help").stdout.partition("WHAT <str>")[2]
    assert set(answers.SCHEMAS) <= set(re.findall("[a-z]+", named))


def test_an_answer_with_a_key_more_or_less_does_not_pass() -> None:
    schema: dict[str, Any] = answers.schema("lock")
    good = {"version": 2, "cluster": "demo", "holder": None}
    validator = Draft202012Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid(good | {"more": 1})
    assert not validator.is_valid({"version": 2, "cluster": "demo"})
    assert not validator.is_valid(good | {"version": 1})


def test_the_example_is_printed_as_it_stands_and_is_good(hosts: FakeFleet, raycluster: Raycluster) -> None:
    printed = raycluster("config", "example")
    assert (printed.exit_code, printed.stdout) == (0, (ROOT / "inventory.example.yaml").read_text())
    checked = raycluster("config", "check", "-", stdin=printed.stdout)
    assert checked.stdout == "<stdin>: good: cluster demo, 1 head and 9 workers\n"
    assert hosts.sent == []


def test_a_secret_that_is_not_set_here_is_told_though_the_file_is_good(
    folder: Path, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "inventory.yaml"
    file.write_text(f"{file.read_text()}secrets: [NOBODY_SET_THIS]\n")
    check = raycluster("config", "check")
    assert (check.exit_code, "good: cluster demo" in check.stdout) == (0, True)
    assert "! secrets: NOBODY_SET_THIS not set in this shell's environment: export NOBODY_SET_THIS=…\n" in (
        check.stderr
    )
    monkeypatch.setenv("NOBODY_SET_THIS", "x")
    assert raycluster("config", "check").stderr == ""

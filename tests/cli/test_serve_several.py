"""`raycluster serve` with several models, as a person sees it."""

import json
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator import payload
from orchestrator.cli.output import json as answers
from orchestrator.cli.run import prompt
from orchestrator.plan.command import Command
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, only_looked, seen, sent
from tests.cli.output.test_jsonl import events
from tests.cli.serving import interrupts
from tests.plan.recordings import Said, ray_line, ray_row, standing
from tests.plan.serving.worlds import ANSWERING, FIRST, ended, line, starting, told
from tests.remote.fakes import Answer, FakeFleet

MODELS = """\
serve:
  - {model: org/One, gpus: 8, hosts: gpu1}
  - {model: org/Two, name: small, args: [--seed, '1']}
"""


def server(name: str, model: str, host: str, port: int, **changes: Any) -> str:
    """What the supervisor of a server with eight GPUs tells."""
    share = {"port": port, "ports": [], "gpus": {host: 8}, "devices": {}}
    asked = {"gpus": 8, "hosts": host, "port": 0}
    spec = told()["spec"] | {"model": model, "args": [], "share": share, "asked": asked}
    spec |= {"url": f"http://10.0.0.{host[-1]}:{port}"}
    state = ANSWERING | {"first": FIRST | {"url": spec["url"], "name": model}}
    return line(**{"server": name, "spec": spec, "name": model, "state": state} | changes)


ONE, TWO = server("one", "org/One", "gpu1", 8000), server("two", "org/Two", "gpu2", 8001)
FAILED = ended("torch.OutOfMemoryError: CUDA out of memory.")


def stands(fleet: FakeFleet, *, gpu1: str = "", gpu2: str = "") -> None:
    """Both hosts' containers stand, and tell this of what they serve."""
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))
    first = standing("raycluster-demo-gpu1") | {"ray": table, "served": Said(gpu1)}
    second = standing("raycluster-demo-gpu2") | {"served": Said(gpu2)}
    second.pop("token")
    fleet.on("gpu1", sent("observe"), seen("10.0.0.1", **first))
    fleet.on("gpu2", sent("observe"), seen("10.0.0.2", **second))


@pytest.fixture
def up(hosts: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    """A cluster that stands, on which whatever is told to serve answers at once."""
    monkeypatch.setattr("orchestrator.plan.serving.plan.LOOK_EVERY", 0.02)
    stands(hosts)
    hosts.on("*", sent("look-models"), Output(0, '\x1e{"hub": "/hub", "free": 9, "unused": 0, "models": []}'))
    hosts.on(
        "*", sent("sources"), Output(0, '\x1e{"version": "0.32.0", "names": [["--seed"]], "all": true}\n')
    )
    hosts.on("*", sent(payload.FOLDER), Output(0))
    hosts.on("gpu1", sent("400"), Output(0, ONE))
    hosts.on("gpu2", sent("400"), Output(0, TWO))
    hosts.on("*", sent("stop"), Output(0))
    return hosts


def is_of_a_server(command: Command) -> bool:
    return sent(payload.FOLDER)(command) or sent("400")(command)


def specs(fleet: FakeFleet) -> list[tuple[str, dict[str, Any]]]:
    """What supervisors were to serve, by host."""
    starts = ((each.host, each.command) for each in fleet.sent if sent(payload.FOLDER)(each.command))
    return [(host, json.loads(json.loads(command.input())["spec"])) for host, command in starts]


def test_a_model_has_the_name_the_gpus_the_host_and_the_port_that_it_is_given(
    up: FakeFleet, raycluster: Raycluster
) -> None:
    serve = raycluster("serve", "org/Two", "--name", "two", "--gpus", "4", "-l", "gpu2", "--port", "8001")
    assert serve.exit_code == 0, serve.stderr
    assert serve.stdout.startswith("org/Two answers at http://10.0.0.2:8001/v1 (")
    assert "ssh -N -L 8001:10.0.0.2:8001 gpu2\n" in serve.stdout
    ((host, spec),) = specs(up)
    assert (host, spec["name"], spec["share"]["gpus"]) == ("gpu2", "two", {"gpu2": 4})
    assert spec["argv"][:5] == ["vllm", "serve", "org/Two", "--port", "8001"]
    assert "--tensor-parallel-size 4" in " ".join(spec["argv"])


def test_beside_another_what_to_do_next_names_it(up: FakeFleet, raycluster: Raycluster) -> None:
    stands(up, gpu1=ONE)
    serve = raycluster("serve", "org/Two")
    assert serve.exit_code == 0, serve.stderr
    lines = serve.stdout.splitlines()
    assert lines[-3:] == [
        "  raycluster serve status",
        "  raycluster serve logs two -f",
        "  raycluster serve stop two",
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("org/One", "--name", "-x"), '--name: "-x" is none: letters, digits, ".", "_" and "-"'),
        (("org/One", "--name", "a/b"), '--name: "a/b" is none: letters, digits, ".", "_" and "-"'),
        (("org/One", "-l", "gpu7"), '--limit: no host matches "gpu7"'),
        (("org/One", "--gpus", "0"), "--gpus"),
        (("org/One", "--port", "99999"), "--port"),
        (("stop", "one", "--all"), "one and --all contradict each other"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_is_asked(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str, ...], said: str
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, hosts.sent) == (2, [])
    assert said in serve.stderr


# --- the inventory's list ---


@pytest.fixture
def listed(up: FakeFleet, folder: Path) -> FakeFleet:
    (folder / "inventory.yaml").write_text(INVENTORY + MODELS)
    return up


@pytest.mark.parametrize("words", [("serve",), ("up", "--serve")])
def test_the_inventorys_models_are_served_in_order(
    listed: FakeFleet, raycluster: Raycluster, words: tuple[str, ...]
) -> None:
    listed.on("gpu2", sent("400"), Output(0, server("small", "org/Two", "gpu2", 8001)))
    observed = iter([{}, {"gpu1": ONE}] if words == ("serve",) else [{}, {}, {"gpu1": ONE}])
    table = Said(ray_line(ray_row("10.0.0.1"), ray_row("10.0.0.2")))

    def head(_command: Any, _cancel: Any) -> Output:
        now = standing("raycluster-demo-gpu1") | {
            "ray": table,
            "served": Said(next(observed, {"gpu1": ONE}).get("gpu1", "")),
        }
        return seen("10.0.0.1", **now)

    listed.on("gpu1", sent("observe"), *[head] * 5)
    serve = raycluster(*words)
    assert serve.exit_code == 0, serve.stderr
    assert "org/One answers at http://10.0.0.1:8000/v1 (" in serve.stdout
    assert "small (org/Two) answers at http://10.0.0.2:8001/v1 (" in serve.stdout
    assert serve.stdout.endswith("\nall 2 models answer: one, small\n")
    assert "keeps no log" not in serve.stderr
    order = [
        "start" if sent(payload.FOLDER)(each.command) else "wait"
        for each in listed.sent
        if is_of_a_server(each.command)
    ]
    assert order[:2] == ["start", "start"], "they load side by side"
    assert [(host, spec["name"], spec["share"]["port"]) for host, spec in specs(listed)] == [
        ("gpu1", "one", 8000),
        ("gpu2", "small", 8001),
    ]


def test_of_several_one_that_refuses_what_it_is_asked_is_not_said_to_answer(
    listed: FakeFleet, raycluster: Raycluster
) -> None:
    url = "http://10.0.0.1:8001"
    first = FIRST | {"url": url, "name": "org/Two", "status": 404}
    small = server("small", "org/Two", "gpu1", 8001, state=ANSWERING | {"first": first})
    listed.on("gpu1", sent("400"), Output(0, f"{ONE}\n{small}"))
    serve = raycluster("serve")
    assert serve.exit_code == 0, serve.stderr
    assert f"small (org/Two) listens at {url}/v1 (" in serve.stdout
    assert serve.stdout.endswith(
        "\nof 2 models 1 listens, and took no question: small; 1 has answered: one\n"
    )


def loads(name: str, model: str) -> str:
    now = starting("Starting to load model x")
    return server(name, model, "gpu1", 8000, state=now["state"], trouble=now["trouble"], lines=now["lines"])


def fails(name: str, model: str) -> str:
    return server(name, model, "gpu1", 8000, **FAILED)


SMALL = server("small", "org/Two", "gpu1", 8001)


def looks(fleet: FakeFleet) -> list[str]:
    """Whom the supervisor was asked for, look by look."""
    return [
        " ".join(each.command.argv).partition(" 400 5 ")[2]
        for each in fleet.sent
        if sent("400")(each.command)
    ]


def small_is_told(fleet: FakeFleet, *then: Any) -> None:
    """The small one answers while the other loads, of which this is told once nobody waits for the small one."""
    later = iter(then)

    def looked(command: Command, cancel: Event) -> Answer:
        if command.argv[-2:] == ("one", "small"):
            return Output(0, f"{loads('one', 'org/One')}\n{SMALL}")
        told = next(later)
        return told(command, cancel) if callable(told) else told  # type: ignore[no-any-return]

    fleet.on("gpu1", sent("400"), looked)


def test_each_answer_is_told_when_it_is_there_though_another_loads(
    listed: FakeFleet, raycluster: Raycluster
) -> None:
    small_is_told(
        listed, Output(0, loads("one", "org/One")), Output(0, loads("one", "org/One")), Output(0, ONE)
    )
    serve = raycluster("serve")
    assert serve.exit_code == 0, serve.stderr
    answering = [line.rpartition(" (")[0] for line in serve.stdout.splitlines() if " answers at " in line]
    assert answering == [
        "small (org/Two) answers at http://10.0.0.1:8001/v1",
        "org/One answers at http://10.0.0.1:8000/v1",
    ]
    assert list(dict.fromkeys(looks(listed))) == ["one small", "one"], "one look is for both"
    assert " s  Wait for the models\n" in serve.stderr
    assert " s  small: wait until it answers: ok\n" in serve.stderr
    looked = next(at for at, each in enumerate(listed.sent) if sent("400")(each.command))
    assert [each.command.script for each in listed.sent[looked:]].count("hold-lock") == 0


def test_one_that_fails_keeps_none_from_being_served_and_is_named(
    listed: FakeFleet, raycluster: Raycluster
) -> None:
    listed.on("gpu1", sent("400"), Output(0, f"{fails('one', 'org/One')}\n{SMALL}"))
    serve = raycluster("serve")
    assert serve.exit_code == 1
    assert "✗ org/One is not served\n" in serve.stderr
    assert "; `raycluster serve logs one` shows all that it said.\n" in serve.stderr
    assert "small (org/Two) answers at" in serve.stdout
    assert serve.stderr.endswith("✗ of 2 models 1 failed: one; 1 has answered: small\n")
    assert serve.stderr.count("\nlog: ") == 1


def test_ctrl_c_ends_those_that_are_waited_for_and_names_those_that_answer(
    listed: FakeFleet, raycluster: Raycluster
) -> None:
    small_is_told(listed, interrupts)
    serve = raycluster("serve")
    assert serve.exit_code == 130
    assert "✗ org/One is not served: interrupted\n" in serve.stderr
    assert serve.stderr.endswith("✗ of 2 models 1 was interrupted: one; 1 has answered: small\n")
    assert [each.command.argv[-1] for each in listed.sent if sent("stop")(each.command)] == ["one"]


def test_one_that_is_not_heard_of_any_more_has_not_failed(listed: FakeFleet, raycluster: Raycluster) -> None:
    small_is_told(listed, Failure(FailureKind.UNREACHABLE, "is away"))
    serve = raycluster("serve")
    assert serve.exit_code == 1
    assert "✗ whether org/One is served is not known: gpu1: is away\n" in serve.stderr
    assert serve.stderr.endswith("✗ of 2 models 1 is not known: one; 1 has answered: small\n")


def test_one_that_another_run_has_stopped_has_not_failed(listed: FakeFleet, raycluster: Raycluster) -> None:
    stopped = json.dumps({"server": "one", "now": 9, "spec": None, "stopped": {"model": "org/One", "at": 0}})
    small_is_told(listed, Output(0, stopped))
    serve = raycluster("serve")
    assert serve.exit_code == 1
    assert serve.stderr.endswith("✗ of 2 models 1 was stopped by another run: one; 1 has answered: small\n")


def test_the_only_one_that_is_left_to_wait_for_is_named(listed: FakeFleet, raycluster: Raycluster) -> None:
    small = json.loads(SMALL)
    small["spec"] |= {"args": ["--seed", "1"], "asked": {"gpus": 0, "hosts": "", "port": 0}}
    stands(listed, gpu1=f"{loads('one', 'org/One')}\n{json.dumps(small)}")
    listed.on("gpu1", sent("ask"), Output(0, json.dumps(FIRST)))
    serve = raycluster("serve")
    assert serve.exit_code == 0, serve.stderr
    assert " s  Wait for one\n" in serve.stderr


def test_a_name_of_the_inventory_is_that_model_with_all_that_it_has(
    listed: FakeFleet, raycluster: Raycluster
) -> None:
    listed.on("gpu1", sent("400"), Output(0, server("small", "org/Two", "gpu1", 8000)))
    serve = raycluster("serve", "small", "--gpus", "4")
    assert serve.exit_code == 0, serve.stderr
    ((_, spec),) = specs(listed)
    assert (spec["name"], spec["model"], spec["args"]) == ("small", "org/Two", ["--seed", "1"])
    assert sum(spec["share"]["gpus"].values()) == 4


def test_a_word_that_is_nearly_a_name_of_the_inventory_is_told_that_name(
    listed: FakeFleet, raycluster: Raycluster, folder: Path
) -> None:
    serve = raycluster("serve", "smal")
    assert (serve.exit_code, listed.sent) == (2, [])
    assert serve.stderr.startswith('"smal" is neither ORG/NAME nor a folder → `raycluster serve small`; ')
    text = (folder / "inventory.yaml").read_text()
    (folder / "inventory.yaml").write_text(text.replace("org/Two", "creep"))
    assert " → `raycluster serve small`; " in raycluster("serve", "creepz").stderr, "it serves that model"
    named = raycluster("serve", "-i", "inventory.yaml", "smal")
    assert " → `raycluster serve -i inventory.yaml small`; " in named.stderr
    near = raycluster("serve", "-i", "inventory.yaml", "statu")
    assert " → `raycluster serve status -i inventory.yaml`; " in near.stderr


@pytest.mark.parametrize(("words", "first"), [(("--gpus", "4"), "--gpus"), (("--", "--seed", "2"), "--seed")])
def test_what_is_for_one_model_needs_its_name_where_there_are_several(
    listed: FakeFleet, raycluster: Raycluster, words: tuple[str, ...], first: str
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, listed.sent) == (2, [])
    assert serve.stderr == (
        f"{first} is for one model, and the inventory has one, small: name one, "
        f"as in raycluster serve one {' '.join(words)}\n"
    )


# --- status, logs, stop ---


@pytest.fixture
def serving(up: FakeFleet) -> FakeFleet:
    stands(up, gpu1=ONE, gpu2=TWO)
    return up


def test_status_has_a_line_for_each_with_where_it_is(serving: FakeFleet, raycluster: Raycluster) -> None:
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stderr) == (0, "")
    assert status.stdout.splitlines() == [
        "model org/One answers at http://10.0.0.1:8000/v1, for 60 s, 8 GPUs on gpu1",
        "model org/Two answers at http://10.0.0.2:8001/v1, for 60 s, 8 GPUs on gpu2",
    ]
    assert raycluster("status").stdout.count("\nmodel org/") == 2
    assert raycluster("serve", "status", "two").stdout == (
        "model org/Two answers at http://10.0.0.2:8001/v1, for 60 s, 8 GPUs on gpu2\n"
    )
    none = raycluster("serve", "status", "three")
    assert (none.exit_code, none.stdout) == (1, "")
    assert "nothing called three is served; there is one, two" in none.stderr
    assert only_looked(serving)


def test_the_log_of_the_last_that_was_stopped_names_the_others(up: FakeFleet, raycluster: Raycluster) -> None:
    old = [
        json.dumps({"server": name, "spec": None, "stopped": {"model": f"org/{name}", "at": at}, "now": 60})
        for name, at in (("one", 10), ("two", 20), ("three", 30))
    ]
    stands(up, gpu1="\n".join(old))
    up.on("gpu1", sent("find"), Output(0, "\x1e\n"))
    others = "there are also those of one, two → raycluster serve logs one\n"
    told = f"! this is the log of three, which was stopped last; {others}"
    assert raycluster("serve", "logs").stderr.startswith(told)
    assert "stopped last" not in raycluster("serve", "logs", "one").stderr


def test_one_that_does_not_answer_is_exit_code_3_and_the_others_are_told_all_the_same(
    serving: FakeFleet, raycluster: Raycluster
) -> None:
    stands(serving, gpu1=ONE, gpu2=server("two", "org/Two", "gpu2", 8001, trouble="timed out"))
    status = raycluster("serve", "status")
    assert status.exit_code == 3
    assert "model org/One answers" in status.stdout
    assert "model org/Two does not answer: timed out" in status.stdout
    answer = json.loads(raycluster("serve", "status", "-o", "json").stdout)
    assert list(Draft202012Validator(answers.schema("serve")).iter_errors(answer)) == []
    assert [(each["name"], each["answers"], each["hosts"], each["gpus"]) for each in answer["models"]] == [
        ("one", True, ["gpu1"], 8),
        ("two", False, ["gpu2"], 8),
    ]


def test_a_host_that_is_not_reached_may_serve_what_nobody_tells(
    serving: FakeFleet, raycluster: Raycluster
) -> None:
    is_away = Failure(FailureKind.UNREACHABLE, "is away", fix="plug it in")
    serving.on("gpu2", sent("observe"), is_away)
    away = "what else cluster demo serves is not known: gpu2: is away\n"
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stdout.partition("\n")[2]) == (3, away)
    assert "→ plug it in" in status.stderr
    answer = json.loads(raycluster("serve", "status", "-o", "json").stdout)
    assert ([each["name"] for each in answer["models"]], answer["trouble"] + "\n") == (["one"], away)
    one = raycluster("serve", "status", "one")
    assert (one.exit_code, "is away" in one.stdout) == (0, False)
    for command in ("status", "stop", "logs"):
        two = raycluster("serve", command, "two")
        assert (two.exit_code, "gpu2  is away\n" in two.stderr) == (1, True), two.stderr
    stop = raycluster("serve", "stop", "one")
    assert (stop.exit_code, stop.stdout) == (0, "one is no longer served; what gpu2 may serve is not known\n")
    stands(serving)
    serving.on("gpu2", sent("observe"), is_away)
    status = raycluster("serve", "status")
    assert (status.exit_code, status.stdout) == (3, away.replace("else ", ""))
    assert "gpu2  is away\n" in raycluster("serve", "stop", "two").stderr


def test_stop_ends_the_one_that_is_named_and_says_what_stays(
    serving: FakeFleet, raycluster: Raycluster
) -> None:
    refused = raycluster("serve", "stop")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "✗ nothing was stopped\n  gpu1  2 models are served: one, two\n" in refused.stderr
    assert (
        "→ name one, as in `raycluster serve stop one`; all: `raycluster serve stop --all`" in refused.stderr
    )
    wrong = raycluster("serve", "stop", "onne")
    assert (wrong.exit_code, "nothing called onne is served" in wrong.stderr) == (1, True)
    for command in ("status", "logs", "bench", "stop"):
        assert f"→ raycluster serve {command} two\n" in raycluster("serve", command, "twoo").stderr
    assert "Once this is fixed" not in refused.stderr + wrong.stderr, "these lines never work"
    stop = raycluster("serve", "stop", "org/Two")
    assert (stop.exit_code, stop.stdout) == (0, "two is no longer served; one still is\n")
    assert [each.host for each in serving.sent if sent("stop")(each.command)] == ["gpu2"]
    everything = raycluster("serve", "stop", "--all")
    assert (everything.exit_code, everything.stdout) == (0, "cluster demo serves nothing any more\n")


def test_each_is_an_event_and_the_result_of_all_the_last(listed: FakeFleet, raycluster: Raycluster) -> None:
    listed.on("gpu1", sent("400"), Output(0, f"{fails('one', 'org/One')}\n{SMALL}"))
    serve = raycluster("serve", "-o", "jsonl")
    told = events(serve)
    each = {event["server"]: event for event in told if event["event"] == "served"}
    assert {name: (event["answers"], event["url"]) for name, event in each.items()} == {
        "one": (False, ""),
        "small": (True, "http://10.0.0.1:8001"),
    }
    assert each["one"]["failures"][0]["what"].startswith("wait until it answers: ")
    (result,) = (event for event in told if event["event"] == "result")
    assert (result, result["exit_code"], result["message"]) == (
        told[-1],
        1,
        "of 2 models 1 failed: one; 1 has answered: small",
    )
    assert serve.exit_code == 1
    waits = {event["server"] for event in told if event["event"] == "step-began"}
    assert waits == {"one", "small"}


def test_on_a_terminal_up_asks_before_it_ends_models(
    serving: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "somebody_there", lambda: True)
    (folder / "inventory.yaml").write_text(INVENTORY.replace("image: ", "docker: {shm_size: 2g}\nimage: "))
    refused = raycluster("up", stdin="n\n")
    question = (
        "Replace the containers of cluster demo on gpu1 (head), gpu2? Whatever runs in them ends: "
        "the models org/One and org/Two, which answer on :8000 and :8001. [y/N] "
    )
    assert (refused.exit_code, refused.stderr) == (1, f"{question}nothing was done\n")
    assert only_looked(serving)
    assert "ends with its old container" in raycluster("up", "-y").stderr

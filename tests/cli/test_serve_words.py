"""What is typed after `raycluster serve`: its own words, and those of vLLM."""

from pathlib import Path

import pytest

from orchestrator.remote.transport import Output
from tests.cli import serving
from tests.cli.conftest import INVENTORY, Raycluster
from tests.cli.output.test_jsonl import events
from tests.cli.serving import MODEL, SERVED, asked, options, spec, supervisor, told
from tests.plan.serving.worlds import line
from tests.remote.fakes import FakeFleet

hosts_serve = serving.hosts_serve


# --- vLLM's own arguments ---


def test_an_option_that_vllm_has_not_is_told_in_a_line_before_anything_starts(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    serve = raycluster("serve", MODEL, "--", "--max-modle-len", "4096")
    assert (serve.exit_code, serve.stdout, told(hosts_serve)) == (1, "", [])
    assert "\n  gpu1  --max-modle-len: vLLM 0.32.0 has no such option" in serve.stderr
    assert "→ raycluster serve Qwen/Qwen3-32B -- --max-model-len" in serve.stderr
    assert "Nothing was started." in serve.stderr


@pytest.mark.parametrize(("names", "code"), [([["--of-a-plugin"]], 0), ([["--port"]], 1)])
def test_where_plugins_may_have_added_an_option_vllms_own_parser_decides(
    hosts_serve: FakeFleet, raycluster: Raycluster, names: list[list[str]], code: int
) -> None:
    options(hosts_serve, all=False)
    options(hosts_serve, by="parser", names=names)
    serve = raycluster("serve", MODEL, "--", "--of-a-plugin", "4")
    assert (serve.exit_code, bool(told(hosts_serve))) == (code, not code)


def test_where_its_parser_does_not_tell_in_time_vllm_is_started_and_tells_by_itself(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, all=False)
    hosts_serve.on("gpu1", asked("parser"), Output(124))
    assert raycluster("serve", MODEL, "--", "--of-a-plugin", "4").exit_code == 0


def test_what_a_file_of_arguments_says_is_known_and_the_command_line_wins(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, file=["--port", "9000", "-tp", "4"])
    words = ("--", "--config", "/serve.yaml", "-tp", "8")
    assert raycluster("serve", MODEL, *words).exit_code == 0
    made = spec(hosts_serve)
    assert made["url"] == "http://10.0.0.1:9000"
    assert made["args"] == ["--port", "9000", "-tp", "4", "-tp", "8"]
    assert made["argv"][-6:] == made["args"]


def test_a_file_of_arguments_that_is_not_there_is_told_before_anything_starts(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    options(hosts_serve, trouble="absent", words="No such file or directory")
    serve = raycluster("serve", MODEL, "--", "--config", "/serve.yaml")
    assert (serve.exit_code, told(hosts_serve)) == (1, [])
    assert (
        "--config /serve.yaml: the head's container cannot read it: No such file or directory" in serve.stderr
    )


def test_without_arguments_nobody_is_asked_for_options(
    hosts_serve: FakeFleet, raycluster: Raycluster
) -> None:
    assert raycluster("serve", MODEL).exit_code == 0
    assert not [each for each in hosts_serve.sent if asked("sources")(each.command)]


# --- what is typed ---


@pytest.mark.parametrize(
    ("words", "args"),
    [((), ("--max-model-len", "4096")), (("--", "-tp", "2"), ("--max-model-len", "4096", "-tp", "2"))],
)
def test_without_a_model_it_is_the_inventorys(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster, words: tuple[str], args: tuple[str]
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    assert raycluster("serve", *words).exit_code == 0
    assert spec(hosts_serve)["model"] == MODEL
    assert tuple(spec(hosts_serve)["args"]) == args


def test_the_inventorys_model_is_watched_as_it_says_also_when_it_is_named(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    watched = f"serve: {{model: {MODEL}, liveness: off, stalled_after: 90}}\n"
    (folder / "inventory.yaml").write_text(INVENTORY + watched)
    assert raycluster("serve", MODEL).exit_code == 0
    told = spec(hosts_serve)
    assert (told["args"], told["liveness"], told["stalled_after"]) == ([], False, 5400)


def test_a_model_that_is_named_has_nothing_of_the_inventorys(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    (folder / "inventory.yaml").write_text(INVENTORY + SERVED)
    hosts_serve.on("gpu1", supervisor("inspect"), Output(0, line(server="another")))
    assert raycluster("serve", "-y", "another").exit_code == 0
    assert (spec(hosts_serve)["model"], spec(hosts_serve)["args"]) == ("another", [])


@pytest.mark.parametrize("words", [(), ("",), ("--", "-tp", "2")])
def test_without_a_model_anywhere_it_says_how_to_name_one(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str]
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, serve.stdout, hosts.sent) == (2, "", [])
    assert "no model: name one, as in `raycluster serve Qwen/Qwen3-32B`" in serve.stderr


@pytest.mark.parametrize(
    ("words", "name", "meant"),
    [
        ((MODEL, "--max-model-len", "4096"), "--max-model-len", f"{MODEL} -- --max-model-len 4096"),
        (("--max-model-len=4096", MODEL), "--max-model-len", f"{MODEL} -- --max-model-len=4096"),
        ((MODEL, "-tp", "2", "-i", "x.yaml"), "-tp", f"{MODEL} -i x.yaml -- -tp 2"),
        ((MODEL, "-o", "jsonl", "-tp=2", "--", "-x"), "-tp", f"{MODEL} -o jsonl -- -tp=2 -x"),
        (("start", MODEL, "-v", "--seed", "1"), "--seed", f"{MODEL} -v -- --seed 1"),
        (("--seed", "1", MODEL), "--seed", f"{MODEL} -- --seed 1"),
        (("-v", "-tp", "2", "--seed=1", MODEL), "-tp", f"-v {MODEL} -- -tp 2 --seed=1"),
        ((MODEL, "--seed", "1", "extra"), "--seed", f"{MODEL} -- --seed 1 extra"),
        ((MODEL, "--port", "1", "-tp", "2"), "-tp", f"{MODEL} --port 1 -- -tp 2"),
    ],
)
def test_vllms_own_arguments_go_after_dashes_and_whoever_forgets_them_is_told(
    hosts: FakeFleet, raycluster: Raycluster, words: tuple[str], name: str, meant: str
) -> None:
    serve = raycluster("serve", *words)
    assert (serve.exit_code, hosts.sent) == (2, [])
    assert bool(serve.stdout) == ("jsonl" in words)
    told = f"vLLM's own come last, after --: raycluster serve {meant}"
    assert serve.stderr == f"no such option: {name}\n→ {told}\n"


def test_an_option_that_is_nearly_ours_may_be_ours(raycluster: Raycluster) -> None:
    for words, meant in (
        (("--gups", "4", MODEL), f"--gpus 4 {MODEL}"),
        ((MODEL, "--gups=4"), f"{MODEL} --gpus=4"),
        ((MODEL, "--gups", "4", "-tp", "2", "--", "-x"), f"{MODEL} --gpus 4 -- -tp 2 -x"),
    ):
        assert raycluster("serve", *words).stderr == f"no such option: --gups → raycluster serve {meant}\n"
    stop = raycluster("serve", "stop", "-l", "gpu1")
    assert stop.stderr == "no such option: -l → it takes no hosts: raycluster serve stop -h\n"


@pytest.mark.parametrize("word", ["status", "stop", "logs", "start"])
def test_a_command_that_comes_too_late_is_no_model(
    hosts: FakeFleet, raycluster: Raycluster, word: str
) -> None:
    serve = raycluster("serve", "-i", "inventory.yaml", word)
    assert (serve.exit_code, hosts.sent) == (2, [])
    assert f'"{word}" goes first: raycluster serve {word} -i inventory.yaml\n' in serve.stderr


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("args", '"args" is neither ORG/NAME nor a folder; if it is a model: raycluster serve -y args'),
        ("model", "MODEL stands for the name of one: raycluster serve Qwen/Qwen3-32B"),
        ("model org/name", "MODEL stands for the name of one: raycluster serve org/name"),
    ],
)
def test_a_word_of_the_help_is_no_model(
    hosts: FakeFleet, raycluster: Raycluster, typed: str, told: str
) -> None:
    serve = raycluster("serve", *typed.split())
    assert (serve.exit_code, serve.stderr, hosts.sent) == (2, f"{told}\n", [])


def test_a_word_too_much_is_refused_before_a_person_is_asked_for_another(
    hosts: FakeFleet, raycluster: Raycluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.run.prompt.somebody_there", lambda: True)
    serve = raycluster("serve", "a", "b", "--plan")
    assert serve.stderr == (
        '"b" is too much: after MODEL come options of vLLM, as in -- --max-model-len 32768; '
        "without it: raycluster serve a --plan\n"
    )
    near = raycluster("serve", "stpo", "b")
    assert near.stderr == '"stpo" is neither ORG/NAME nor a folder → `raycluster serve stop`\n'
    assert (serve.exit_code, near.exit_code, hosts.sent) == (2, 2, [])


def test_our_own_options_are_ours_wherever_they_stand(hosts_serve: FakeFleet, raycluster: Raycluster) -> None:
    del hosts_serve
    serve = raycluster("serve", "-iinventory.yaml", "-vv", MODEL, "--output=jsonl")
    assert (serve.exit_code, events(serve)[-1]["verdict"]) == (0, "done")


def test_what_to_do_next_names_the_inventory_that_was_named(
    hosts_serve: FakeFleet, folder: Path, raycluster: Raycluster
) -> None:
    del hosts_serve
    (folder / "my inventory.yaml").write_text(INVENTORY)
    serve = raycluster("serve", "-i", "my inventory.yaml", MODEL)
    assert "raycluster serve logs -i 'my inventory.yaml' -f\n" in serve.stdout

"""`raycluster model`, as a person sees it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.output.models_table import wrapped
from orchestrator.remote.transport import Failure, FailureKind, Output
from tests.cli.conftest import INVENTORY, Raycluster, script
from tests.plan.facts.test_models import COMMIT, LOOK, MODEL, REVISION
from tests.remote.fakes import FakeFleet

WHOLE = {**REVISION, "state": "whole", "files": 3, "missing": 0, "bad": {}, "lacks": []}
SILENT = Failure(FailureKind.UNREACHABLE, "10.0.0.2:22 does not answer", fix="is the host up?")
VERIFIED = {
    "name": "org/tiny",
    "commit": COMMIT,
    "names": ["main"],
    "files": 3,
    "bytes": 1024,
    "damage": {},
    "unknown": 0,
    "known": True,
    "dropped": 0,
}


def said(told: Any) -> str:
    return f"\x1e{json.dumps(told)}"


def holding(*revisions: Any, **more: Any) -> Output:
    model = {**MODEL, "unfinished": 0, "revisions": list(revisions), **more}
    return Output(0, said({**LOOK, "models": [model] if revisions else []}) + "\n")


@pytest.fixture
def models(hosts: FakeFleet) -> FakeFleet:
    """gpu1 has the model, gpu2 a part of it."""
    hosts.on("gpu1", script("look-models"), holding(WHOLE))
    hosts.on("gpu2", script("look-models"), holding(REVISION))
    return hosts


def test_a_model_is_listed_with_the_hosts_that_have_it_whole_or_not(
    models: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("model", "ls")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout == (
        "MODEL     REVISION      SIZE  STATE         HOSTS\n"
        "org/tiny  main 9216db5  1 kB  whole         gpu1\n"
        "          main 9216db5  1 kB  2 of 3 files  gpu2\n"
        "gpu2: org/tiny main 9216db5: model.safetensors is missing (24 MB to bring)\n"
    )
    assert len(models.sent) == 2


def test_what_all_have_is_said_once_and_who_has_none_is_named(
    models: FakeFleet, raycluster: Raycluster
) -> None:
    models.on("gpu2", script("look-models"), holding(WHOLE))
    assert "whole  all hosts\n" in raycluster("model", "ls").stdout
    models.on("gpu2", script("look-models"), holding())
    told = raycluster("model", "ls", "org/tiny").stdout
    assert re.search(r"whole  gpu1\n +none   gpu2\n", told)


def test_a_model_that_nobody_has_is_told_so(models: FakeFleet, raycluster: Raycluster) -> None:
    models.on("*", script("look-models"), holding())
    assert raycluster("model", "ls").stdout == "no host has a model\n"
    assert "none   all hosts" in raycluster("model", "ls", "org/other").stdout


def test_a_host_that_cannot_be_asked_is_a_failure_with_a_name(
    models: FakeFleet, raycluster: Raycluster
) -> None:
    models.on("gpu2", script("look-models"), SILENT)
    ran = raycluster("model", "ls")
    assert ran.exit_code == 1
    assert ran.stderr == "✗ gpu2  10.0.0.2:22 does not answer\n      → is the host up?\n"


def test_what_takes_room_and_is_no_model_is_told(models: FakeFleet, raycluster: Raycluster) -> None:
    more = {"unfinished": 3_000_000_000, "unused": 2048, "astray": ["main"]}
    models.on("*", script("look-models"), holding(WHOLE, **more))
    told = raycluster("model", "ls").stdout
    assert "gpu1, gpu2: org/tiny: 3.0 GB of downloads that have not ended\n" in told
    assert "gpu1, gpu2: org/tiny: its revision main leads to nothing that is there\n" in told
    assert "gpu1, gpu2: org/tiny: 2 kB that no revision has a link to\n" in told


@pytest.mark.parametrize("name", ["../x", "a b", "org/name/file", "./mine"])
def test_what_is_no_name_contacts_nobody(name: str, hosts: FakeFleet, raycluster: Raycluster) -> None:
    for command in ("ls", "verify", "rm"):
        ran = raycluster("model", command, name)
        assert ran.exit_code == 2
        assert f'"{name}" is neither ORG/NAME nor the whole path of a folder' in ran.stderr
    assert hosts.sent == []


def test_every_byte_is_verified_with_progress(models: FakeFleet, raycluster: Raycluster) -> None:
    models.streams("*", script("verify-models"), said({"done": 1, "of": 2}), said({"verified": [VERIFIED]}),
                   Output(0))  # fmt: skip
    ran = raycluster("model", "verify")
    assert ran.exit_code == 0
    assert ran.stdout == (
        "✓ org/tiny main 9216db5  gpu1, gpu2  3 files, 1 kB: all are what their hashes say\n"
    )
    assert "gpu1: read every byte: ok" in ran.stderr


def test_damage_is_named_with_what_removes_it(models: FakeFleet, raycluster: Raycluster) -> None:
    damaged = {**VERIFIED, "damage": {"model.safetensors": "differs"}}
    models.streams("gpu1", script("verify-models"), said({"verified": [VERIFIED]}), Output(0))
    models.streams("gpu2", script("verify-models"), said({"verified": [damaged]}), Output(0))
    ran = raycluster("model", "verify", "org/tiny")
    assert ran.exit_code == 3
    assert ran.stdout.splitlines()[1] == (
        "✗ org/tiny main 9216db5  gpu2  model.safetensors is not what its hash says"
    )
    assert "→ remove what is damaged: raycluster model verify --drop org/tiny\n" in ran.stderr
    told = json.loads(raycluster("model", "verify", "-o", "json").stdout)
    assert told["verdict"] == "damaged"
    dropped = {**damaged, "dropped": 1}
    models.streams("*", script("drop-models"), said({"verified": [dropped]}), Output(0))
    assert "hash says; 1 file removed\n" in raycluster("model", "verify", "--drop").stdout


def test_a_model_that_was_named_and_is_not_there_is_no_success(
    models: FakeFleet, raycluster: Raycluster
) -> None:
    models.streams("gpu1", script("verify-models"), said({"verified": [VERIFIED]}), Output(0))
    models.streams("gpu2", script("verify-models"), said({"verified": []}), Output(0))
    some = raycluster("model", "verify", "org/tiny")
    assert some.exit_code == 0
    assert some.stdout.endswith("\n! org/tiny  gpu2  is not there\n")
    none = raycluster("model", "verify", "org/tiny", "org/tinny")
    assert none.exit_code == 3
    assert none.stdout.endswith("\n✗ org/tinny  gpu1, gpu2  is not there\n")
    told = raycluster("model", "verify", "org/tinny", "-o", "json")
    assert (told.exit_code, json.loads(told.stdout)["verdict"]) == (3, "missing")
    assert raycluster("model", "verify").exit_code == 0


def test_a_verification_that_breaks_off_is_no_success(models: FakeFleet, raycluster: Raycluster) -> None:
    models.streams("gpu1", script("verify-models"), said({"verified": [VERIFIED]}), Output(0))
    models.streams(
        "gpu2", script("verify-models"), said({"done": 1, "of": 2}), Output(137, stderr="Killed\n")
    )
    ran = raycluster("model", "verify")
    assert ran.exit_code == 1
    assert "✗ gpu2  Killed\n" in ran.stderr


FILES = [
    {"path": "config.json", "size": 24, "digest": "a" * 40, "time": 1},
    {"path": "model.safetensors", "size": 1000, "digest": "b" * 64, "time": 1},
]
LISTED = {"model": "org/tiny", "commit": COMMIT, "names": ["main"], "files": FILES, "identity": "1:1"}
READY = {"has": [24, 1000], "ready": True, "free": 1 << 40, "identity": "2:2"}


def has(**here: Any) -> Output:
    return Output(0, said({"holding": {**READY, **here}}))


@pytest.fixture
def giving(models: FakeFleet) -> FakeFleet:
    """gpu1 can give the model, and gpu2 has it already."""
    models.on("*", script("list-models"), Output(0, said({"copy": LISTED})))
    models.on("*", script("holding-models"), has())
    models.on("*", script("look-models"), holding(WHOLE))
    return models


def test_a_model_is_downloaded_on_the_head_alone(giving: FakeFleet, raycluster: Raycluster) -> None:
    far = said({"done": 1, "of": 2, "rate": 1.5, "note": "comparing hashes"})
    giving.streams("gpu1", script("pull-models"), far, said({"pulled": {"commit": COMMIT}}), Output(0))
    ran = raycluster("model", "pull", "org/tiny")
    assert ran.exit_code == 0, ran.stderr
    assert re.fullmatch(r"all 2 hosts have org/tiny main 9216db5, 1 kB \([\d.]+ s\)\n", ran.stdout)
    assert [each.host for each in giving.sent if each.command.script == "pull-models"] == ["gpu1"]


def test_what_all_have_is_not_copied(giving: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("model", "copy", "org/tiny")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.startswith("all 2 hosts have org/tiny main 9216db5, 1 kB (")
    assert not any(each.command.script in ("send-models", "receive-models") for each in giving.sent)


def test_through_this_machine_the_bytes_come_as_they_are(giving: FakeFleet, raycluster: Raycluster) -> None:
    giving.on("gpu2", script("holding-models"), has(has=[24, 300], ready=False))
    giving.on("gpu1", script("send-models"), Output(0, "all the files\n"))
    giving.on("gpu2", script("receive-models"), Output(0, "{}"))
    ran = raycluster("model", "copy", "--via", "laptop", "org/tiny")
    assert ran.exit_code == 0, ran.stderr
    assert "gpu2: copy 1 kB of org/tiny from gpu1" in ran.stderr
    assert "(copied to gpu2, " in ran.stdout
    (sent,) = (each for each in giving.sent if each.command.script == "receive-models")
    assert sent.piped == b"all the files\n"


def test_a_copy_after_which_a_host_lacks_something_is_no_success(
    giving: FakeFleet, raycluster: Raycluster
) -> None:
    giving.on("gpu2", script("holding-models"), has(has=[0, 0], ready=False))
    giving.on("gpu2", script("look-models"), holding(REVISION))
    giving.on("gpu1", script("send-models"), Output(0, "x"))
    giving.on("gpu2", script("receive-models"), Output(0, "{}"))
    ran = raycluster("model", "copy", "--via", "laptop", "org/tiny")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "✗ org/tiny main 9216db5 is not on all hosts\n  gpu2  does not have all of org/tiny" in ran.stderr


def test_a_host_without_room_and_one_that_is_silent_are_named_and_get_nothing(
    giving: FakeFleet, raycluster: Raycluster
) -> None:
    giving.on("gpu2", script("holding-models"), has(has=[0, 0], ready=False, free=1000))
    ran = raycluster("model", "copy", "org/tiny")
    assert ran.exit_code == 1
    assert "gpu2  1 kB are to come, and it has 1 kB free\n      → free disk space" in ran.stderr
    giving.on("gpu2", script("holding-models"), SILENT)
    ran = raycluster("model", "copy", "org/tiny")
    assert (ran.exit_code, "gpu2  10.0.0.2:22 does not answer\n      → is the host up?" in ran.stderr) == (
        1,
        True,
    )


def test_a_host_that_does_not_have_the_model_cannot_give_it(
    giving: FakeFleet, raycluster: Raycluster
) -> None:
    words = "has no org/none"
    giving.on("gpu2", script("list-models"), Output(1, said({"trouble": "no-model", "words": words})))
    ran = raycluster("model", "copy", "org/none", "--from", "gpu2")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert (
        f"  gpu2  {words}\n      → `raycluster model ls` shows who has it, for --from HOST; "
        "`raycluster model pull org/none` downloads it\n"
    ) in ran.stderr
    assert "goes on." not in ran.stderr
    giving.on("gpu2", script("list-models"), Output(1, said({"trouble": "not-there", "words": "has no /x"})))
    ran = raycluster("model", "copy", "/x", "--from", "gpu2")
    assert "  gpu2  has no /x\n      → bring that folder to a host first, to where" in ran.stderr


def test_the_token_travels_on_standard_input(
    giving: FakeFleet, raycluster: Raycluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = giving
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    (folder / "inventory.yaml").write_text(INVENTORY + "secrets: [HF_TOKEN]\n")
    models.streams("gpu2", script("pull-models"), said({"pulled": {"commit": COMMIT}}), Output(0))
    ran = raycluster("model", "pull", "org/tiny", "--on", "gpu2", "--revision", "v1", "--all")
    assert ran.exit_code == 0, ran.stderr
    (sent,) = (each.command for each in models.sent if each.command.script == "pull-models")
    assert sent.input() == b"hf_very_secret\n"
    assert '{"model": "org/tiny", "revision": "v1", "all": true}' in sent.argv
    assert "hf_very_secret" not in sent.line() + ran.output


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("https://huggingface.co/org/name", "org/name"),
        ("https://huggingface.co/org/name/tree/main", "org/name"),
        ("huggingface.co/org/name/", "org/name"),
        ("hf.co/org/name/blob/v1.0/config.json", "--revision v1.0 org/name"),
        ("hf://org/name", "org/name"),
        ("https://huggingface.co/", "ORG/NAME"),
    ],
)
def test_the_address_of_a_page_is_answered_with_the_name_in_it(
    words: str, line: str, models: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("model", "pull", words, "-l", "gpu1")
    said = f"a model is named ORG/NAME, without an address: raycluster model pull {line} -l gpu1\n"
    assert (ran.exit_code, ran.stderr, models.sent) == (2, said, [])


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("pull", "org/tiny", "--on", "gpu9"), "--on"),
        (("pull", "org/tiny", "-l", "gpu9"), "--limit"),
        (("copy", "org/tiny", "--from", "gpu9"), "--from"),
    ],
)
def test_an_unknown_host_is_told_with_the_option_and_the_hosts_that_there_are(
    words: tuple[str, ...], option: str, models: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("model", *words)
    assert (ran.exit_code, models.sent) == (2, [])
    assert ran.stderr.startswith(f'{option}: no host matches "gpu9"; did you mean ')
    assert ran.stderr.endswith("the hosts are gpu1, gpu2\n")


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (
            "org/tiny is gated, and no token was given",
            "→ export HF_TOKEN=… here, and ",
        ),
        ("org/tiny is gated, and this token has no access to it", "ask for access on its page"),
        (
            "the hub has no model org/tiny, or it is private, and no token was given",
            "→ is its name right? As it is typed here, its page would be https://huggingface.co/org/tiny; "
            "if it is private: export HF_TOKEN=… here, and ",
        ),
        (
            "the hub has no model org/tiny, or it is private and this token may not see it",
            "https://huggingface.co/org/tiny; if it is private, ask for access, or take another HF_TOKEN",
        ),
        (
            "the hub has no such revision: org/tiny v9; it has main, v1",
            "→ its branches and tags are at https://huggingface.co/org/tiny/tree/main; without --revision it is",
        ),
        (
            "the image has no huggingface_hub to download org/tiny: No module named 'huggingface_hub'",
            "→ take one that has it, as vLLM's own have: `image` (inventory.yaml:",
        ),
        (
            "the image has no huggingface_hub to download org/tiny: No module named 'huggingface_hub'",
            "; or download it on this machine, and `raycluster model copy --from laptop org/tiny` brings it to all",
        ),
        ("the hub does not know this token: Invalid username or password", "check HF_TOKEN"),
        ("the hub cannot be reached: https://huggingface.co: Network is unreachable", "env.HTTPS_PROXY"),
        ("61.0 GB are to come, and /root/.cache/huggingface/hub has 3.0 GB free", "free disk space there"),
    ],
)
def test_why_a_download_fails_is_told_with_what_to_do(
    words: str, fix: str, models: FakeFleet, raycluster: Raycluster
) -> None:
    models.streams(
        "gpu1", script("pull-models"), said({"trouble": "x", "words": words}), Output(1, stderr=words)
    )
    ran = raycluster("model", "pull", "org/tiny")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"gpu1  download org/tiny: {words} (exit code 1)\n" in ran.stderr
    assert fix in ran.stderr
    assert "What has come is kept" not in ran.stderr


def test_a_download_that_was_begun_goes_on_and_the_line_for_it_is_told(
    models: FakeFleet, raycluster: Raycluster
) -> None:
    words = "the hub cannot be reached: https://huggingface.co: Network is unreachable"
    trouble = said({"trouble": "no-hub", "words": words})
    far = said({"done": 1000, "of": 4000, "rate": 10})
    models.streams("gpu1", script("pull-models"), far, trouble, Output(1, stderr=words))
    ran = raycluster("model", "pull", "org/tiny")
    assert ran.exit_code == 1
    assert "What has come is kept: `raycluster model pull org/tiny` goes on.\n" in ran.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("/data/mine",), "/data/mine is a folder; the hub has ORG/NAME"),
        (("org/tiny", "--revision", "../x"), "is neither a branch, a tag nor a commit"),
        (("org/tiny", "--on", "gpu9"), 'no host matches "gpu9"'),
        (("gpu2",), "gpu2 is a host, and a model is named ORG/NAME: raycluster model pull -l gpu2 ORG/NAME"),
    ],
)
def test_what_cannot_be_downloaded_contacts_nobody(
    words: tuple[str, ...], why: str, hosts: FakeFleet, raycluster: Raycluster
) -> None:
    ran = raycluster("model", "pull", *words)
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert why in ran.stderr


def test_a_model_is_removed_where_it_is(models: FakeFleet, raycluster: Raycluster) -> None:
    models.on("gpu2", script("look-models"), holding())
    removed = said({"removed": "org/tiny", "there": True, "bytes": 1000})
    models.on("gpu1", script("remove-models"), Output(0, removed))
    ran = raycluster("model", "rm", "org/tiny", "-y")
    assert (ran.exit_code, ran.stdout) == (0, "org/tiny is gone from gpu1: 1 kB freed\n")
    assert not [
        each for each in models.sent if each.host == "gpu2" and each.command.script == "remove-models"
    ]


def test_a_model_that_is_served_stays_and_is_named(models: FakeFleet, raycluster: Raycluster) -> None:
    words = "org/tiny is served at this moment"
    refused = Output(1, said({"trouble": "served", "words": words}), f"{words}\n")
    models.on("*", script("remove-models"), refused)
    ran = raycluster("model", "rm", "org/tiny", "-y")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"gpu1, gpu2  remove org/tiny: {words} (exit code 1)" in ran.stderr
    assert "→ raycluster serve stop\n" in ran.stderr


def test_a_model_that_is_nowhere_is_nothing_to_do(models: FakeFleet, raycluster: Raycluster) -> None:
    models.on("*", script("look-models"), holding())
    ran = raycluster("model", "rm", "org/tiny")
    assert (ran.exit_code, ran.stdout) == (0, "org/tiny is on none of these hosts, nothing to do\n")


def test_a_folder_of_ones_own_is_not_removed(hosts: FakeFleet, raycluster: Raycluster) -> None:
    ran = raycluster("model", "rm", "/data/mine")
    assert (ran.exit_code, hosts.sent) == (2, [])
    assert "/data/mine is in no cache, and is yours to remove" in ran.stderr


def test_a_long_list_of_hosts_goes_on_below() -> None:
    assert wrapped("gpu1, gpu2, gpu3", 11) == ["gpu1, gpu2,", "gpu3"]
    assert wrapped("a-name-that-is-too-long, b", 5) == ["a-name-that-is-too-long,", "b"]

"""A person's words for vLLM, against the options that the image's vLLM has."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Model
from orchestrator.plan.facts.host import Unreachable
from orchestrator.plan.facts.vllm_options import BadFile, VllmOptions, parse_options
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving.completion import completed, is_doubtful, unread
from tests.typed_lines import plainly

NAMES = (
    ("-h", "--help"),
    ("--headless",),
    ("--config",),
    ("--config-format",),
    ("--host",),
    ("--port",),
    ("--api-key",),
    ("--model",),
    ("--max-model-len",),
    ("--max-num-seqs",),
    ("--served-model-name",),
    ("--tensor-parallel-size", "-tp"),
    ("--data-parallel-rank", "-dpn"),
    ("--data-parallel-rpc-port", "-dpp"),
    ("--nnodes", "-n"),
    ("--compilation-config", "-cc"),
    ("--quantization", "-q"),
    ("--enable-prefix-caching",),
    ("--chat-template",),
)
HAS = VllmOptions("0.32.0", NAMES, whole=True)


def model(args: str) -> Model:
    return Model("a/b", tuple(args.split()))


NONE, SERVE = "vLLM 0.32.0 has no such option", "raycluster serve a/b --"


def told(args: str, options: VllmOptions = HAS) -> str:
    """What is refused, and what to do."""
    refused = completed(model(args), options)
    assert isinstance(refused, Problem)
    return f"{refused.text} → {plainly(refused.fix)}"


def with_file(*words: str) -> VllmOptions:
    return VllmOptions("0.32.0", NAMES, whole=True, file=words)


@pytest.mark.parametrize(
    "args",
    [
        "",
        "--max-model-len 4096",
        "--max_model_len=4096",
        "--max-model 4096",
        "-tp 2 -n2 -q=awq",
        "-t 2",
        "--enable-prefix-caching --no-enable-prefix-caching",
        "--no-enable-prefix",
        "-cc.level 3 --compilation-config.x.y_z=1",
        "--compilation-config.sizes+ 4",
        "--compilation-config.level -whatever",  # the value of another
        "--served-model-name a b",
        "--max-num-seqs -1 --max-num-seqs -.5",
        "-O3 -O.level=2 -O",
        "-- --max-modle-len",
        "-",
        "-h",
    ],
)
def test_what_vllm_has_is_left_as_it_is(args: str) -> None:
    assert completed(model(args), HAS) == model(args)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            "--max-modle-len 4096",
            "--max-modle-len: vLLM 0.32.0 has no such option → raycluster serve a/b -- --max-model-len 4096",
        ),
        ("--max_modle_len=4096", f"--max-modle-len: {NONE} → {SERVE} --max-model-len=4096"),
        ("--tp 2", f"--tp: {NONE} → {SERVE} -tp 2"),
        ("-tp2", f"-tp2: {NONE} → {SERVE} -tp 2"),
        ("--max-model-lens.x 4", f"--max-model-lens: {NONE} → {SERVE} --max-model-len.x 4"),
        ("--no-hedless", f"--no-hedless: {NONE} → {SERVE} --no-headless"),
        (
            "--gpus 4",
            "--gpus: vLLM 0.32.0 has no such option → without it: `raycluster serve a/b`; it has these: ",
        ),
        (
            "--max 4",
            "--max may be --max-model-len, --max-num-seqs → "
            f"`{SERVE} --max-model-len 4`, or `{SERVE} --max-num-seqs 4`",
        ),
        ("--data-parallel-r 1", "--data-parallel-r may be --data-parallel-rank, --data-parallel-rpc-port → "),
        (
            "--config=a.yaml",
            "--config=a.yaml: vLLM reads no file after an equals sign → raycluster serve a/b -- --config a.yaml",
        ),
        (
            "--config a.yaml --config b.yaml",
            "--config is given 2 times, and vLLM takes one file → put all into one",
        ),
        (
            "--port 8001 --config",
            "--config: it names no file → as in `raycluster serve a/b -- --port 8001 --config /etc/vllm.yaml`",
        ),
    ],
)
def test_what_vllm_would_refuse_is_told_with_the_nearest_name(args: str, said: str) -> None:
    assert told(args).startswith(said)


KINDS = replace(
    HAS,
    names=(*NAMES, ("--enforce-eager",), ("--unknown-kind",)),
    flags=frozenset({"--enable-prefix-caching", "--enforce-eager", "--headless"}),
    want=frozenset({"--max-model-len", "--max-num-seqs", "--tensor-parallel-size", "-tp", "--nnodes", "-n"}),
)
NEITHER = "it is neither an option nor the value of one"
FORM = "`raycluster exec -l head -- vllm serve --help={}` shows which; without it: `raycluster serve a/b{}`"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--max-model-len", f"--max-model-len: vLLM wants a value → {FORM.format('max-model-len', '')}"),
        (
            "--max-model -tp 2",
            "--max-model is --max-model-len, and vLLM wants a value → "
            f"{FORM.format('max-model-len', ' -- -tp 2')}",
        ),
        ("-tp --enforce-eager", "-tp is --tensor-parallel-size, and vLLM wants a value → "),
        ("--max_num_seqs --", "--max_num_seqs is --max-num-seqs, and vLLM wants a value → "),
        (
            "--enforce-eager=yes -tp 2",
            f"--enforce-eager=yes: vLLM takes no value with it → {SERVE} -tp 2 --enforce-eager",
        ),
        (
            "--enforce yes",
            f"--enforce yes is --enforce-eager, and vLLM takes no value with it → {SERVE} --enforce-eager",
        ),
        ("--enable-prefix-caching true", "--enable-prefix-caching true: vLLM takes no value with it → "),
    ],
)
def test_a_value_that_is_missing_or_too_much_is_told(args: str, said: str) -> None:
    assert told(args, KINDS).startswith(said)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("max-model-len", "4096"), "max-model-len: it is neither an option nor the value of one → "),
        (("--max-model-len", "4096", "8192"), f"8192: {NEITHER} → {SERVE} --max-model-len 4096"),
        (("--served-model-name=a", "b"), f"b: {NEITHER} → {SERVE} --served-model-name=a"),
        (("--enforce-eager", "-tp", "2", "-1"), f"-1: {NEITHER} → {SERVE} --enforce-eager -tp 2"),
        (
            ("-tp", "2", "--max-model-len 4096"),
            f"--max-model-len 4096: these are two words in one → {SERVE} -tp 2 --max-model-len 4096",
        ),
        (("--host 10.0.0.1",), f"--host 10.0.0.1: these are two words in one → {SERVE} --host 10.0.0.1"),
    ],
)
def test_a_word_that_is_neither_option_nor_value_is_told(args: tuple[str, ...], said: str) -> None:
    refused = completed(Model("a/b", args), KINDS)
    assert isinstance(refused, Problem)
    assert f"{refused.text} → {plainly(refused.fix)}".startswith(said)


def test_of_an_image_whose_options_nobody_knows_no_word_is_judged() -> None:
    assert completed(model("a -tp 2 b"), VllmOptions("", (), whole=False)) == model("a -tp 2 b")


@pytest.mark.parametrize(
    "args",
    [
        "--max-model-len 4096 --max-num-seqs -1 --max-num=4 -tp 2 -n2 -n 2 --nnodes=2",
        "--enforce-eager --no-enforce-eager --enable-prefix -tp 2",
        "--served-model-name a b --unknown-kind --enforce-eager --unknown-kind yes",
        "--max-model-len=",
        "-cc.x 4 --compilation-config.y --max-model-len",  # the value of another
        "--chat-template -- --max-model-len",
    ],
)
def test_values_that_vllm_would_take_are_left_as_they_are(args: str) -> None:
    assert completed(model(args), KINDS) == model(args)


def test_a_value_that_lacks_in_a_file_is_told_with_the_file() -> None:
    has = replace(KINDS, file=("--max-model-len", "4", "--enforce-eager", "yes"))
    assert told("--config a.yaml", has) == (
        "a.yaml: --enforce-eager yes: vLLM takes no value with it → mend it in a.yaml"
    )


def test_a_line_that_shows_all_options_is_given_where_none_is_like_it() -> None:
    assert "`raycluster exec -l head -- vllm serve --help=all`" in told("--gpus 4")


def test_where_the_image_has_no_vllm_nothing_is_judged() -> None:
    assert completed(model("--gpus 4"), VllmOptions("", (), whole=False)) == model("--gpus 4")


@pytest.mark.parametrize(
    ("args", "whole", "doubt"),
    [
        ("--max-model-len 4", False, False),
        ("--gpus 4", False, True),
        ("--gpus 4", True, False),
        ("--max-modle-len 4", False, True),
    ],
)
def test_vllms_own_parser_is_asked_only_of_a_word_that_a_plugin_may_have_added(
    args: str, whole: bool, doubt: bool
) -> None:
    assert is_doubtful(model(args), VllmOptions("0.32.0", NAMES, whole)) is doubt


def test_a_file_is_read_for_its_words_which_come_first_so_that_the_command_line_wins() -> None:
    done = completed(
        model("--port 9001 --config /a.yaml -tp 2"),
        with_file("--port", "9000", "--max-model-len", "4096"),
    )
    assert done == model("--port 9000 --max-model-len 4096 --port 9001 -tp 2")


def test_the_model_of_a_file_is_not_the_one_that_is_served() -> None:
    done = completed(model("--config /a.yaml"), with_file("--model", "x/y", "--port", "9000"))
    assert done == model("--port 9000")


def test_an_option_of_a_file_that_vllm_has_not_is_told_with_the_file() -> None:
    said = told("--config /a.yaml", with_file("--max-modle-len", "4096"))
    assert said == "/a.yaml: max-modle-len: vLLM 0.32.0 has no such option → write max-model-len"


def test_a_key_in_a_file_would_be_seen_on_the_command_line() -> None:
    said = told("--config /a.yaml", with_file("--api-key", "s3cret"))
    assert said.startswith("--config /a.yaml: a key in a file would be on vLLM's command line")
    assert "VLLM_API_KEY" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("bad", "words", "said"),
    [
        (
            BadFile.SUFFIX,
            "",
            f"vLLM takes files that end in .yaml or .yml → give it such a name: `{SERVE} --config /a.d/b.yaml`",
        ),
        (
            BadFile.ABSENT,
            "No such file",
            "the head's container cannot read it: No such file → it is a file in the "
            "containers: mount it there, in the inventory, write `docker: {args: [-v, /a.d/b.c:/a.d/b.c:ro]}`, then ",
        ),
        (BadFile.UNREADABLE, "line 3", "it cannot be read as YAML: line 3 → mend the file"),
    ],
)
def test_a_file_that_vllm_could_not_read_is_told_before_anything_starts(
    bad: BadFile, words: str, said: str
) -> None:
    options = VllmOptions("0.32.0", NAMES, whole=True, bad=bad, words=words)
    assert told("--config /a.d/b.c", options).startswith(f"--config /a.d/b.c: {said}")


def test_where_nobody_tells_the_options_vllm_judges_by_itself_unless_there_is_a_file() -> None:
    why = Unreachable("no answer")
    assert unread(model("--gpus 4"), why) == model("--gpus 4")
    refused = unread(model("--config /a.yaml"), why)
    assert isinstance(refused, Problem)
    assert refused.text == "--config /a.yaml: no answer"


def test_the_answer_of_the_program_is_read_whatever_importing_vllm_prints_before() -> None:
    line = '{"version": "1", "names": [["-h", "--help"]], "all": true, "file": ["--port", "9"]}'
    assert parse_options(f"INFO hello\n\x1e{line}\n", "") == VllmOptions(
        "1", (("-h", "--help"),), whole=True, file=("--port", "9")
    )


@pytest.mark.parametrize("said", ["", "\x1e{}", "\x1e[]", '\x1e{"version": 1, "names": 2, "all": 3}', "{}"])
def test_what_is_no_answer_is_told_as_none(said: str) -> None:
    assert isinstance(parse_options(said, "docker: no"), Unreachable)


# --- what an older vLLM had, and other servers have ---

NOW = VllmOptions(
    "0.32.0",
    (
        *NAMES,
        *(("--runner",), ("--distributed-executor-backend",), ("--structured-outputs-config",)),
        *(("--speculative-config", "-sc"), ("--enable-log-requests",), ("--reasoning-parser",)),
        *(
            ("--device-ids",),
            ("--device-memory-utilization",),
            ("--mm-processor-cache-gb",),
            ("--hf-overrides",),
        ),
    ),
    whole=True,
)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("--task embed", f"{SERVE} --runner pooling"),
        ("--task=generate -tp 2", f"{SERVE} -tp 2"),
        ("--disable-log-requests", "raycluster serve a/b"),  # its likest name is the opposite
        ("--disable_log_requests -tp 2", f"{SERVE} -tp 2"),
        ("--enable-reasoning --reasoning-parser qwen3", f"{SERVE} --reasoning-parser qwen3"),
        ("--worker-use-ray", f"{SERVE} --distributed-executor-backend ray"),
        ("--device cuda", "raycluster serve a/b"),
        ("--swap-space 4 -tp 2", f"{SERVE} -tp 2"),
        ("--guided-decoding-backend xgrammar", f"{SERVE} --structured-outputs-config.backend xgrammar"),
        (
            "--speculative-model x/y --num-speculative-tokens 5",
            f"{SERVE} --speculative-config.model x/y --speculative-config.num_speculative_tokens 5",
        ),
        ("--disable-mm-preprocessor-cache", f"{SERVE} --mm-processor-cache-gb 0"),
        ("--context-length 4096", f"{SERVE} --max-model-len 4096"),
        ("--tp-size 2", f"{SERVE} --tensor-parallel-size 2"),
    ],
)
def test_an_option_that_is_gone_is_told_with_what_does_the_same_now(args: str, line: str) -> None:
    assert told(args, NOW).endswith(f"{NONE} → {line}")
    assert completed(model(line.partition(" -- ")[2]), NOW) == model(line.partition(" -- ")[2])


OLDER = replace(
    NOW,
    version="0.10.2",
    names=(
        *NAMES,
        *(("--guided-decoding-backend",), ("--cuda-graph-sizes",), ("--override-pooler-config",)),
        *(("--num-redundant-experts",), ("--disable-mm-preprocessor-cache",), ("--task",)),
    ),
)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("--structured-outputs-config.backend xgrammar", f"{SERVE} --guided-decoding-backend xgrammar"),
        ("--structured-outputs-config.backend=auto -tp 2", f"{SERVE} --guided-decoding-backend auto -tp 2"),
        ("--cudagraph_capture_sizes 8", f"{SERVE} --cuda-graph-sizes 8"),
        ("--eplb-config.num_redundant_experts 2", f"{SERVE} --num-redundant-experts 2"),
        ("--mm-processor-cache-gb 0", f"{SERVE} --disable-mm-preprocessor-cache"),
    ],
)
def test_an_option_that_an_older_vllm_lacks_is_told_with_what_did_the_same(args: str, line: str) -> None:
    assert told(args, OLDER).endswith(f"vLLM 0.10.2 has no such option → {line}")
    assert completed(model(line.partition(" -- ")[2]), OLDER) == model(line.partition(" -- ")[2])


def test_an_older_option_that_says_something_else_is_not_told() -> None:
    assert "--disable-mm-preprocessor-cache" not in told("--mm-processor-cache-gb 8", OLDER)
    assert "--max-len" not in told("--max-model-len 8", replace(OLDER, names=(("--max-len",),)))


def test_an_option_that_is_gone_is_left_to_an_image_that_has_it() -> None:
    older = replace(NOW, names=(*NOW.names, ("--task",), ("--swap-space",)))
    assert completed(model("--task embed --swap-space 4"), older) == model("--task embed --swap-space 4")


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("--task embed", "write runner: pooling"),
        ("--task generate", "take it out"),
        ("--disable-log-requests", "take it out"),
        ("--device cuda", "take it out"),
        ("--worker-use-ray", "write distributed-executor-backend: ray"),
        ("--max-length 4096", "write max-model-len: 4096"),
        ("--tp-size 2", "write tensor-parallel-size: 2"),
    ],
)
def test_what_is_gone_of_a_file_is_told_with_what_to_write_there(words: str, fix: str) -> None:
    name = words.split(maxsplit=1)[0][2:]
    options = replace(NOW, file=("--port", "9000", *words.split()))
    assert told("--config a.yaml", options) == f"a.yaml: {name}: {NONE} → {fix}"


def test_the_value_that_an_option_which_is_gone_lacks_is_not_the_next_option() -> None:
    assert told("--device --max-num-seqs 8", NOW).endswith(f"{NONE} → {SERVE} --max-num-seqs 8")


def test_what_cannot_be_put_into_other_words_is_told_where_it_goes() -> None:
    assert "--hf-overrides" in told("--rope-scaling {}", NOW)

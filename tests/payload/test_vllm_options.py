"""Options of an image's vLLM, of its sources or its parser; a package that only looks like it stands for vLLM."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator import payload

SERVE = """\
import argparse
from vllm.{module} import (
    make_arg_parser,
    validate_parsed_serve_args,
)

class Serve:
    def subparser_init(self, subparsers):
        return make_arg_parser(subparsers.add_parser("serve"))

def cmd_init():
    return [Serve()]
"""
FRONT_END = """\
import pathlib
from dataclasses import dataclass, fields
from vllm.engine.arg_utils import add_cli_args

@dataclass
class BaseFrontendArgs:
    chat_template: str = ""

@dataclass
class FrontendArgs(BaseFrontendArgs):
    port: int = 8000
    \"\"\"A port.\"\"\"

def validate_parsed_serve_args(args):
    pass

def make_arg_parser(parser):
    print("INFO importing")
    log = pathlib.Path(__file__).with_name("asked")
    log.write_text((log.read_text() if log.exists() else "") + "x")
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument(
        "--api-server-count",
        "-asc", type=int)
    for field in fields(FrontendArgs):
        parser.add_argument(f"--{{field.name.replace('_', '-')}}")
    {plugin}
    return add_cli_args(parser)
"""
ENGINE = """\
def add_cli_args(parser):
    group = parser.add_argument_group("many")
    group.add_argument("--tensor-parallel-size", "-tp", type=int)
"""
PARSERS = "import argparse\nFlexibleArgumentParser = argparse.ArgumentParser\n"
NAMES = {
    ("-h", "--help"),
    ("--api-server-count", "-asc"),
    ("--chat-template",),
    ("--port",),
    ("--tensor-parallel-size", "-tp"),
}


class Image:
    """A folder that is the container's: packages, and the place where we keep things."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = folder / "kept"

    def write(self, path: str, text: str) -> None:
        file = self.folder / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def vllm(self, module: str = "entrypoints.openai.cli_args", plugin: str = "", options: int = 0) -> None:
        self.write("vllm/entrypoints/cli/serve.py", SERVE.format(module=module))
        self.write(f"vllm/{module.replace('.', '/')}.py", FRONT_END.format(plugin=plugin))
        more = "".join(f'    group.add_argument("--more-{count}")\n' for count in range(options))
        self.write("vllm/engine/arg_utils.py", ENGINE + more + "    return parser\n")
        self.write("vllm/utils/argparse_utils.py", PARSERS)
        self.write("vllm-0.dist-info/METADATA", "Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n")

    def ask(self, act: str, file: object = "") -> Any:
        text = payload.program("vllm_options").replace("/var/tmp/raycluster", str(self.kept))
        assert str(self.kept) in text
        done = subprocess.run(
            [sys.executable, "-c", text, act, str(file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={"PYTHONPATH": str(self.folder / "site")},
        )
        return json.loads(done.stdout.rpartition("\x1e")[2])

    @property
    def asked(self) -> int:
        """How often the parser was made."""
        return sum(len(file.read_text()) for file in self.folder.glob("site/vllm/**/asked"))


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


def names(told: Any) -> set[tuple[str, ...]]:
    return {tuple(each) for each in told["names"]}


@pytest.mark.parametrize("module", ["entrypoints.openai.cli_args", "entrypoints.launchers.cli_args"])
@pytest.mark.parametrize("act", ["sources", "parser"])
def test_the_sources_and_the_parser_tell_the_same(image: Image, module: str, act: str) -> None:
    image.vllm(module)
    told = image.ask(act)
    assert names(told) == NAMES
    assert told["version"] == "0.32.0+cpu"
    assert image.asked == (act == "parser")


KINDS = """\
class EngineArgs:
    max_model_len: int = 0
    dtype: Literal["auto", "half"] = "auto"
    tokenizer: Optional[str] = None
    swap_space: float | None = None
    enforce_eager: bool = False
    enable_prefix_caching: "bool | None" = None
    hf_token: bool | str | None = None
    compilation_config: CompilationConfig = None
    served_model_name: str | list[str] = None
    revision: str = ""

def add_cli_args(parser):
    add = parser.add_argument
    parser.add_argument("--max-model-len", **kwargs["max_model_len"])
    parser.add_argument("--dtype", **kwargs["dtype"])
    parser.add_argument("--tokenizer", **kwargs["tokenizer"])
    parser.add_argument("--swap-space", **kwargs["swap_space"])
    parser.add_argument("--enforce-eager", **kwargs["enforce_eager"])
    parser.add_argument("--enable-prefix-caching", **kwargs["enable_prefix_caching"])
    parser.add_argument("--hf-token", type=str, nargs="?", **kwargs["hf_token"])
    parser.add_argument("--compilation-config", "-cc", **kwargs["compilation_config"])
    parser.add_argument("--served-model-name", **kwargs["served_model_name"])
    parser.add_argument("--revision", type=str, nargs="?")
    parser.add_argument("--tensor-parallel-size", "-tp", type=int)
    parser.add_argument("--disable-log-stats", action="store_true")
    parser.add_argument("--enable-lora", action=argparse.BooleanOptionalAction)
    return parser
"""


def test_of_plain_types_the_sources_tell_who_wants_a_value_and_of_others_nobody_is_judged(
    image: Image,
) -> None:
    image.vllm()
    image.write("vllm/engine/arg_utils.py", KINDS)
    told = image.ask("sources")
    assert set(told["flags"]) == {"--enforce-eager", "--disable-log-stats", "--enable-lora"}
    assert set(told["want"]) == {
        *("--max-model-len", "--dtype", "--tokenizer", "--swap-space", "--tensor-parallel-size", "-tp"),
        *("--api-server-count", "-asc", "--chat-template", "--port"),
    }


def test_the_parser_tells_the_same_of_each(image: Image) -> None:
    more = 'parser.add_argument("--flag", action="store_true"); parser.add_argument("--maybe", nargs="?")'
    more += '; parser.add_argument("--several", nargs="+")'
    image.vllm(plugin=more)
    told = image.ask("parser")
    assert set(told["flags"]) == {"-h", "--help", "--flag"}
    assert {"--maybe", "--several"} < {name for each in told["names"] for name in each}
    assert set(told["want"]) == {name for each in NAMES for name in each} - {"-h", "--help"}
    assert image.ask("sources") == told  # as the parser has told


def test_sources_with_as_many_options_as_vllm_has_tell_all(image: Image) -> None:
    image.vllm()
    assert image.ask("sources")["all"] is False
    image.vllm(options=100)
    assert image.ask("sources")["all"] is True


def test_what_a_plugin_adds_the_parser_alone_tells_and_it_is_asked_once(image: Image) -> None:
    image.vllm(plugin='getattr(parser, "add_" + "argument")("--of-a-plugin")', options=100)
    image.write("p-0.dist-info/METADATA", "Metadata-Version: 2.1\nName: p\nVersion: 0\n")
    image.write("p-0.dist-info/entry_points.txt", "[vllm.platform_plugins]\np = p:p\n")
    before = image.ask("sources")
    assert (("--of-a-plugin",) in names(before), before["all"]) == (False, False)
    assert ("--of-a-plugin",) in names(image.ask("parser"))
    after = image.ask("sources")
    assert (("--of-a-plugin",) in names(after), after["all"], image.asked) == (True, True, 1)
    image.vllm(options=101)
    assert image.ask("sources")["all"] is False  # another vLLM


def test_vllms_own_plugins_add_no_option(image: Image) -> None:
    image.vllm(options=100)
    own = "[vllm.general_plugins]\nlora = vllm.plugins.lora_resolvers:register\n"
    image.write("vllm-0.dist-info/entry_points.txt", own)
    assert image.ask("sources")["all"] is True


def test_an_image_without_vllm_has_none(image: Image) -> None:
    assert image.ask("sources") == {"version": "", "all": False, "names": [], "flags": [], "want": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port: 9000\nmax-model-len: 4096\n", ["--port", "9000", "--max-model-len", "4096"]),
        ("tensor_parallel_size: 4", ["--tensor_parallel_size", "4"]),
        ("headless: true\nenforce-eager: false", ["--headless"]),
        ("served-model-name: [a, 'b c']\nlora-modules: []", ["--served-model-name", "a", "b c"]),
        ("compilation-config: {level: 3}", ["--compilation-config", '{"level": 3}']),
        ("host: '::1' # here\nquantization:", ["--host", "::1", "--quantization", "None"]),
    ],
)
def test_a_file_stands_for_the_words_that_vllm_makes_of_it(image: Image, text: str, words: list[str]) -> None:
    file = image.folder / "serve.yaml"
    file.write_text(text)
    assert image.ask("sources", file)["file"] == words


@pytest.mark.parametrize(
    ("name", "text", "trouble"),
    [
        ("serve.yaml", None, "absent"),
        ("serve.json", "port: 1", "suffix"),
        ("serve", "port: 1", "suffix"),
        ("serve.yml", "port: [", "unreadable"),
        ("serve.yml", "- port", "unreadable"),
        ("serve.yml", "", "unreadable"),
        ("serve.yml", "1: 2", "unreadable"),
    ],
)
def test_a_file_that_vllm_could_not_take_is_told(
    image: Image, name: str, text: str | None, trouble: str
) -> None:
    file = image.folder / name
    if text is not None:
        file.write_text(text)
    told = image.ask("sources", file)
    assert told["trouble"] == trouble
    assert "file" not in told

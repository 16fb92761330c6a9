"""Options that the image's `vllm serve` has, and what a file of further ones says, sent as text.

python3 -c TEXT sources FILE    reads vLLM's sources, in a moment; its parser's answer where that was asked before
python3 -c TEXT parser FILE     asks vLLM's parser, which imports all of vLLM: half a minute

FILE: the value of `--config`, or nothing. Prints a line of JSON: the version, the spellings of each option, whether
these are `all`, which of them are `flags` and which `want` one value, as far as that is sure, and the words that the
file stands for.
"""

import ast
import hashlib
import importlib.util
import json
import os
import sys
from importlib import metadata

MARK = "\x1e"
PLACE = "/var/tmp/raycluster"  # the one place that every image lets everybody write to
COMMAND = "entrypoints/cli/serve.py"
FRONT_END = (
    "make_arg_parser"  # what the command imports to make its parser, from another module in each version
)
ENGINE = "engine/arg_utils.py"
FIELDS = "FrontendArgs"  # classes named so have an option for each of their fields
PLUGINS = ("vllm.platform_plugins", "vllm.general_plugins")  # what may add options
ENOUGH = 100  # vLLM 0.11 has 180 options; fewer are not all
ITSELF = ["-h", "--help"]
FLAGS = ("store_true", "store_false", "BooleanOptionalAction")
VALUES = ({"int"}, {"float"}, {"str"}, {"Literal"})


def main(act, file):
    found = options(act) or {"version": "", "all": False, **sorted_out([])}
    print(MARK + json.dumps({**found, **(contents(file) if file else {})}), flush=True)


def options(act):
    """None where there is no vLLM."""
    spec = importlib.util.find_spec("vllm")
    folder = next(iter(spec.submodule_search_locations or []), "") if spec else ""
    if not folder:
        return None
    texts = [text_of(os.path.join(folder, each)) for each in (front_end(folder), ENGINE)]
    plugins = sorted(str(each) for each in plugged())
    key = hashlib.sha256("\n".join([folder, version(), *texts, *plugins]).encode()).hexdigest()[:16]
    kept = os.path.join(PLACE, f"vllm-values-of-options-{key}.json")
    if act == "parser":
        told = sorted_out(parsed())
        keep(kept, told)
        return {"version": version(), "all": True, **told}
    told = remembered(kept)
    if told:
        return {"version": version(), "all": True, **told}
    told = sorted_out([(ITSELF, None), *(each for text in texts for each in written(text))])
    whole = all(texts) and len(told["names"]) > ENOUGH and not plugins
    return {"version": version(), "all": whole, **told}


def sorted_out(found):
    """Of options with their spellings, and whether each takes a value, which may not be known."""
    return {
        "names": [names for names, _ in found],
        "flags": [name for names, takes in found if takes is False for name in names],
        "want": [name for names, takes in found if takes for name in names],
    }


def front_end(folder):
    """The file that has the options of the HTTP server."""
    for node in ast.walk(ast.parse(text_of(os.path.join(folder, COMMAND)))):
        if isinstance(node, ast.ImportFrom) and FRONT_END in (each.name for each in node.names):
            return node.module.partition(".")[2].replace(".", "/") + ".py"
    return ""


def version():
    try:
        return metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return ""


def plugged():
    """Plugins of others: vLLM's own, of which each release has some, add no option."""
    found = metadata.entry_points()
    for group in PLUGINS:
        for each in found.select(group=group) if hasattr(found, "select") else found.get(group, ()):
            if not each.value.startswith("vllm."):
                yield each


def text_of(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def written(text):
    """Each option's spellings, as far as a source has them in so many words, and whether it takes a value."""
    tree = ast.parse(text)
    fields = {
        each.target.id: takes(each.annotation)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            words = [each.value for each in node.args if isinstance(each, ast.Constant)]
            names = [word for word in words if isinstance(word, str) and word.startswith("-")]
            if names:
                yield names, told(node, fields.get(max(names, key=len)[2:].replace("-", "_")))
        elif isinstance(node, ast.ClassDef) and node.name.endswith(FIELDS):
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    yield ["--" + each.target.id.replace("_", "-")], fields[each.target.id]


def takes(annotation):
    """Whether an option of that type takes a value: of truth values none, one of a plain type does; None: who knows."""
    names = {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)} - {
        "Optional"
    }  # or `| None`
    if names == {"bool"}:
        return False
    return True if names in VALUES else None


def told(call, field):
    """The same of a call, which may leave it to the field of that name."""
    said = {each.arg: each.value for each in call.keywords}
    if "action" in said:
        action = getattr(said["action"], "value", None)
        name = action if isinstance(action, str) else getattr(said["action"], "attr", "")
        return False if name in FLAGS else None
    if "nargs" in said:
        return None
    return field if None in said else True


def parsed():
    from vllm.entrypoints.cli.serve import cmd_init

    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:  # before 0.11.1
        from vllm.utils import FlexibleArgumentParser
    (command,) = cmd_init()
    parser = command.subparser_init(FlexibleArgumentParser(prog="vllm").add_subparsers())
    actions = [each for each in parser._actions if each.option_strings]  # noqa: SLF001
    # Those that take several values, or none, tell of neither.
    return [(list(each.option_strings), None if each.nargs else each.nargs is None) for each in actions]


def keep(path, found):
    try:
        os.makedirs(PLACE, mode=0o700, exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(path + ".new", path)
    except OSError:
        pass  # it is asked again


def remembered(path):
    try:
        return json.loads(text_of(path))
    except ValueError:
        return None


def contents(path):
    """The words that vLLM makes of the file; or why it could make none."""
    if path.rpartition(".")[2] not in ("yaml", "yml"):
        return {"trouble": "suffix"}
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        return {"trouble": "absent", "words": error.strerror or str(error)}
    try:
        import yaml

        told = yaml.safe_load(text)
    except Exception as error:
        return {"trouble": "unreadable", "words": " ".join(str(error).split())}
    if not isinstance(told, dict) or not all(isinstance(key, str) for key in told):
        return {"trouble": "unreadable", "words": "it has no options, as in `port: 8001`"}
    return {"file": [word for key, value in told.items() for word in words(key, value)]}


def words(key, value):
    """As `load_config_file` of vLLM's parser, 0.11.0 to 0.33.0: what is false, is nothing."""
    if isinstance(value, bool):
        return ["--" + key] if value else []
    if isinstance(value, list):
        return ["--" + key, *map(str, value)] if value else []
    return ["--" + key, json.dumps(value) if isinstance(value, dict) else str(value)]


if __name__ == "__main__":
    main(*sys.argv[1:])

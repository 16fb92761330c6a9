"""The keys on docs/configuration.md, made from the inventory's models, its JSON Schema and the example.

`python -m tests.docs.configuration` writes them anew.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from orchestrator.model.inventory import arguments
from orchestrator.model.inventory.example import NAME, example
from orchestrator.model.inventory.json_schema import of_inventory
from orchestrator.model.inventory.models import Inventory

from .pages import ROOT

PAGE = ROOT / "docs/configuration.md"
MARKS = re.compile(r"(?s)(<!-- keys: [^\n]* -->\n).*(<!-- end -->)")

SECTIONS = {
    "Inventory": ("The cluster", "At the top of the file."),
    "Host": ("A host", "Under `head`, and for each item of `workers`."),
    "Image": ("`image`", "As a map; otherwise its `from` alone."),
    "Ssh": ("`ssh`", "Of the cluster or of a host. What is not written is as `~/.ssh/config` has it."),
    "Docker": ("`docker`", "Of the cluster or of a host."),
    "Ray": ("`ray`", "Of the cluster; a host may have `args` and `num_gpus`."),
    "Serve": ("`serve`", "Of the cluster."),
}
"""Each map of the inventory by its model's name: its heading, and where it stands."""

SAME_AS = {"HostRay": "Ray"}
"""A map that is a part of another has no section of its own."""

DEFAULTS = {
    ("Host", "ip"): "its one address in `network`",
    ("Host", "name"): "`host`",
    ("Ssh", "user"): "`~/.ssh/config`, else your name here",
    ("Ssh", "port"): "`~/.ssh/config`, else 22",
    ("Ssh", "key"): "your agent, and the keys of `~/.ssh/config`",
    ("Ssh", "host_keys"): "`StrictHostKeyChecking`, or `strict`",
    ("Ssh", "jump"): "`~/.ssh/config`",
    ("Ssh", "connect_timeout"): "`~/.ssh/config`, else 10",
    ("Ray", "num_gpus"): "as many as Ray finds",
}
"""Defaults that are no fixed value."""

NONE = "–"  # noqa: RUF001 - a dash
REFUSED = {
    "Docker": ("args", arguments.NOT_FOR_DOCKER),
    "Ray": ("args", arguments.NOT_FOR_RAY),
    "Serve": ("args", arguments.NOT_FOR_VLLM),
}

Schema = Mapping[str, Any]


def keys() -> str:
    """All sections of the page that are generated."""
    schema = of_inventory()
    parts = {"Inventory": schema, **schema["$defs"]}
    unknown = set(parts) - set(SECTIONS) - set(SAME_AS)
    assert not unknown, f"SECTIONS lacks {unknown}"
    examples = {name: dict(written(name)) for name in SECTIONS}
    return "\n".join(_section(name, parts[name], examples[name]) for name in SECTIONS)


def _section(name: str, part: Schema, examples: Mapping[str, Any]) -> str:
    """A table of a map's keys, in the order in which the example has them."""
    title, place = SECTIONS[name]
    forms = part["properties"]
    assert set(forms) == set(examples), f"{NAME}: {set(forms) ^ set(examples)} under {title}"
    defaults = {key: _default(name, key, forms[key], part.get("required", ())) for key in examples}
    rows = [
        f"| `{key}` | {_meaning(forms[key])} | {defaults[key]} | {_example(key, forms[key], examples)} |"
        for key in examples
    ]
    table = "\n".join(["| key | meaning | default | example |", "|---|---|---|---|", *rows])
    return f"### {title}\n\n{place}\n\n{table}\n{_refused(name)}"


def _meaning(form: Schema) -> str:
    return str(form["description"]).replace("|", r"\|")


def _default(name: str, key: str, form: Schema, required: Collection[str]) -> str:
    if key in required:
        return "required"
    if "default" in form:
        return f"`{form['default']:g}`" if isinstance(form["default"], float) else f"`{form['default']}`"
    of_cluster = "the cluster's" if name == "Host" and key in Inventory.entries() else NONE
    return DEFAULTS.get((name, key), of_cluster)


def _example(key: str, form: Schema, examples: Mapping[str, Any]) -> str:
    """The example's value; of a map that has a section, where that is."""
    linked = [SAME_AS.get(name, name) for name in re.findall(r"#/\$defs/(\w+)", str(form))]
    if linked:
        title = SECTIONS[linked[0]][0]
        return f"[{title}](#{re.sub(r'[^a-z -]', '', title.lower()).replace(' ', '-')})"
    return f"`{key}: {flow(examples[key])}`".replace("|", r"\|")


def _refused(name: str) -> str:
    """The arguments that may not be given in a list, and why."""
    if name not in REFUSED:
        return ""
    key, refused = REFUSED[name]
    reasons: dict[str, list[str]] = {}
    for option, why in refused.items():
        reasons.setdefault(why, []).append(f"`{option}`")
    lines = [f"- {', '.join(options)}: {why}" for why, options in reasons.items()]
    return "\n".join([f"\nNot in `{key}`:\n", *lines, ""])


def written(name: str) -> Iterator[tuple[str, Any]]:
    """Each key of a map, with a value that the example has for it."""
    file = yaml.load(example(), yaml.BaseLoader)
    maps = {"Inventory": [file], "Host": [file["head"], *file["workers"]]}.get(name) or [file[name.lower()]]
    for each in maps:
        yield from each.items()


def flow(value: object) -> str:
    """A value as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_inner(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_inner, value)) + "]"
        case _:
            return str(value)


def _inner(value: object) -> str:
    text = flow(value)
    return f"'{text}'" if isinstance(value, str) and re.search(r"""[\[\]{},"]""", text) else text


def page() -> str:
    """The whole page as it should be."""
    return MARKS.sub(lambda found: f"{found[1]}\n{keys()}\n{found[2]}", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())

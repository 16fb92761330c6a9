"""Values full of quotes, code and blanks: what the container has is what the file says."""

import base64
import json
import shlex

from .host import Host
from .lab import Lab

CONTAINER = "raycluster-lab-gpu1"
LONGEST_SECRET = 65_535  # bytes, the name included

CODE = (
    "it is $HOME",
    "it is ${HOME}",
    "it is $(id)",
    "it is `id`",
    "a; id",
    "a && id",
    "a | id",
    "> /tmp/x",
    "!!",
    "*",
    "~",
    "%s",
    "{{.ID}}",
)
QUOTES = ("'", '"', "'\"'", "\\", "\\'", "a\\", "\\n", "'; id; '", '"; id; "', "$'\\x41'")
BLANKS = (
    "",
    " ",
    "  both ends  ",
    "\t",
    "two\nlines",
    "\n",
    "ends\n",
    "a\r\nb",
    "\r",
    "\x0b\x0c",
    "\u00a0",
    "\u2028",
)
MARKS = (
    "-",
    "--",
    "-e",
    "--rm",
    "=",
    "a=b=c",
    "#",
    "# no comment",
    ":",
    "a:b:c",
    ",",
    "[1-3]",
    "null",
    "0755",
)
SIGNS = (
    "\x01",
    "\x1b[2J",
    "\x1e",
    "\x1f",
    "\x7f",
    "\x85",
    "\x9b",
    "\u202e",
    "\ufeff",
    "\ufffe",
    "é",
    "日本",
    "x" * 20_000,
)
TEXTS = (*CODE, *QUOTES, *BLANKS, *MARKS, *SIGNS)

ENV = {f"ENV_{number}": text for number, text in enumerate(TEXTS)}
ARGUMENTS = {f"ARG_{number}": text for number, text in enumerate(TEXTS)}
LABELS = {f"label.{number}": text for number, text in enumerate(TEXTS)}
FOLDER = '/root/it\'s $(id) "a" `b` \\ * é 日本 --rm; x'
MOUNTED = '/mnt/"it\'s" $(id)'
RESOURCES = json.dumps({'it\'s $(id) `x` \\ "quoted" é': 1.0}, ensure_ascii=False)
SECRETS = {
    f"SECRET_{number}": text
    for number, text in enumerate(("  both ends  ", "\ta\t", "\U0001f680", *CODE, *QUOTES, *MARKS, *SIGNS))
    if text.splitlines() == [text]
} | {"LONG": "x" * (LONGEST_SECRET - len("LONG="))}


def arguments() -> list[str]:
    given = [word for name, text in ARGUMENTS.items() for word in ("-e", f"{name}={text}")]
    labels = [f"--label={name}={text}" for name, text in LABELS.items()]
    return [*given, *labels, "-v", f"{FOLDER}/more:{MOUNTED}:ro"]


def inspected(host: Host, part: str) -> object:
    return json.loads(host.docker("container", "inspect", "--format", f"{{{{json {part}}}}}", CONTAINER))


def of_first_process(host: Host, file: str) -> list[str]:
    """A record of the container's first process, byte by byte."""
    raw = base64.b64decode(host.docker("exec", CONTAINER, "base64", "-w0", f"/proc/1/{file}"))
    return raw.decode().split("\0")[:-1]


def test_what_the_file_says_is_what_the_container_has(lab: Lab) -> None:
    gpu1 = lab.hosts["gpu1"]
    inventory = lab.inventory(
        workers=None,
        env=ENV,
        hf_home=FOLDER,
        secrets=list(SECRETS),
        docker={"args": arguments()},
        ray={"args": [f"--resources={RESOURCES}"]},
    )
    up = lab.raycluster("up", inventory, "-vv", env=SECRETS)
    assert up.returncode == 0, up.stderr

    wanted = {**ENV, **ARGUMENTS, **SECRETS}
    for env in (inspected(gpu1, ".Config.Env"), of_first_process(gpu1, "environ")):
        assert isinstance(env, list)
        given = dict(pair.split("=", 1) for pair in env)
        assert {name: given.get(name) for name in wanted} == wanted
    labels = inspected(gpu1, ".Config.Labels")
    assert isinstance(labels, dict)
    assert {name: labels[name] for name in LABELS} == LABELS
    binds = inspected(gpu1, ".HostConfig.Binds")
    assert isinstance(binds, list)
    assert {f"{FOLDER}:/root/.cache/huggingface", f"{FOLDER}/more:{MOUNTED}:ro"} <= set(binds)
    assert f"--resources={RESOURCES}" in of_first_process(gpu1, "cmdline")
    gpu1.run("test", "-d", f"{FOLDER}/more")

    again = lab.raycluster("up", inventory, env=SECRETS)
    assert again.returncode == 0, again.stderr
    assert "is up already, nothing to do" in again.stdout
    assert lab.raycluster("status", inventory).returncode == 0
    told = "".join((up.stdout, up.stderr, *(log.read_text() for log in lab.home.rglob("*.log"))))
    assert SECRETS["LONG"] not in told
    assert lab.raycluster("down", inventory).returncode == 0


def test_the_script_gives_the_container_the_same(lab: Lab) -> None:
    gpu1 = lab.hosts["gpu1"]
    inventory = lab.inventory(workers=None, engine="mp", env=ENV, secrets=["S"], docker={"args": arguments()})
    secret = "  '\"$HOME`#= é  "
    script = lab.raycluster("up", inventory, "-o", "sh", env={"S": secret})
    assert script.returncode == 0, script.stderr
    ran = lab.laptop(["bash"], env={"S": secret}, input=script.stdout)
    assert ran.returncode == 0, ran.stderr
    given = dict(pair.split("=", 1) for pair in of_first_process(gpu1, "environ"))
    wanted = {**ENV, **ARGUMENTS, "S": secret}
    assert {name: given.get(name) for name in wanted} == wanted
    assert lab.raycluster("up", inventory, env={"S": secret}).stdout.count("is up already") == 1
    assert shlex.quote(secret) not in script.stdout

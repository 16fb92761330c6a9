"""Every rule of the inventory: what breaks it, and the very line that says so."""

import json

import pytest

from orchestrator.model.inventory.mistakes import InventoryError
from orchestrator.model.inventory.parse import FOREIGN, parse
from orchestrator.model.inventory.yaml_source import Source, from_text

TOP = "cluster: demo\nimage: vllm\n"
HEAD = "head: {host: gpu1, ip: 10.0.0.1}\n"
LINE_4 = TOP + HEAD
WORKER = LINE_4 + "workers:\n"


def mistakes(text: str) -> list[str]:
    source = from_text(text, "f")
    assert isinstance(source, Source)
    found = parse(source)
    return [str(mistake) for mistake in found.mistakes] if isinstance(found, InventoryError) else []


def cluster(name: str) -> str:
    return f"cluster: {name}\nimage: vllm\n{HEAD}"


def image(name: str) -> str:
    return f"cluster: demo\nimage: {name}\n{HEAD}"


def head(pairs: str) -> str:
    return f"{TOP}head: {{{pairs}}}\n"


def host(name: str) -> str:
    return head(f"ip: 10.0.0.1, host: {name}")


def ip(address: str) -> str:
    return head(f"host: gpu1, ip: {address}")


def worker(*pairs: str) -> str:
    return WORKER + "  - " + "\n    ".join(pairs)


def docker_arg(*args: str) -> str:
    return f"{LINE_4}docker: {{args: [{', '.join(args)}]}}"


def ray_arg(*args: str) -> str:
    return f"{LINE_4}ray: {{args: [{', '.join(args)}]}}"


CLUSTER = (
    'f:1:10: cluster: should be lower-case letters, digits and "-", starting with a letter or digit, not'
)
KEYS = "the keys here are ssh, docker, env, hf_home, accelerator, rdma"
TOP_KEYS = f"{KEYS}, cluster, image, head, workers, network, secrets, engine, ray, serve"
IMAGE = 'f:2:8: image: should be a Docker image such as "vllm/vllm-openai:v0.17.1", not'
HOST = "f:3:28: head.host:"
HOST_NAME = f"{HOST} should be a host name, an address or a name from ~/.ssh/config, not"
IP = "f:3:24: head.ip:"
NO_IP = f'{IP} should be an IP address such as "10.0.0.2", not'
NAME = 'should be letters, digits, "_", "." and "-", the first a letter or digit, not'
LOGIN = "should be a user's name, which"
JUMP = 'should be a host such as "me@bastion:22"'
WORD, PLAIN = "has a word that cannot be sent as it is:", "letters, digits and @%+=:,./_- can"
VARIABLE = "should be a variable's name: letters, digits and _, not starting with a digit; not"
REMOVE_IT = 'remove it: it is set from each host\'s "ip"'
ARG = "f:4:17: docker.args[0]:"
RAY_ARG = "f:4:14: ray.args[0]:"

KEY_CASES = [
    (LINE_4 + "model: x", 'f:4:1: model: "model" goes under "serve"'),
    (LINE_4 + "netwrok: 1", 'f:4:1: netwrok: unknown key "netwrok"; did you mean "network"?'),
    (
        LINE_4 + "zzz: 1",
        f'f:4:1: zzz: unknown key "zzz"; {TOP_KEYS}',
    ),
    (
        LINE_4 + "zzz:",
        f'f:4:1: zzz: unknown key "zzz"; {TOP_KEYS}',
    ),
    (image("{form: vllm}"), 'f:2:9: image.form: unknown key "form"; did you mean "from"?'),
    (image("{get_on: head}"), 'f:2:8: image.from: required key "from" is missing'),
    (LINE_4 + "get_on: head", 'f:4:1: get_on: "get_on" goes under "image"'),
    (LINE_4 + "build_on: head", 'f:4:1: build_on: "build_on" is called "get_on" now, and goes under "image"'),
    (image("{from: vllm, build_on: head}"), 'f:2:21: image.build_on: "build_on" is called "get_on" now'),
    (LINE_4 + "user: me", 'f:4:1: user: "user" goes under "ssh"'),
    (LINE_4 + "port: 1", 'f:4:1: port: "port" goes under "ssh" or "ray"'),
    (LINE_4 + "ip: 10.0.0.1", 'f:4:1: ip: "ip" belongs to a host; write it under "head" or in "workers"'),
    (
        LINE_4 + "docker: {shm-size: 1g}",
        'f:4:10: docker.shm-size: unknown key "shm-size"; did you mean "shm_size"?',
    ),
    (worker("hsot: a", "ip: 10.0.0.2"), 'f:5:5: workers[0].hsot: unknown key "hsot"; did you mean "host"?'),
    (
        worker("hostname: a", "ip: 10.0.0.2"),
        'f:5:5: workers[0].hostname: unknown key "hostname"; did you mean "host"?',
    ),
    (LINE_4 + "nodes: [a]", 'f:4:1: nodes: unknown key "nodes"; did you mean "workers"?'),
    (
        worker("host: a", "ip: 10.0.0.2", "image: b"),
        'f:7:5: workers[0].image: "image" holds for the whole cluster; write it at the top level',
    ),
    *(
        (
            worker("host: a", "ip: 10.0.0.2", f"ray: {{{key}: 1}}"),
            f'f:7:11: workers[0].ray.{key}: "{key}" holds for the whole cluster; write it under the top-level "ray"',
        )
        for key in ("port", "auth", "install")
    ),
    (f"image: a\n{HEAD}", 'f:1:1: cluster: required key "cluster" is missing'),
    (f"cluster: a\n{HEAD}", 'f:1:1: image: required key "image" is missing'),
    (TOP, 'f:1:1: head: required key "head" is missing'),
    (
        TOP + "head:",
        "f:3:6: head: should be a map such as {host: gpu1.example.com, ip: 10.0.0.1}, not nothing",
    ),
    (cluster(""), "f:1:9: cluster: should have a value"),
    (worker("ip: 10.0.0.2"), 'f:5:5: workers[0].host: required key "host" is missing'),
    ("hello", 'f:1:1: should be a map such as {cluster: demo, image: ..., head: {...}}, not "hello"'),
    ("- a", "f:1:1: should be a map such as {cluster: demo, image: ..., head: {...}}, not a list"),
    (
        TOP + "head: gpu1",
        'f:3:7: head: should be a map such as {host: gpu1.example.com, ip: 10.0.0.1}, not "gpu1"',
    ),
    (
        WORKER + "  -",
        "f:5:4: workers[0]: should be a map such as {host: gpu1.example.com, ip: 10.0.0.1}, not nothing",
    ),
    (LINE_4 + "ssh: me", 'f:4:6: ssh: should be a map such as {user: ubuntu}, not "me"'),
    (LINE_4 + "env: [A=1]", 'f:4:6: env: should be a map such as {A: "1"}, not a list'),
    (LINE_4 + "env: A=1", 'f:4:6: env: should be a map such as {A: "1"}, not "A=1"'),
    (LINE_4 + "env: [A]", "f:4:6: env: should be a map, not a list"),
    (WORKER + "  host: a", 'f:5:3: workers: should be a list, not a map; start each item with "- "'),
    (
        LINE_4 + "workers: gpu2",
        'f:4:10: workers: should be a list such as [{host: gpu1.example.com, ip: 10.0.0.1}], not "gpu2"',
    ),
    (LINE_4 + "secrets: HF_TOKEN", 'f:4:10: secrets: should be a list such as ["HF_TOKEN"], not "HF_TOKEN"'),
    (
        LINE_4 + "docker: {args: --cap-add SYS_PTRACE}",
        'f:4:16: docker.args: should be a list such as ["--cap-add", "SYS_PTRACE"], not "--cap-add SYS_PTRACE"',
    ),
    (LINE_4 + 'ray: {args: "it\'s"}', 'f:4:13: ray.args: should be a list, not "it\'s"'),
    (LINE_4 + "hf_home: [a]", "f:4:10: hf_home: should be text, not a list"),
    (LINE_4 + "hf_home: {a: b}", "f:4:10: hf_home: should be text, not a map"),
]

VALUE_CASES = [
    (cluster("My_Demo"), f'{CLUSTER} "My_Demo"'),
    (cluster("-demo"), f'{CLUSTER} "-demo"'),
    (cluster("a" * 41), "f:1:10: cluster: should have at most 40 characters, not 41"),
    (image("'a b'"), f'{IMAGE} "a b"'),
    (image("-a"), f'{IMAGE} "-a"'),
    (image("''"), f'{IMAGE} ""'),
    (image("a//b"), f'{IMAGE} "a//b"'),
    (image("https://a/b"), 'f:2:8: image: has a registry that is not a host name: "https:"'),
    (
        image("VLLM/vllm:v1"),
        'f:2:8: image: an image\'s name is lower case: write "vllm/vllm", not "VLLM/vllm"',
    ),
    (image("a:-x"), 'f:2:8: image: has a tag that no image can have: "-x"'),
    (image("a@md5"), 'f:2:8: image: has a malformed digest: "md5"; expected sha256: and 64 hex digits'),
    (
        image("a@sha256:" + "0" * 60),
        "f:2:8: image: has an incomplete digest: sha256 has 64 hex digits, not 60",
    ),
    (host("-oProxyCommand=x"), f'{HOST} should not start with "-", as "-oProxyCommand=x" does'),
    (host("''"), f"{HOST} should not be empty"),
    (host("gpu 1"), f'{HOST_NAME} "gpu 1"'),
    (host("gpu;1"), f'{HOST_NAME} "gpu;1"'),
    (host('"a\\nb"'), f"{HOST} should be one line"),
    (host("fe80::1%$(id)"), f'{HOST_NAME} "fe80::1%$(id)"'),
    (host("me@gpu1"), f'{HOST} should be the host alone; the user of "me@gpu1" goes under ssh.user'),
    (host("gpu1:22"), f'{HOST} should be the host alone; the port of "gpu1:22" goes under ssh.port'),
    (host("10.0.0"), f'{HOST} "10.0.0" is not a complete IPv4 address'),
    (host("10.0.0.256"), f'{HOST} "10.0.0.256" is not a complete IPv4 address'),
    (host("fd00::1"), f'{HOST} "fd00::1" cannot be in a container\'s name; give the host a "name"'),
    (host("_gpu"), f'{HOST} "_gpu" cannot be in a container\'s name; give the host a "name"'),
    (host("'[fd00::1]'"), f"{HOST} an IPv6 address stands here without brackets: fd00::1"),
    (host("'me@[fd00::1]:22'"), f"{HOST} an IPv6 address stands here without brackets: fd00::1"),
    (ip("'[fd00::1]'"), f"{IP} an IPv6 address stands here without brackets: fd00::1"),
    (ip("gpu1"), f'{NO_IP} "gpu1"'),
    (ip("10.0.0.01"), f'{NO_IP} "10.0.0.01"'),
    (ip("10.0.0.1/24"), f'{NO_IP} "10.0.0.1/24"; write "10.0.0.1"'),
    (
        ip("10.0.0.0/24"),
        f'{NO_IP} "10.0.0.0/24"; for the address that each host has in it, write network: 10.0.0.0/24',
    ),
    (ip("0.0.0.0"), f'{IP} "0.0.0.0" stands for any address; write the host\'s own'),
    (ip("'::'"), f'{IP} "::" stands for any address; write the host\'s own'),
    (ip("127.0.1.1"), f'{IP} "127.0.1.1" is a loopback address, which other hosts cannot reach'),
    (ip("'::1'"), f'{IP} "::1" is a loopback address, which other hosts cannot reach'),
    (ip("224.0.0.1"), f'{IP} "224.0.0.1" is the address of a group, not of a host'),
    (ip("255.255.255.255"), f'{IP} "255.255.255.255" is the address of a group, not of a host'),
    (
        ip("fe80::1%eth0"),
        f'{IP} "fe80::1%eth0" names an interface; write an address that is the same on every host',
    ),
    (head("host: gpu1, ip: 10.0.0.1, name: a b"), f'f:3:40: head.name: {NAME} "a b"'),
    (head("host: gpu1, ip: 10.0.0.1, name: -a"), f'f:3:40: head.name: {NAME} "-a"'),
    (
        LINE_4 + "network: 10.0.0.0",
        'f:4:10: network: should be a network such as "10.0.0.0/24", not "10.0.0.0"',
    ),
    (LINE_4 + "network: lan", 'f:4:10: network: should be a network such as "10.0.0.0/24", not "lan"'),
    (
        LINE_4 + "network: 10.0.0.7/24",
        'f:4:10: network: "10.0.0.7/24" is an address in a network; did you mean "10.0.0.0/24"?',
    ),
    (
        LINE_4 + "network: 127.0.0.0/8",
        'f:4:10: network: "127.0.0.0/8" is a loopback address, which other hosts cannot reach',
    ),
    (
        LINE_4 + "accelerator: nvida",
        "f:4:14: accelerator: should be one of nvidia, amd, intel, ascend, gaudi, tpu, none, "
        'not "nvida"; did you mean "nvidia"?',
    ),
    (
        LINE_4 + "accelerator: cuda",
        "f:4:14: accelerator: should be one of nvidia, amd, intel, ascend, gaudi, tpu, none, "
        'not "cuda"; did you mean "nvidia"?',
    ),
    (LINE_4 + "rdma: yes", 'f:4:7: rdma: should be one of auto, on, off, not "yes"'),
    (
        LINE_4 + "hf_home: cache",
        'f:4:10: hf_home: should be an absolute path, or start with "~/", unlike "cache"',
    ),
    (
        LINE_4 + "hf_home: ~me/x",
        'f:4:10: hf_home: should be an absolute path, or start with "~/", unlike "~me/x"',
    ),
    (LINE_4 + 'hf_home: "/a\\u2028b"', "f:4:10: hf_home: should be one line"),
    (
        LINE_4 + 'hf_home: "/a\\x1fb"',
        'f:4:10: hf_home: should have no "\\x1f", which ends what a host tells of it',
    ),
    (
        LINE_4 + "hf_home: /a:/b",
        'f:4:10: hf_home: should have no ":", which Docker takes for the end of the path',
    ),
    (LINE_4 + "env: {A-B: 1}", f'f:4:7: env.A-B: {VARIABLE} "A-B"'),
    (LINE_4 + "env: {1A: 1}", f'f:4:7: env.1A: {VARIABLE} "1A"'),
    (LINE_4 + "env: {A: }", 'f:4:9: env.A: should have a value; write "" for an empty one'),
    (LINE_4 + "env: {A: [1]}", "f:4:10: env.A: should be text, not a list"),
    (LINE_4 + 'env: {A: "x\\0"}', 'f:4:10: env.A: the character "\\x00" cannot be sent to a host'),
    (LINE_4 + "secrets: [A B]", f'f:4:11: secrets[0]: {VARIABLE} "A B"'),
    (
        LINE_4 + "secrets: [A=1]",
        'f:4:11: secrets[0]: should be the name of a variable alone, without "=" and a value',
    ),
    (LINE_4 + "secrets: [A, B, A]", 'f:4:17: secrets[2]: "A" is listed twice'),
    (
        LINE_4 + "env: {A: 1}\nsecrets: [A]",
        'f:5:11: secrets[0]: "A" is also in "env"; a secret belongs here alone',
    ),
    (LINE_4 + "secrets: [VLLM_HOST_IP]", f"f:4:11: secrets[0]: VLLM_HOST_IP is not a secret; {REMOVE_IT}"),
    *(
        (
            LINE_4 + f"ssh: {{port: {port}}}",
            f'f:4:13: ssh.port: should be a whole number from 1 to 65535, not "{port}"',
        )
        for port in ("0", "65536", "-1", "22.0", "0x16", "2_2", "ssh")
    ),
    (
        LINE_4 + "ray: {port: 99999}",
        'f:4:13: ray.port: should be a whole number from 1 to 65535, not "99999"',
    ),
    (
        LINE_4 + "ray: {num_gpus: 0.5}",
        'f:4:17: ray.num_gpus: should be a whole number of at least 0, not "0.5"',
    ),
    (
        image("{from: vllm, get_on: hed}"),
        'f:2:29: image.get_on: should be one of each, head, not "hed"; did you mean "head"?',
    ),
    (
        image("{from: VLLM}"),
        'f:2:15: image.from: an image\'s name is lower case: write "vllm", not "VLLM"',
    ),
    (image("[vllm]"), "f:2:8: image: should be text, not a list"),
    (LINE_4 + "ray: {auth: none}", 'f:4:13: ray.auth: should be one of auto, token, disabled, not "none"'),
    (LINE_4 + "ray: {install: -r x}", 'f:4:16: ray.install: should not start with "-", as "-r x" does'),
    (LINE_4 + 'ray: {install: "a\\nb"}', "f:4:16: ray.install: should be one line"),
    *(
        (
            LINE_4 + f"ssh: {{connect_timeout: {written}}}",
            f'f:4:24: ssh.connect_timeout: should be seconds, above 0 and at most 3600, not "{written}"',
        )
        for written in ("0", "-1", "nan", "inf", "10s", "3601")
    ),
    (
        LINE_4 + "ssh: {host_keys: off}",
        'f:4:18: ssh.host_keys: should be one of strict, accept-new, not "off"',
    ),
    (LINE_4 + "ssh: {user: -l}", 'f:4:13: ssh.user: should not start with "-", as "-l" does'),
    (LINE_4 + "ssh: {jump: a b}", 'f:4:13: ssh.jump: should have no spaces, as "a b" has'),
    (LINE_4 + "docker: {command: ''}", "f:4:19: docker.command: should not be empty"),
    (
        LINE_4 + "docker: {command: sudo 'a}",
        'f:4:19: docker.command: has quotes that are never closed: "sudo \'a"',
    ),
    (LINE_4 + "ssh: {user: me;id}", f'f:4:13: ssh.user: {LOGIN} ";" cannot be in, unlike "me;id"'),
    (LINE_4 + 'ssh: {user: "a\\e"}', f'f:4:13: ssh.user: {LOGIN} "\\x1b" cannot be in, unlike "a\\x1b"'),
    *(
        (LINE_4 + f"ssh: {{jump: '{jump}'}}", f'f:4:13: ssh.jump: {JUMP}, several with commas, not "{one}"')
        for jump, one in (
            ("a;b", "a;b"),
            ("a,", ""),
            ("me@-oProxyCommand=x", "me@-oProxyCommand=x"),
            ("a,$(id)", "$(id)"),
            ("fd00::1", "fd00::1"),
        )
    ),
    (LINE_4 + "ssh: {jump: a`@b}", f'f:4:13: ssh.jump: {LOGIN} "`" cannot be in, unlike "a`"'),
    (LINE_4 + f"hf_home: /{'x' * 5000}", "f:4:10: hf_home: should have at most 4,096 characters, not 5,001"),
    *(
        (LINE_4 + f"docker: {{command: {line}}}", f'f:4:19: docker.command: {WORD} "{word}"; {PLAIN}')
        for line, word in (
            ("'\"/opt/my docker/docker\"'", "/opt/my docker/docker"),
            ("/opt/my\\ docker", "/opt/my docker"),
            ("docker $(id)", "$(id)"),
            ("'docker \"\"'", ""),
            ("docker *", "*"),
            ("~/docker", "~/docker"),
        )
    ),
    (
        LINE_4 + "docker: {command: DOCKER_HOST=x docker}",
        'f:4:19: docker.command: starts with a variable; write "env DOCKER_HOST=x docker"',
    ),
    (LINE_4 + "docker: {command: [a, b]}", "f:4:19: docker.command: should be text, not a list"),
    (
        LINE_4 + "docker: {gpus: some}",
        'f:4:16: docker.gpus: should be all, none, a number or device=…, not "some"',
    ),
    (
        LINE_4 + "docker: {gpus: 'devices=0'}",
        'f:4:16: docker.gpus: Docker\'s --gpus has no "devices"; '
        "it has driver, count, device, capabilities, options",
    ),
    (
        LINE_4 + "docker: {gpus: 'device=\"0,1\"'}",
        'f:4:16: docker.gpus: has a quote where Docker\'s --gpus takes none: "device="0,1""; '
        'it is CSV, as in \'"device=0,2","capabilities=utility"\'',
    ),
    (LINE_4 + "docker: {gpus: --x}", 'f:4:16: docker.gpus: should not start with "-", as "--x" does'),
    *(
        (
            LINE_4 + f"docker: {{shm_size: {size}}}",
            f'f:4:20: docker.shm_size: should be a size such as "10.24g" or "512m", not "{size}"',
        )
        for size in ("big", "-1g", "0", "10gg", "1e3", "10\N{KELVIN SIGN}")
    ),
    (LINE_4 + "docker: {shm_size: 32}", "f:4:20: docker.shm_size: is 32 bytes; write the unit, as in 32g"),
    (
        LINE_4 + "docker: {restart: allways}",
        "f:4:19: docker.restart: should be one of no, always, unless-stopped, on-failure, "
        'not "allways"; did you mean "always"?',
    ),
    (
        LINE_4 + "docker: {restart: 5}",
        "f:4:19: docker.restart: should be one of no, always, unless-stopped, on-failure; "
        'on-failure may end in :5, for 5 tries, not "5"',
    ),
    (
        LINE_4 + "docker: {pull: yes}",
        'f:4:16: docker.pull: should be one of missing, always, never, not "yes"',
    ),
]

ARGUMENT_CASES = [
    *(
        (docker_arg(written), f"{ARG} {option} cannot be given here: {reason}")
        for option, value, reason in (
            ("--name", "=x", 'containers are named by "cluster" and the host\'s "name"'),
            ("--detach", "=false", "raycluster sets it itself"),
            ("-d", "", "raycluster sets it itself"),
            ("--rm", "=true", "raycluster removes containers itself"),
            ("--network", "=x", "it is always host, as Ray and NCCL need it"),
            ("--net", "=x", "it is always host, as Ray and NCCL need it"),
            ("--entrypoint", "=x", "use docker.entrypoint"),
            ("--restart", "=no", "use docker.restart"),
            ("--gpus", "=all", "use docker.gpus"),
            ("--shm-size", "=1g", "use docker.shm_size"),
            ("--pull", "=never", "use docker.pull"),
        )
        for written in {option, option + value}
    ),
    (docker_arg("-itd"), f"{ARG} -d cannot be given here: raycluster sets it itself"),
    *(
        (docker_arg(*args), f'{ARG} labels that start with "raycluster." are raycluster\'s own')
        for args in (
            ("-l", "raycluster.role=x"),
            ("-lraycluster.role=x",),
            ("-itlraycluster.role=x",),
            ("--label", "raycluster.role=x"),
            ("--label=raycluster.role=x",),
        )
    ),
    (docker_arg("-v /a:/b"), f'{ARG} "-v /a:/b" is two arguments in one; write them as "-v", "/a:/b"'),
    (docker_arg("''"), f"{ARG} should not be empty"),
    (docker_arg("[a]"), f"{ARG} should be text, not a list"),
    *(
        (ray_arg(written), f"{RAY_ARG} {option} cannot be given here: {reason}")
        for option, value, reason in (
            ("--head", "", "raycluster sets it itself"),
            ("--block", "", "raycluster sets it itself"),
            ("--address", "=x", 'raycluster sets it from the head\'s "ip"'),
            ("--node-ip-address", "=x", 'raycluster sets it from the host\'s "ip"'),
            ("--port", "=1", "use ray.port"),
            ("--num-gpus", "=1", "use ray.num_gpus"),
        )
        for written in {option, option + value}
    ),
    (ray_arg("--a 1"), f'{RAY_ARG} "--a 1" is two arguments in one; write them as "--a", "1"'),
    (
        worker("host: a", "ip: 10.0.0.2", "docker:", "  args: [-t, --name]"),
        "f:8:18: workers[0].docker.args[1]: --name cannot be given here: "
        'containers are named by "cluster" and the host\'s "name"',
    ),
    (
        worker("host: a", "ip: 10.0.0.2", "ray: {args: [--head]}"),
        "f:7:18: workers[0].ray.args[0]: --head cannot be given here: raycluster sets it itself",
    ),
]

NEIGHBOUR_CASES = [
    (
        image(f"{{from: vllm@sha256:{'0' * 64}, get_on: head}}"),
        "f:2:15: image.from: a copy of the head's image does not carry its digest: name the image by a tag",
    ),
    (
        LINE_4 + "env: {CUDA_VISIBLE_DEVICES: '0,1'}\nray: {num_gpus: 8}",
        "f:4:29: env.CUDA_VISIBLE_DEVICES: CUDA_VISIBLE_DEVICES leaves 2 GPUs, but ray.num_gpus is 8, "
        "so Ray would not start",
    ),
    (
        LINE_4 + "docker: {args: [-e, HIP_VISIBLE_DEVICES=]}\nray: {num_gpus: 1}\naccelerator: amd",
        "f:4:17: docker.args[0]: HIP_VISIBLE_DEVICES leaves 0 GPUs, but ray.num_gpus is 1, so Ray would not start",
    ),
    (
        LINE_4 + "env: {ASCEND_RT_VISIBLE_DEVICES: 0}\naccelerator: ascend\n"
        "workers: [{host: a, ip: 10.0.0.2, ray: {num_gpus: 2}}]",
        "f:4:34: env.ASCEND_RT_VISIBLE_DEVICES: ASCEND_RT_VISIBLE_DEVICES leaves one NPU, but ray.num_gpus is 2, "
        "so Ray would not start",
    ),
    (
        LINE_4 + "accelerator: amd\nenv: {ROCR_VISIBLE_DEVICES: 0}",
        "f:5:29: env.ROCR_VISIBLE_DEVICES: Ray does not start with ROCR_VISIBLE_DEVICES; "
        "write HIP_VISIBLE_DEVICES instead",
    ),
    (
        LINE_4 + "accelerator: amd\nenv: {CUDA_VISIBLE_DEVICES: '0,1'}",
        "f:5:29: env.CUDA_VISIBLE_DEVICES: Ray gives its workers HIP_VISIBLE_DEVICES, and vLLM ends where "
        "CUDA_VISIBLE_DEVICES is another; write HIP_VISIBLE_DEVICES instead",
    ),
    (
        LINE_4 + "env: {GLOO_SOCKET_IFNAME: =eth1}",
        "f:4:27: env.GLOO_SOCKET_IFNAME: GLOO_SOCKET_IFNAME takes an interface's name as it is, "
        '"=" is for NCCL_SOCKET_IFNAME alone; write eth1',
    ),
    (
        LINE_4 + "docker: {args: [-e, GLOO_SOCKET_IFNAME=^docker0]}",
        "f:4:17: docker.args[0]: GLOO_SOCKET_IFNAME takes an interface's name as it is, "
        '"^" is for NCCL_SOCKET_IFNAME alone; write the one to use',
    ),
    (
        LINE_4 + "docker: {gpus: 'all,device=0'}",
        "f:4:16: docker.gpus: Docker takes either a count or devices in --gpus, and here are both",
    ),
    (
        LINE_4 + "docker: {gpus: 'all,2'}",
        "f:4:16: docker.gpus: Docker takes one count in --gpus, and here are two",
    ),
    (LINE_4 + "docker: {gpus: '0, 1'}", "f:4:16: docker.gpus: GPUs by their numbers are written device=0,1"),
    (
        LINE_4 + "docker: {gpus: nvidia.com/gpu=all}",
        "f:4:16: docker.gpus: GPUs by CDI are written driver=cdi,device=nvidia.com/gpu=all",
    ),
    (
        LINE_4 + "docker: {gpus: device=0-3}",
        'f:4:16: docker.gpus: names one GPU after the other, as in device=0,1,2; "0-3" is none',
    ),
    (
        LINE_4 + "docker: {volumes: []}",
        'f:4:10: docker.volumes: "volumes" goes under "args", as in args: [-v, /data:/data]',
    ),
    (
        LINE_4 + "docker: {network: host}",
        'f:4:10: docker.network: "network" is not needed: it is always host',
    ),
    (
        LINE_4 + "env: {HF_TOKEN: '${HF_TOKEN}'}",
        'f:4:17: env.HF_TOKEN: nothing fills in "${HF_TOKEN}": containers would have it as it stands here; for the '
        "HF_TOKEN of your own shell, write `secrets: [HF_TOKEN]` instead",
    ),
    (
        LINE_4 + "env: {PATH: '/opt/venv/bin:$PATH'}",
        'f:4:13: env.PATH: nothing fills in "/opt/venv/bin:$PATH": containers would have it as it stands here; '
        "write the value",
    ),
    *(
        (
            docker_arg(*args),
            f"{line} {told} belongs to no option, and Docker would take it for the image; that goes under the "
            'top-level "image"',
        )
        for args, line, told in (
            (("a/b:1",), ARG, '"a/b:1"'),
            (("--privileged", "a/b"), "f:4:31: docker.args[1]:", '"a/b"'),
            (("-itv", "/a:/b", "c"), "f:4:30: docker.args[2]:", '"c"'),
            (("-v/a:/b", "c"), "f:4:26: docker.args[1]:", '"c"'),
            (("\u2014privileged",), ARG, '"\u2014privileged"'),
            (("--",), ARG, '"--"'),
        )
    ),
    *(
        (docker_arg(*args), f'{line} Docker knows no "~" and takes "~/x" as it is; write all of the path')
        for args, line in (
            (("-v", "'~/x:/x'"), ARG),
            (("'--volume=~/x:/x'",), ARG),
            (("--mount", "'type=bind,src=~/x,dst=/x'"), ARG),
        )
    ),
    (
        docker_arg("-v", "/data/hf:/root/.cache/huggingface"),
        f'{ARG} /root/.cache/huggingface is where "hf_home" is mounted; write `hf_home: /data/hf` instead',
    ),
    (
        docker_arg("'-v~/.cache/huggingface:/root/.cache/huggingface/'"),
        f'{ARG} /root/.cache/huggingface is where "hf_home" is mounted; write `hf_home: ~/.cache/huggingface` instead',
    ),
    (
        worker("host: 'a[2:3]'", "ip: 10.0.0.2"),
        "f:5:11: workers[0].host: a range is written with a dash: [2-3]",
    ),
    (worker("host: gpu2"), 'f:5:5: workers[0]: needs an "ip", or the file a "network" to find it in'),
    (worker("host: gpu1", "ip: 10.0.0.2"), 'f:5:11: workers[0].host: "gpu1" is also the name of head'),
    (
        worker("host: a", "ip: 10.0.0.2", "name: gpu1"),
        'f:7:11: workers[0].name: "gpu1" is also the name of head',
    ),
    (worker("host: a", "ip: 10.0.0.1"), 'f:6:9: workers[0].ip: "10.0.0.1" is also the ip of head'),
    (
        worker("host: a", "ip: fd00::1") + "\n  - {host: b, ip: 'fd00:0::1'}",
        'f:7:19: workers[1].ip: "fd00::1" is also the ip of workers[0]',
    ),
    (
        worker("host: a", "ip: 10.0.0.2", "name: head"),
        'f:7:11: workers[0].name: "head" means the head in --limit; give the host another "name"',
    ),
    (
        worker("host: workers", "ip: 10.0.0.2"),
        'f:5:11: workers[0].host: "workers" means the workers in --limit; give the host another "name"',
    ),
]

ARGUMENTS_THAT_ARE_RIGHT = [
    LINE_4 + "env: {A: 'pa$$word', B: 'a$b', C: $, D: 'cost: $5', HF_HOME: ~/x}",
    docker_arg(
        "--memory-swap", "-1", "-v", "/a:/b", "--privileged", "-it", "--init", "--device=/dev/x", "-v/c:/d"
    ),
    docker_arg("--replace", "-v", "/a:/b", "-e", "A=b", "--health-cmd", "curl $X"),
    docker_arg("-v", "/data:/root/.cache", "-v", "models:/models", "-v", "./x:/y"),
    LINE_4 + "env: {HF_HOME: /models}\ndocker: {args: [-v, '/x:/root/.cache/huggingface']}",
]


@pytest.mark.parametrize("text", ARGUMENTS_THAT_ARE_RIGHT)
def test_what_docker_takes_as_it_is_meant_is_let_through(text: str) -> None:
    assert mistakes(text) == []


RANGE_CASES = [
    (worker("host: a[2-3]", "ip: 10.0.0.2"), "f:6:9: workers[0].ip: stands for one ip, but 2 hosts"),
    (worker("host: a[2-3]", "ip: 10.0.0.[2-5]"), "f:6:9: workers[0].ip: stands for 4 ips, but 2 hosts"),
    (worker("host: a", "ip: 10.0.0.[2-5]"), "f:6:9: workers[0].ip: stands for 4 ips, but one host"),
    (
        worker("host: a[2-3]", "ip: 10.0.0.[2-3]", "name: b"),
        "f:7:11: workers[0].name: stands for one name, but 2 hosts",
    ),
    (
        worker("host: a[2-3]", "ip: 10.0.0.[1-2]"),
        'f:6:9: workers[0].ip: "10.0.0.1" is also the ip of head',
    ),
    (
        worker("host: 10.0.0.[254-256]", "ip: 10.0.0.[2-4]"),
        'f:5:11: workers[0].host: "10.0.0.256" is not a complete IPv4 address',
    ),
    (
        worker("host: a[3-2]", "ip: 10.0.0.2"),
        "f:5:11: workers[0].host: the range [3-2] runs backwards; write [2-3]",
    ),
    (
        worker("host: a[1-2]b[1-2]", "ip: 10.0.0.2"),
        "f:5:11: workers[0].host: has more than one range in brackets; write a host for each instead",
    ),
    *(
        (
            worker(f"host: {written}", "ip: 10.0.0.2"),
            f"f:5:11: workers[0].host: has brackets that hold no range {such}",
        )
        for written in ("a[1,2]", "a[1-]", "a[", "a]", "a[[1-2]]", "a[1-2")
        for such in ["such as [2-9] or [01-16]"]
    ),
    (
        worker("host: a[1-999999999]", "ip: 10.0.0.2"),
        "f:5:3: workers: stands for 999,999,999 hosts; a cluster has at most 1,024",
    ),
    (
        worker("host: a", "ip: 10.[0-999999999].0.2"),
        "f:6:9: workers[0].ip: stands for 1,000,000,000 hosts; a cluster has at most 1,024",
    ),
    (
        head("ip: '10.0.0.[1-2]', host: 'gpu[1-2]'"),
        "f:3:34: head.host: the head is one host; a range stands for workers",
    ),
    (head("host: gpu1, ip: '10.0.0.[1-2]'"), "f:3:24: head.ip: stands for 2 ips, but one host"),
]

TOO_LONG = "makes a command line of more than 100,000 characters, which no host would take"
LENGTH_CASES = [
    (LINE_4 + f"env: {{A: b, B: {'x' * 100_000}}}", f"f:4:6: env: {TOO_LONG}"),
    (
        LINE_4 + f"env: {{A: {'x' * 60_000}}}\ndocker: {{args: [--label=a={'x' * 70_000}]}}",
        f"f:5:16: docker.args: {TOO_LONG}",
    ),
    (
        LINE_4 + f"env: {{A: {'x' * 60_000}}}\n"
        f"workers: [{{host: a, ip: 10.0.0.2}}, {{host: b, ip: 10.0.0.3, ray: {{args: [{'x' * 60_000}]}}}}]",
        f"f:5:72: workers[1].ray.args: {TOO_LONG}",
    ),
]

SAME_ON_2 = f"VLLM_HOST_IP would be the same on 2 hosts; {REMOVE_IT}"
OTHER_IP = f'VLLM_HOST_IP is "10.0.0.9", but the host\'s ip is "10.0.0.1"; {REMOVE_IT}'

VLLM_HOST_IP_CASES = [
    (LINE_4 + "env: {VLLM_HOST_IP: 10.0.0.9}", f"f:4:21: env.VLLM_HOST_IP: {OTHER_IP}"),
    *(
        (docker_arg(*args), f"{ARG} {OTHER_IP}")
        for args in (
            ("-e", "VLLM_HOST_IP=10.0.0.9"),
            ("-eVLLM_HOST_IP=10.0.0.9",),
            ("-e=VLLM_HOST_IP=10.0.0.9",),
            ("-iteVLLM_HOST_IP=10.0.0.9",),
            ("--env", "VLLM_HOST_IP=10.0.0.9"),
            ("--env=VLLM_HOST_IP=10.0.0.9",),
        )
    ),
    (
        LINE_4 + "env: {VLLM_HOST_IP: 10.0.0.1}\nworkers: [{host: a, ip: 10.0.0.2}]",
        f"f:4:21: env.VLLM_HOST_IP: {SAME_ON_2}",
    ),
    (
        worker("host: a[2-3]", "ip: 10.0.0.[2-3]", "env: {VLLM_HOST_IP: 10.0.0.2}"),
        f"f:7:25: workers[0].env.VLLM_HOST_IP: {SAME_ON_2}",
    ),
    (
        worker("host: a", "ip: 10.0.0.2", "docker: {args: [-t, -eVLLM_HOST_IP=10.0.0.3]}"),
        'f:7:25: workers[0].docker.args[1]: VLLM_HOST_IP is "10.0.0.3", '
        f'but the host\'s ip is "10.0.0.2"; {REMOVE_IT}',
    ),
    (
        LINE_4 + "network: 10.0.0.0/8\nworkers: [{host: a, env: {VLLM_HOST_IP: 10.0.0.2}}]",
        'f:5:41: workers[0].env.VLLM_HOST_IP: VLLM_HOST_IP is set from the host\'s "ip"; write ip: 10.0.0.2 instead',
    ),
]

OUR_TOKEN = "is not for the inventory: raycluster makes the token that all hosts have, and says so to Ray"
TOKEN_CASES = [
    *(
        case
        for name, instead in (
            ("RAY_AUTH_TOKEN", "remove it"),
            ("RAY_AUTH_TOKEN_PATH", "remove it"),
            ("RAY_AUTH_MODE", "use ray.auth"),
        )
        for case in (
            (
                LINE_4 + f"env: {{{name}: x}}",
                f"f:4:{9 + len(name)}: env.{name}: {name} {OUR_TOKEN}; {instead}",
            ),
            (LINE_4 + f"secrets: [{name}]", f"f:4:11: secrets[0]: {name} {OUR_TOKEN}; {instead}"),
            (docker_arg("-e", f"{name}=x"), f"{ARG} {name} {OUR_TOKEN}; {instead}"),
            (
                worker("host: a", "ip: 10.0.0.2", f"env: {{{name}: x}}"),
                f"f:7:{13 + len(name)}: workers[0].env.{name}: {name} {OUR_TOKEN}; {instead}",
            ),
        )
    )
]

SOCKETS = "bytes is too long for Ray's sockets, which are in it; write one of 46 at most"
TEMP_DIR_CASES = [
    (ray_arg(f"--temp-dir=/{'x' * 49}"), f"f:4:14: ray.args[0]: --temp-dir of 50 {SOCKETS}"),
    (ray_arg("--verbose", "--temp-dir", f"/{'é' * 30}"), f"f:4:25: ray.args[1]: --temp-dir of 61 {SOCKETS}"),
    (
        head(f"host: a, ip: 10.0.0.1, ray: {{args: [--temp-dir=/{'x' * 60}]}}")
        + "ray: {args: [--temp-dir=/a]}",
        f"f:3:44: head.ray.args[0]: --temp-dir of 61 {SOCKETS}",
    ),
]


LOCAL_CASES = [
    (
        head("host: local, ip: 10.0.0.1") + "workers: [{host: local, name: gpu2, ip: 10.0.0.2}]",
        'f:4:18: workers[0].host: "local" is this machine, and head is it already',
    ),
    (
        head("host: local, ip: 10.0.0.1, ssh: {user: me}"),
        "f:3:35: head.ssh: this host is this machine, reached without SSH; remove it",
    ),
    (
        worker("host: local", "ip: 10.0.0.[2-3]"),
        "f:6:9: workers[0].ip: stands for 2 ips, but one host",
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *KEY_CASES,
        *VALUE_CASES,
        *ARGUMENT_CASES,
        *NEIGHBOUR_CASES,
        *RANGE_CASES,
        *LENGTH_CASES,
        *VLLM_HOST_IP_CASES,
        *TOKEN_CASES,
        *TEMP_DIR_CASES,
        *LOCAL_CASES,
    ],
)
def test_a_broken_rule_is_one_line_with_its_place(text: str, expected: str) -> None:
    assert mistakes(text) == [expected]


def test_the_keys_that_there_are_are_listed_once() -> None:
    assert mistakes(LINE_4 + "zzz: 1\nqqq: 1") == [
        f'f:4:1: zzz: unknown key "zzz"; {TOP_KEYS}',
        'f:5:1: qqq: unknown key "qqq"',
    ]


@pytest.mark.parametrize("without", ["engine: mp", "ray: {auth: disabled}"])
def test_where_raycluster_makes_no_token_the_inventory_may_have_one(without: str) -> None:
    tokens = (
        "env: {RAY_AUTH_TOKEN_PATH: /x}\nsecrets: [RAY_AUTH_TOKEN]\ndocker: {args: [-e, RAY_AUTH_MODE=token]}"
    )
    assert mistakes(f"{LINE_4}{tokens}\n{without}") == []


@pytest.mark.parametrize(
    "text",
    [
        ray_arg(f"--temp-dir=/{'x' * 48}"),
        ray_arg(f"--temp-dir=/{'x' * 60}") + "\nengine: mp",
        ray_arg(f"--temp-dir=/{'x' * 60}", "--temp-dir=/x"),
        ray_arg(f"--temp-dir=/{'x' * 60}", "--plasma-store-socket-name=/x", "--raylet-socket-name=/y"),
        worker(
            "host: a", "ip: 10.0.0.2", f"ray: {{args: [--temp-dir=/{'x' * 60}]}}"
        ),  # of old, Ray takes the head's
    ],
)
def test_a_folder_for_rays_sockets_may_be_long_where_none_of_them_would_be(text: str) -> None:
    assert mistakes(text) == []


def test_where_no_ray_is_started_none_of_its_rules_for_devices_is_broken() -> None:
    text = "accelerator: amd\nenv: {ROCR_VISIBLE_DEVICES: '0'}\nray: {num_gpus: 8}\n"
    assert mistakes(f"{LINE_4}{text}")
    assert mistakes(f"{LINE_4}{text}engine: mp\n") == []


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines() -> None:
    text = """\
cluster: Demo
image: vllm
image: vllm
head: {host: gpu1, ip: 10.0.0.1, ssh: {port: 0}}
env: {A-B: 1, VLLM_HOST_IP: 10.0.0.1}
docker: {pull: no, args: [--rm, -e, VLLM_HOST_IP=10.0.0.9]}
workers:
  - {hsot: gpu2}
  - {host: gpu3, ip: 10.0.0.1}
  - {host: gpu3, ip: 10.0.0.3, rdma: maybe}
  - {host: gpu3, ip: 10.0.0.4, docker: {restart: 1}}
"""
    assert [mistake.split(": ")[:2] for mistake in mistakes(text)] == [
        ["f:1:10", "cluster"],
        ["f:3:1", "image"],
        ["f:4:46", "head.ssh.port"],
        ["f:5:7", "env.A-B"],
        ["f:5:29", "env.VLLM_HOST_IP"],
        ["f:6:16", "docker.pull"],
        ["f:6:27", "docker.args[0]"],
        ["f:6:33", "docker.args[1]"],
        ["f:8:6", "workers[0].hsot"],
        ["f:9:22", "workers[1].ip"],
        ["f:10:38", "workers[2].rdma"],
        ["f:11:12", "workers[3].host"],
        ["f:11:50", "workers[3].docker.restart"],
    ]


def test_a_mistyped_network_is_not_also_missed_on_each_host() -> None:
    assert len(mistakes(TOP + "netwrok: 10.0.0.0/8\nhead: {host: gpu1}")) == 1
    assert len(mistakes(TOP + "network: 10.0.0.0\nhead: {host: gpu1}")) == 1


def test_a_hostile_name_is_shown_harmless_and_short() -> None:
    (shown,) = mistakes(LINE_4 + f'ssh: {{user: "-\\e[31m{"x" * 500}"}}')
    assert "\\x1b[31m" in shown
    assert shown.isprintable()
    assert len(shown) < 150


def test_half_a_character_in_a_key_is_a_problem() -> None:
    first, _ = mistakes(LINE_4 + '"\\ud800": x')
    assert first == 'f:4:1: the character "\\ud800" cannot be sent to a host'


def test_more_problems_than_anyone_reads_are_cut() -> None:
    source = from_text(LINE_4 + "".join(f"x{i}: 1\n" for i in range(3000)), "f")
    assert isinstance(source, Source)
    found = parse(source)
    assert isinstance(found, InventoryError)
    assert len(found.text().splitlines()) == 301
    assert found.text().endswith("\nThere are more mistakes; these first.")


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ("services:\n  web: {image: x}\nvolumes: {}\n", "f:1:1", "services"),
        ("docker: {image: x}\nprovider: {type: local}\nmax_workers: 2\n", "f:2:1", "provider"),
        ("all:\n  hosts: {gpu1: {}}\n", "f:1:1", "all"),
    ],
)
def test_a_file_of_another_tool_is_told_in_one_mistake(text: str, place: str, key: str) -> None:
    assert mistakes(text) == [f"{place}: {key}: {FOREIGN}"]


def test_a_file_with_a_word_of_ours_mistyped_is_an_inventory() -> None:
    assert any('did you mean "cluster"' in each for each in mistakes("clutser: x\nservices: {}\n"))


@pytest.mark.parametrize("value", ['it\'s $HOME & "more"', "$(id) and more", "pa$$word", "a:b$PATH", "5 $"])
def test_a_variable_that_is_part_of_a_text_is_given_as_it_stands(value: str) -> None:
    text = LINE_4 + f"env: {{GREETING: {json.dumps(value)}}}"
    assert mistakes(text) == []

"""How each value of an inventory looks to an editor: JSON Schema, beside the checks of `values` and the like.

An editor's YAML decides types, ours does not: it reads `port: 22` as a number and `port: "22"` as text, and
both are good. A form never refuses what its check takes; it takes more where JSON Schema cannot say it all.
"""

from collections.abc import Iterable
from typing import Any

from orchestrator.model.inventory import addresses, arguments, values

Form = dict[str, Any]

SCALAR = ["string", "number", "boolean"]
_LINE = r"^(?!-)[^\n\r]*\S[^\n\r]*$"
_USER = r"(?!-)[^\s\x00-\x1f\x7f'`\";&<>|(){}]+"
_RANGE = r"\[[0-9]+-[0-9]+\]"
_HOST = rf"{addresses.HOST}({_RANGE}[A-Za-z0-9_.-]*)?|{_RANGE}[A-Za-z0-9_.-]*"
_IPV6 = r"[0-9A-Fa-f:.\[\]-]*:[0-9A-Fa-f:.\[\]-]*:[0-9A-Fa-f:.\[\]-]*(%[A-Za-z0-9_.\[\]-]+)?"
_NO_HOST = r"0\.0\.0\.0|127\..*|255\.255\.255\.255|::1?|2(2[4-9]|3[0-9])\..*"
_HOP = rf"(ssh://)?({_USER}@)?({addresses.HOST}|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\])(:[0-9]{{1,5}})?/?"

ANYTHING: Form = {"type": SCALAR}
TEXT: Form = {"type": SCALAR, "pattern": _LINE, "maxLength": values.LONGEST_TEXT, "minimum": 0}
CLUSTER: Form = {
    "type": SCALAR,
    "pattern": f"^{values.CLUSTER_NAME}$",
    "maxLength": values.LONGEST_CLUSTER,
    "minimum": 0,
}
IMAGE: Form = {
    "type": SCALAR,
    "pattern": r"^(?!-)(?![^@]*//)(?!\w+://)[^\s@]+(@[a-z0-9+._-]+:[0-9a-f]{32,})?$",
    "minimum": 0,
    "examples": ["vllm/vllm-openai:v0.17.1"],
}
HOST: Form = {
    "type": SCALAR,
    "pattern": rf"^({_HOST}|{_IPV6})$",
    "minimum": 0,
    "examples": ["gpu1.example.com", "gpu[2-9]"],
}
IP: Form = {
    "type": "string",
    "pattern": rf"^(?!({_NO_HOST})$)[0-9A-Fa-f:.\[\]-]+$",
    "examples": ["10.0.0.1", "10.0.0.[2-9]"],
}
NAME: Form = {"type": SCALAR, "pattern": r"^[A-Za-z0-9\[][A-Za-z0-9_.\[\]-]*$", "minimum": 0}
NETWORK: Form = {
    "type": "string",
    "pattern": r"^(?!127\.)[0-9A-Fa-f:.]+/[0-9.]+$",
    "examples": ["10.0.0.0/24"],
}
USER: Form = {"type": SCALAR, "pattern": f"^{_USER}$", "minimum": 0}
JUMP: Form = {
    "type": SCALAR,
    "pattern": f"^{_HOP}(,{_HOP})*$",
    "minimum": 0,
    "examples": ["me@bastion:22"],
}
PORT: Form = {
    "type": ["integer", "string"],
    "pattern": r"^0{0,8}[1-9][0-9]{0,4}$",
    "minimum": 1,
    "maximum": values.HIGHEST_PORT,
}
GPUS: Form = {"type": ["integer", "string"], "pattern": r"^[0-9]{1,9}$", "minimum": 0, "maximum": 999_999_999}
SECONDS: Form = {
    "type": ["number", "string"],
    "pattern": r"^(?!\s*-)[^A-Za-z]+([eE][^A-Za-z]+)?$",
    "exclusiveMinimum": 0,
    "maximum": values.LONGEST_TIMEOUT,
}
VARIABLE: Form = {"type": ["string", "boolean"], "pattern": f"^{values.VARIABLE}$"}
HF_HOME: Form = {
    "type": "string",
    "pattern": r"^(~|~?/[^:\n\r]*)$",
    "maxLength": values.LONGEST_TEXT,
    "examples": ["/data/huggingface"],
}
COMMAND: Form = {
    "type": SCALAR,
    "pattern": r"^(?!-)(?!\s*[^\s=]*=)(?!.*[$()*;&|<>`~])[^\n\r]*\S[^\n\r]*$",
    "minimum": 0,
    "examples": ["sudo -n docker", "podman"],
}
SIZE: Form = {
    "type": ["string", "number"],
    "pattern": r"^(?=.*[1-9])[0-9]+(\.[0-9]+)? ?[kKmMgGtTpP]?[iI]?[bB]?$",
    "exclusiveMinimum": 0,
    "examples": ["10.24g", "64g"],
}
RESTART: Form = {
    "anyOf": [
        {"enum": list(values.RESTART_POLICIES)},
        {"type": "string", "pattern": r"^on-failure:[0-9]{1,9}$"},
    ]
}


def _argument(refused: Iterable[str]) -> Form:
    """An item of a list of arguments, without those that raycluster says itself, and not two in one."""
    return {"type": SCALAR, "pattern": rf"^(?!({'|'.join(refused)})(=|$))(?!--?[A-Za-z][\w-]*\s)[\s\S]"}


DOCKER_ARGUMENT = _argument((*arguments.NOT_FOR_DOCKER, arguments.DETACHED))
VLLM_ARGUMENT = _argument(arguments.NOT_FOR_VLLM)
RAY_ARGUMENT = _argument(arguments.NOT_FOR_RAY)

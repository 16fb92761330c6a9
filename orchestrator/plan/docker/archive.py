"""Archives of `docker save`: under which names they have an image's layers."""

import hashlib
import json

from orchestrator.frozen import dataclass

SHA256 = "sha256:"
EMPTY_CONFIG = (
    '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,'
    '"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,'
    '"OnBuild":null,"Labels":null}'
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The lowest `count` of an image's layers, which an archive of it need not have."""

    layers: tuple[str, ...] = ()
    count: int = 0

    def __bool__(self) -> bool:
        return self.count > 0


NOTHING_LEFT_OUT = LeftOut()


def layer_files(layers: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The files of an archive that hold the lowest `count` layers, and none of those above them.

    Docker 25 and later name a layer by its hash. Before, one below the topmost has the name that Docker 1.9 would
    have given an image of it: https://github.com/moby/moby/blob/v20.10.24/image/v1/imagev1.go (CreateID).
    Where a Docker does otherwise, no such file is in its archive, and nothing is left out.
    """
    above = set(layers[count:])
    lower = [layer for layer in layers[:count] if layer not in above]
    older = [
        f"{name}/layer.tar"
        for layer, name in zip(layers[: min(count, len(layers) - 1)], _names(layers), strict=False)
        if layer not in above
    ]
    return (*(f"blobs/sha256/{layer.removeprefix(SHA256)}" for layer in lower), *older)


def _names(layers: tuple[str, ...]) -> list[str]:
    names, chain, parent = list[str](), "", ""
    for layer in layers:
        chain = _digest(f"{chain} {layer}") if chain else layer
        told = {"created": "1970-01-01T00:00:00Z", "layer_id": chain} | ({"parent": parent} if parent else {})
        rest = json.dumps(told, separators=(",", ":"), sort_keys=True)[1:]
        parent = _digest(f'{{"container_config":{EMPTY_CONFIG},{rest}')
        names.append(parent.removeprefix(SHA256))
    return names


def _digest(text: str) -> str:
    return SHA256 + hashlib.sha256(text.encode()).hexdigest()

"""Docker's `--gpus`: what a text asks for, read as the docker CLI does, and how many GPUs that is.

https://github.com/docker/cli/blob/master/opts/gpus.go (29.7): one record of CSV, whose fields are `key=value`, or a
count. That the daemon refuses a count beside devices: daemon/devices_nvidia_linux.go in moby.
"""

import re

from orchestrator.frozen import dataclass
from orchestrator.model.inventory.mistakes import quoted

NONE = "none"
"""Our own word for: no `--gpus` at all."""
CDI = "driver=cdi,device=nvidia.com/gpu=all"
"""All GPUs of a host whose Docker knows them by CDI alone."""

_FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'
_KEYS = ("driver", "count", "device", "capabilities", "options")
_COUNT = "all|[+-]?[0-9]{1,9}"
_BARE = 'device=[^",=]+(,[^",=]+)+'
_ITEM = rf'(?:{_COUNT}|count=(?:{_COUNT})|(?:driver|device|capabilities|options)=[^",]*)'
_QUOTED = rf'"(?:{_COUNT}|(?:{"|".join(_KEYS)})=(?:[^"]|"")*)"'
PATTERN = rf"^(?!-)(?:{NONE}|{_BARE}|(?:{_ITEM}|{_QUOTED})(?:,(?:{_ITEM}|{_QUOTED}))*)$"
"""What an editor is told of it."""


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """What `--gpus` asks for: those `devices`, else `count` of them, None being all."""

    count: int | None = None
    devices: tuple[str, ...] = ()

    def number(self, there: int | None) -> int:
        """How many GPUs that is at least. `there`: how many the host has, None where nobody knows.

        Slices of one (MIG, `0:1`) are in one GPU, which is what drivers count; whose a UUID of a slice is, it does
        not tell.
        """
        if self.devices:
            return distinct(self.devices, there)
        return there or 1 if self.count is None else self.count


def distinct(devices: tuple[str, ...], there: int | None) -> int:
    """How many GPUs are meant by numbers, UUIDs, `number:slice` or CDI names of devices."""
    names = {each.rpartition("=")[2].partition(":")[0] for each in devices}
    if "all" in names:
        return there or 1
    return len({"MIG" if name.startswith("MIG") else name for name in names - {""}})


def parse(text: str) -> GpuRequest | None:
    """What is asked for; None for `none`. A ValueError says what is wrong with the text."""
    if text == NONE:
        return None
    _check_habits(text)
    found: dict[str, str] = {}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", field
        elif key not in _KEYS:
            raise ValueError(f"Docker's --gpus has no {quoted(key)}; it has {', '.join(_KEYS)}")
        if key in found:
            raise ValueError(f"Docker takes one {key} in --gpus, and here are two")
        found[key] = value
    if "count" in found and not re.fullmatch(_COUNT, found["count"]):
        raise ValueError(f"should be all, none, a number or device=…, not {quoted(found['count'])}")
    if "device" in found:
        if "count" in found and found["count"] not in ("0", "+0", "-0"):
            raise ValueError("Docker takes either a count or devices in --gpus, and here are both")
        return GpuRequest(devices=_devices(found["device"]))
    count = found.get("count", "1")
    return GpuRequest(None if count == "all" or int(count) < 0 else int(count))


def _check_habits(text: str) -> None:
    """What CUDA_VISIBLE_DEVICES and Podman's --device take is told in Docker's words."""
    if re.fullmatch(r"[0-9]+( ?, ?[0-9]+)+", text):
        raise ValueError(f"GPUs by their numbers are written device={text.replace(' ', '')}")
    if text.startswith("nvidia.com/gpu="):
        raise ValueError(f"GPUs by CDI are written driver=cdi,device={text}")


def _devices(written: str) -> tuple[str, ...]:
    devices = tuple(written.split(","))
    if odd := next((each for each in devices if re.search(r"\s|^[0-9]+-[0-9]+$", each)), None):
        raise ValueError(f"names one GPU after the other, as in device=0,1,2; {quoted(odd)} is none")
    return devices


def as_docker_takes_it(text: str) -> str:
    """`device=0,2` with the quotes that make one field of it: without, Docker reads a device and a count."""
    return f'"{text}"' if re.fullmatch(_BARE, text) else text


def _fields(text: str) -> list[str]:
    if not re.fullmatch(rf"{_FIELD}(,{_FIELD})*", text):
        raise ValueError(
            f"has a quote where Docker's --gpus takes none: {quoted(text)}; "
            'it is CSV, as in \'"device=0,2","capabilities=utility"\''
        )
    fields = re.findall(rf"(?:^|,)({_FIELD})", text)
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]

"""Data-parallel ranks: how vLLM is told to put them on all hosts, or why it could not.

By itself vLLM starts all of them on its own host, and waits there for those that do not fit. Seen in
`create_engine_config` of `engine/arg_utils.py` and `create_dp_placement_groups` of `v1/engine/utils.py`,
vLLM 0.11.1 to 0.33.0.
"""

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.problem import Problem, plural
from orchestrator.plan.serving.arguments import DATA, DATA_BACKEND, DATA_LOCAL, read, without
from orchestrator.plan.serving.parallelism import KINDS, Parallelism
from orchestrator.plan.serving.servers import with_args

STRATEGY = "VLLM_RAY_DP_PACK_STRATEGY"
FILL, SPAN = {STRATEGY: "fill"}, {STRATEGY: "span"}
"""Instead of as many ranks on each host: as many as fit there; and each on several hosts, whose GPUs it takes all."""
STRATEGY_SINCE = {STRATEGY: "0.11.1"}
IPV6_SINCE = {"data parallelism by Ray at IPv6 addresses": "0.23.0"}
"""An older one reads a node's address up to the next colon, and waits for a node of that name."""


@dataclass(frozen=True, slots=True)
class Placement:
    """More of vLLM's arguments and variables. `needs`: what an older vLLM cannot do."""

    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


def placed_by_ray(
    model: Model, chosen: Parallelism, gpus: Mapping[str, int], head: str, ip: str
) -> Placement | Problem:
    """What makes vLLM place them through Ray. `gpus`: of each host; `head`, `ip`: where vLLM runs."""
    here, given = gpus.get(head, 0), read(model.args)
    if chosen.data == 1 or not sum(gpus.values()):
        return Placement()
    if given.value(DATA_BACKEND) not in ("", "ray"):
        return _on_the_head(model, chosen, here)
    backend = () if DATA_BACKEND in given else (DATA_BACKEND.name, "ray")
    local, env = (0, {}) if given.number(DATA_LOCAL) else _laid_out(gpus, head, chosen)
    if local is None:
        why = "find no place: vLLM wants the first of them on the head"
        return _misfit(model, chosen, why, lambda fewer: _laid_out(gpus, head, fewer)[0] is not None)
    needs = {**(STRATEGY_SINCE if env else {}), **(IPV6_SINCE if ":" in ip else {})}
    return Placement((*backend, *((DATA_LOCAL.name, str(local)) if local else ())), env, needs)


def _laid_out(
    gpus: Mapping[str, int], head: str, chosen: Parallelism
) -> tuple[int | None, Mapping[str, str]]:
    """How many are on the head, 0 for vLLM to find out, None where they fit nowhere; and by which strategy."""
    size, within = chosen.data, chosen.within_data
    able = [gpus.get(head, 0) // within, *(count // within for ip, count in gpus.items() if ip != head)]
    # By default as many on each host that takes part as on the head, and where fewer fit, none.
    most = range(min(size, able[0]), 0, -1)
    if alike := next((n for n in most if n * sum(count >= n for count in able) >= size), 0):
        return alike, {}
    if able[0] and sum(able) >= size:
        return able[0], FILL
    return (0, SPAN) if _fill_hosts(gpus, chosen) else (None, {})


def _on_the_head(model: Model, chosen: Parallelism, here: int) -> Placement | Problem:
    given = read(model.args)
    if given.number(DATA_LOCAL) in (0, chosen.data) and chosen.ranks <= here:
        return Placement()
    text = f"all ranks would be on the head, which has {here} of the {chosen.ranks} {chosen.device}s"
    line = with_args(model, without(model.args, DATA_BACKEND))
    return Problem(f"{DATA_BACKEND.name} {given.value(DATA_BACKEND)}: {text}", line)


def _fill_hosts(gpus: Mapping[str, int], chosen: Parallelism) -> bool:
    """Whether each is wider than a host, and takes whole ones."""
    most, within = max(gpus.values()), chosen.within_data
    alike = set(gpus.values()) <= {0, most}
    return alike and within > most and within % most == 0 and chosen.ranks <= sum(gpus.values())


def uneven(model: Model, chosen: Parallelism, hosts: int) -> Problem | None:
    """Why as many on each of several hosts would not come out: vLLM rounds, and waits for those that nobody starts."""
    if chosen.data == 1 or hosts == 1:
        return None
    here, local = chosen.ranks // hosts, read(model.args).number(DATA_LOCAL)
    if not _even(chosen, hosts):
        why = f"do not come out even on {hosts} hosts"
        return _misfit(model, chosen, why, lambda fewer: _even(fewer, hosts))
    even = max(1, here // chosen.within_data)
    text = f"{DATA_LOCAL.name} {local}: {chosen.data} data-parallel ranks on {hosts} hosts are {even} on each"
    line = with_args(model, without(model.args, DATA_LOCAL))
    return Problem(text, line) if local and local != even else None


def _even(chosen: Parallelism, hosts: int) -> bool:
    here, left = divmod(chosen.ranks, hosts)
    return not left and (here % chosen.within_data == 0 or chosen.within_data % here == 0)


def _misfit(model: Model, chosen: Parallelism, why: str, works: Callable[[Parallelism], bool]) -> Problem:
    """That they cannot be; with as many of them as can, or else with sizes that are chosen."""
    each = plural(chosen.within_data, chosen.device)
    ways = (replace(chosen, sizes={**chosen.sizes, DATA: size}) for size in range(chosen.data - 1, 1, -1))
    fewer = next(filter(works, ways), None)
    size = (DATA.name, str(fewer.data)) if fewer else ()
    line = with_args(model, without(model.args, DATA_LOCAL, *((DATA,) if fewer else KINDS)), *size)
    return Problem(f"{chosen.data} data-parallel ranks of {each} each {why}", line)

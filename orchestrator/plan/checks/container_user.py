"""Whom a container runs as, and what that user is kept from: models, temporary folders, its own cache."""

import shlex

from orchestrator.model.cluster import Node
from orchestrator.plan import typed
from orchestrator.plan.checks.finding import Findings, failure, warning
from orchestrator.plan.docker import endpoint
from orchestrator.plan.docker.mounts import hf_home_target, mounted_at
from orchestrator.plan.facts.host import HostFacts
from orchestrator.plan.facts.probe import Models, Mounted, Trial
from orchestrator.plan.remedies import WRITABLE
from orchestrator.plan.typed import add, change, where

TEMPORARY = ("/tmp", "/var/tmp")
NO_SQUASH = f"let root write there (NFS: no_root_squash), or set {where('hf_home')} to another folder"


def check_user(node: Node, facts: HostFacts, trial: Trial) -> Findings:
    """Everything that the trial's user is kept from."""
    if temporary := [path for path in trial.read_only if path in TEMPORARY]:
        text = f"its container cannot write {' and '.join(temporary)}, as Ray and vLLM have to"
        yield failure(node.name, "image", text, WRITABLE)
    for cache in (path for path in trial.read_only if path not in TEMPORARY):
        text = f"{_who(node, trial)} cannot write {cache}, where vLLM keeps what it compiles"
        elsewhere = (
            {"HOME": "/tmp"} if cache == f"{trial.user.home}/.cache" else {"XDG_CACHE_HOME": "/tmp/.cache"}
        )
        moved = (
            {} if trial.models.mount is Mounted.OTHER else _hf_home(node, trial)
        )  # HOME may have led there
        yield warning(node.name, "image", text, _set(elsewhere | moved))
    yield from _models(node, facts, trial)


def _models(node: Node, facts: HostFacts, trial: Trial) -> Findings:
    models, who = trial.models, _who(node, trial)
    looks = models.home if models.hub == f"{models.home}/hub" else models.hub
    if models.mount is Mounted.NOTHING:
        text = (
            f"{who} looks for models in {looks}, where nothing is mounted: they would go with the container"
        )
        yield warning(node.name, "hf_home", text, _set(_hf_home(node, trial)))
    elif not _is_found(models):
        text = f"{who} looks for models in {looks}, and may not enter that"
        yield warning(node.name, "hf_home", text, _set(_hf_home(node, trial)))
    yield from _folder(node, facts, trial)


def _folder(node: Node, facts: HostFacts, trial: Trial) -> Findings:
    """What the user may do in the folder itself, wherever it is mounted."""
    models, uid = trial.models, trial.user.uid
    folder = facts.machine.hf_home if facts.machine else None
    own = mounted_at(node, models.hub) if models.mount is Mounted.OTHER else None
    path = own.source if own else folder.path if folder else node.hf_home
    if not path:  # a volume of Docker's own, or an image's
        return
    there = shlex.quote(path)
    if not models.given:
        if uid and folder and folder.exists is False:
            text = f"{_who(node, trial)} cannot write {path}, which Docker would make, owned by root"
            fix = typed.there(f"mkdir -p {there} && sudo chown {uid} {there}")
            yield warning(node.name, "hf_home", text, fix)
        return
    if not models.unusable or (own and models.fixed and models.readable):
        return
    which = path if models.unusable == "." else f"{path.rstrip('/')}/{models.unusable}"
    if not uid or models.fixed:
        yield warning(node.name, "hf_home", f"{which} cannot be written by containers", NO_SQUASH)
    else:
        text = f"{_who(node, trial)} cannot {'write' if models.readable else 'read'} {which}"
        fix = f"{typed.there(f'sudo chown -R {uid} {there}')}; or {_as_root(node, models)}"
        yield warning(node.name, "hf_home", text, fix)


def _is_found(models: Models) -> bool:
    """Whether the user looks where something is mounted, and may come there."""
    return models.mount is Mounted.OTHER or (models.mount is Mounted.FOLDER and models.entered)


def _hf_home(node: Node, trial: Trial) -> dict[str, str]:
    """The variables with which this user finds the folder.

    Docker would make the folders above it as root's, so that ~/.cache, where it is not there yet, could not be
    written any more.
    """
    if trial.models.entered:
        return _variables(node, trial.models, hf_home_target(node))
    home = "" if set(trial.read_only) - set(TEMPORARY) else trial.user.home.rstrip("/")
    return _variables(node, trial.models, f"{home}/huggingface")


def _variables(node: Node, models: Models, hf_home: str) -> dict[str, str]:
    """Those that are not as they should be."""
    wanted = {} if dict(node.env).get("HF_HOME") == hf_home else {"HF_HOME": hf_home}
    return wanted if models.hub == f"{models.home}/hub" else wanted | {"HF_HUB_CACHE": f"{hf_home}/hub"}


def _as_root(node: Node, models: Models) -> str:
    """Root's HOME may be the image's, who is told by HOME, so Hugging Face is told where to look."""
    root = "let --user in `docker.args` be root" if _user(node) else add("docker.args", "--user=root")
    own = models.mount is Mounted.OTHER
    variables = {} if own else _variables(node, models, hf_home_target(node))
    return f"{root}; {_set(variables)}" if variables else root


def _set(variables: dict[str, str]) -> str:
    return "; ".join(change(f"env.{name}", value) for name, value in variables.items())


def _who(node: Node, trial: Trial) -> str:
    user = trial.user
    name = f"{user.name} ({user.uid})" if user.name else str(user.uid)
    return f"the user {name} of `docker.args`" if _user(node) else f"the image's user {name}"


def _user(node: Node) -> str:
    return endpoint.argument(node, "--user") or endpoint.argument(node, "-u")

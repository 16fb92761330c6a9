"""Models that are served: brought where that is wished, then started and waited for in one run, told of."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.cli.options import RunOptions
    from orchestrator.model.cluster import Cluster, Model
    from orchestrator.model.secret import Secret

GOES_ON = (0, 1)
"""Exit codes after which the next model is served: it was not interrupted, and no other run has the lock."""


def serve(cluster: "Cluster", wanted: "tuple[Model, ...]", pace: "RunOptions", *, force: bool = False) -> int:
    """Serves the models, and tells of each as soon as it answers or fails; the exit code.

    `force`: although they do not fit. The lock is held until all are started: what follows only looks, and others may
    serve something meanwhile.
    """
    from orchestrator.cli.output.serve_result import conclude, conclude_all
    from orchestrator.cli.run.operation import RunResult
    from orchestrator.cli.run.serving.pull import bring
    from orchestrator.cli.run.serving.run import ServeRun
    from orchestrator.cli.run.session import session

    brought: dict[str, int] = {}
    for model in wanted:
        if code := bring(cluster, model, pace) if model.pull else 0:
            brought[model.server] = code
            if code not in GOES_ON:
                return code
    models = tuple(each for each in wanted if each.server not in brought)
    if not models:
        return max(brought.values())
    several, ended = bool(wanted[1:]), dict[str, RunResult]()
    with session(cluster, "serve", pace, logged=True, secrets=_keys(models)) as run:
        for model, done in ServeRun(run, several=several, force=force).all(models):
            ended[model.server] = done
            if several:
                with run.aside():
                    conclude(model, done, one_of_several=True)
    if not several:
        conclude(models[0], done)
        return done.exit_code
    return conclude_all(tuple(each.server for each in wanted), brought, ended)


def _keys(models: "tuple[Model, ...]") -> "tuple[Secret, ...]":
    """Those that vLLM is given, which logs what it is told."""
    from orchestrator.model.secret import Secret
    from orchestrator.plan.serving import arguments

    return tuple(Secret("--api-key", arguments.read(each.args).value(arguments.API_KEY)) for each in models)

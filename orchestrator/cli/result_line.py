"""How a run ended, as the last line of `-o jsonl`."""

from collections.abc import Sequence

from orchestrator.cli.acting import Done
from orchestrator.cli.events import Failed, Result, emit
from orchestrator.cli.failures import failures
from orchestrator.model.cluster import Cluster


def show_result(
    command: str, cluster: Cluster, done: Done, message: str, unlike: Sequence[Failed] = ()
) -> None:
    """Prints it. `message`: the end in a sentence; `unlike`: what is wrong though no step has failed."""
    code = done.exit_code or (1 if unlike else 0)
    result = Result(
        command=command,
        cluster=cluster.name,
        exit_code=code,
        verdict="interrupted" if done.interrupted else "failed" if code else "done",
        message=message,
        seconds=round(done.seconds, 3),
        failures=(*failures(done), *unlike),
        log=str(done.log or ""),
    )
    emit(result, done.mask)

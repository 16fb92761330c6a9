"""Exit code 2 as programs read it: what is wrong with the command line or the inventory."""

from orchestrator.cli.output import json, jsonl
from orchestrator.cli.run.run_log import Mask
from orchestrator.model.inventory.mistakes import Mistake


def show(form: str, command: str, text: str, mistakes: tuple[Mistake, ...]) -> None:
    """Prints it in the form that was asked for."""
    if form == "jsonl":
        name = command.partition(" ")[2]
        emitted = jsonl.Result(command=name, cluster="", exit_code=2, verdict="refused", message=text)
        jsonl.emit(emitted, Mask())
        return
    told = (
        json.MistakeInFile(at.position.file, at.position.line, at.position.column, at.path, at.message)
        for at in mistakes
    )
    json.show(json.Refusal(text, tuple(told)))

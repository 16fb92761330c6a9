"""`raycluster ls`: the inventories that were used on this machine, with their clusters."""

from pathlib import Path

from orchestrator.cli import options


def ls(output: options.AnswerOutput = "text") -> None:
    """List the inventories that were used here.

    Each with its cluster and the last run that changed something, from the logs of those runs. Contacts nobody:
    for the state of a cluster, see `raycluster status`.
    """
    from rich.table import Table
    from rich.text import Text

    from orchestrator.cli.output import json
    from orchestrator.cli.output.console import for_people, notice, print_table
    from orchestrator.cli.run.history import used_inventories

    found = used_inventories()
    if output == "json":
        json.show(json.HistoryAnswer(found))
        return
    if not found:
        notice().print("no inventory was used here yet: raycluster init writes one, raycluster up uses it")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("CLUSTER", "INVENTORY", "LAST RUN", "BEGAN", "EXIT CODE"):
        table.add_column(title, overflow="fold")
    for each in found:
        gone = "" if each.there else " (gone)"
        code = "-" if each.exit_code is None else str(each.exit_code)
        cells = (
            f"{for_people(Path(each.inventory))}{gone}",
            each.command,
            each.began.replace("T", " "),
            code,
        )
        table.add_row(each.cluster, *map(Text, cells))
    print_table(table)

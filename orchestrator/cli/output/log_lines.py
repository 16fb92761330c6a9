"""Lines of logs as people read them: the host in front, in its colour, then what it said."""

import re
from collections.abc import Iterable, Sequence

from rich.text import Text

from orchestrator.cli.output.console import explain, notice, painted, printable, write_lines
from orchestrator.cli.output.typed import shown
from orchestrator.model.cluster import Cluster, Node
from orchestrator.plan.logs.lines import Line
from orchestrator.remote.logs.host_follower import Said

COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")
PAINT = re.compile(r"\x1b\[[0-9;:]*m")
"""The codes for colours, which would only be shown as what they are."""


class Printer:
    """Prints lines in columns. A host has the same colour each time, whichever hosts are shown."""

    def __init__(self, cluster: Cluster, nodes: Iterable[Node]) -> None:
        names = [node.name for node in cluster.nodes]
        self._colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
        self._width = max(len(node.name) for node in nodes)
        self._file_width = 0
        self._labels: dict[tuple[str, str], str] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """On standard output, past Rich, which would take half a minute for a hundred thousand."""
        width = max((len(line.file) for line in lines), default=0)
        if width > self._file_width:
            self._file_width = width
            self._labels.clear()
        write_lines("".join(f"{self._label(line)}{_last_state(line.text)}\n" for line in lines))

    def tell(self, news: Iterable[Said]) -> None:
        """On standard error."""
        for said in news:
            notice().print(
                Text.assemble((said.host, self._colours[said.host]), (f": {printable(said.text)}", "bold"))
            )
            explain(said.detail, shown(said.fix, [said.host]))

    def _label(self, line: Line) -> str:
        label = self._labels.get((line.host, line.file))
        if label is None:
            file = f" {line.file:<{self._file_width}}" if line.file else ""
            label = painted(f"{line.host:<{self._width}}{file} | ", self._colours[line.host])
            self._labels[line.host, line.file] = label
        return label


def _last_state(text: str) -> str:
    """A line as a terminal would leave it: a progress bar writes over itself."""
    if text.isprintable():
        return text
    return printable(PAINT.sub("", text).rstrip("\r").rpartition("\r")[2])

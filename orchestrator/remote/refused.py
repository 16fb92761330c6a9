"""The one exception of this room: a Failure on its way up."""

from orchestrator.remote.transport import Failure


class Refused(Exception):  # noqa: N818 - nothing went wrong in the program
    """Carries a Failure up through paramiko's calls, to where it becomes a value again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure

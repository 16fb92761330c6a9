"""Times in the past as people type them, for `docker logs --since`."""

import re
from datetime import datetime

DURATION = re.compile(r"((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+", re.ASCII)
EPOCH = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


def parse_since(text: str) -> str | None:
    """For Docker: a Go duration such as 1h30m, by the host's clock, or seconds since the epoch; None for neither.

    A date without a zone is the laptop's: Docker would take it for the host's.
    https://docs.docker.com/reference/cli/docker/container/logs/#since
    """
    if DURATION.fullmatch(text) or EPOCH.fullmatch(text):
        return text
    try:
        return f"{max(0.0, datetime.fromisoformat(text).timestamp()):.6f}"
    except (ValueError, OverflowError):
        return None

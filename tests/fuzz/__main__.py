"""`python -m tests.fuzz`: a long run, bounded in count and time. It says how many files were tried."""

import argparse
import os
import resource
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.checks import check
from tests.fuzz.inventories import files

ROUND = 1000
"""Files in a round. What Hypothesis remembers of a round is forgotten with it."""
MEMORY = 2 << 30
BASH_EVERY = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    began, tried = monotonic(), Counter[str]()
    rounds = range(wanted.seed, wanted.seed + -(-wanted.files // ROUND))
    one = partial(_round, end=began + 60 * wanted.minutes)
    pool = ProcessPoolExecutor(os.cpu_count())
    try:
        for each in as_completed([pool.submit(one, number) for number in rounds]):
            tried += each.result()
            sys.stderr.write(f"\r{tried['tried']:,} files tried")
    finally:
        pool.shutdown(cancel_futures=True)
    sys.stdout.write(
        f"\n{tried['tried']:,} files tried in {monotonic() - began:.0f} s: none did any harm; "
        f"{tried['loaded']:,} of them were inventories, planned and shown; bash has read {tried['bash']:,}\n"
    )


def _round(number: int, end: float) -> Counter[str]:
    """Tries a round's files, or as many as there is time for."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    tried = Counter[str]()
    with TemporaryDirectory() as folder:
        file = Path(folder, "f.yaml")

        @seed(number)
        @settings(
            max_examples=ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(files())
        def one(raw: bytes) -> None:
            if monotonic() > end:
                return
            file.write_bytes(raw)
            bash = tried["loaded"] % BASH_EVERY == 0
            loaded = check(file, bash=bash)
            tried.update(tried=1, loaded=loaded, bash=loaded and bash)

        one()
    return tried


if __name__ == "__main__":
    main()

"""Log reader that runs in a node's container, sent there as text: prints the lines of Ray's daemons or of vLLM.

    python3 -c TEXT FOLDER LINES                         the last LINES of each file, or `all`
    python3 -c TEXT FOLDER LINES SECONDS [POSITION…]     these and what comes, until standard input ends, or nothing
                                                         was read from it for SECONDS

A line of a file is printed as `NAME INODE:OFFSET TEXT`, with the offset at which to go on: `NAME INODE:OFFSET` is a
POSITION. Where it goes on, it first prints the position at which it begins.
"""

import contextlib
import glob
import os
import sys

from common import input_ended

WRITERS = ("gcs_server", "raylet", "monitor", "dashboard", "dashboard_agent", "vllm")
KINDS = (".out", ".err", ".log")
CHUNK = 1 << 20
EVERY = 0.25


def files(folder):
    for writer in WRITERS:
        for kind in KINDS:
            yield from glob.glob(f"{folder}/{writer}{kind}")


def last_lines(file, lines):
    """The offset at which the last lines begin."""
    end = file.seek(0, os.SEEK_END)
    if lines == "all" or not end:
        return 0
    wanted, offset = int(lines), end
    file.seek(end - 1)
    breaks = wanted + (file.read(1) == b"\n")  # one that ends the last line begins none
    while offset and breaks > 0:
        start = max(0, offset - CHUNK)
        file.seek(start)
        block = file.read(offset - start)
        while breaks > 0 and (found := block.rfind(b"\n")) >= 0:
            block, breaks = block[:found], breaks - 1
        if breaks == 0:
            return start + len(block) + 1
        offset = start
    return 0 if wanted else end


class Reader:
    """Where in which file we are."""

    def __init__(self, folder, lines, positions=()):
        self.folder, self.lines = folder, "all" if positions else lines
        self.at = {name: tuple(map(int, at.split(":"))) for name, at in map(str.split, positions)}

    def read(self, whole):
        """Prints what is new. `whole`: only lines that have ended."""
        for path in files(self.folder):
            # Ray renames a file that is full, and makes another.
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                self.read_file(os.path.basename(path), file, whole)
        self.lines = "all"  # of a file that comes later, nothing is old
        sys.stdout.flush()

    def read_file(self, name, file, whole):
        now = os.fstat(file.fileno())
        inode, offset = self.at.get(name) or (now.st_ino, last_lines(file, self.lines))
        if whole and name not in self.at:
            print(f"{name} {inode}:{offset}", flush=True)
        if inode != now.st_ino or offset > now.st_size:  # a new file, or it was cut short
            offset = 0
        file.seek(offset)
        for line in file:
            if whole and not line.endswith(b"\n"):
                break
            offset += len(line)
            sys.stdout.buffer.write(f"{name} {now.st_ino}:{offset} ".encode() + line.rstrip(b"\n") + b"\n")
        self.at[name] = (now.st_ino, offset)


def main(folder, lines, seconds=None, *positions):
    if not os.path.isdir(folder):
        sys.exit(f"there is no {folder} in this container")
    reader = Reader(folder, lines, positions)
    if seconds is None:
        return reader.read(whole=False)
    ended = input_ended(float(seconds))
    reader.read(whole=True)
    while not ended.wait(EVERY):
        reader.read(whole=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Source of a chain that is an image: what `docker save` prints, without the layers that are there already."""

import os
import subprocess

from ends import PIECE, SOURCES, RelayError, end, judge, started

BLOCK = 512
HISTORY_SECONDS = 20


def docker_save(config, report):
    if config.get("skip") and config.get("sizes"):
        report(total=size_above(**config["sizes"]))
    process, words = started(config["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        pipe = process.stdout.fileno()
        yield from (without(pipe, set(config["skip"])) if config.get("skip") else pieces(pipe))
        judge(words, process.wait())
    finally:
        end(process)


def size_above(command, layers, below):
    """How many bytes the layers have that are to come, by the image's history; 0 where that does not tell."""
    try:
        told = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=HISTORY_SECONDS, check=True).stdout.split()  # fmt: skip
        sizes = [int(each) for each in reversed(told)]  # the topmost is told first
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
    while 0 in sizes and len(sizes) > layers:
        sizes.remove(0)  # a line of the recipe that has made no layer
    return sum(sizes[below:]) if len(sizes) == layers else 0


def pieces(pipe):
    piece = os.read(pipe, PIECE)
    while piece:
        yield piece
        piece = os.read(pipe, PIECE)


def without(pipe, names):
    """The archive less the files of these names. What comes after its end, or is none, goes as it is."""
    while True:
        head = whole(pipe, BLOCK)
        if len(head) < BLOCK or not head.strip(b"\0"):
            yield head
            break
        size = number(head[124:136])
        rest, skipped = -(-size // BLOCK) * BLOCK, name_of(head) in names and head[156:157] in (b"0", b"\0")
        if not skipped:
            yield head
        while rest:
            piece = os.read(pipe, min(rest, PIECE))
            if not piece:
                return
            rest -= len(piece)
            if not skipped:
                yield piece
    yield from pieces(pipe)


def whole(pipe, size):
    got = b""
    while len(got) < size:
        more = os.read(pipe, size - len(got))
        if not more:
            break
        got += more
    return got


def name_of(head):
    prefix = head[345:500].rstrip(b"\0") if head[257:262] == b"ustar" and head[262:263] == b"\0" else b""
    name = head[:100].split(b"\0")[0]
    return (prefix + b"/" + name if prefix else name).decode(errors="replace")


def number(field):
    """Octal digits, or, for what is larger, a number of its bytes."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") - (0x80 << 8 * (len(field) - 1))
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise RelayError("docker save gave no archive") from None


SOURCES["docker save"] = docker_save

"""A model as a stream on standard output, or from standard input, for who takes no part in a chain; sent as text.

python3 -c TEXT list SPEC       what a model's revision consists of, as a line of JSON
python3 -c TEXT holding LIST    what of such a list is here
python3 -c TEXT send SPEC       the bytes that `begin` wants of `list`
python3 -c TEXT receive LIST    makes files of them

SPEC and LIST are JSON, packed where it is long.
"""

import json
import os
import sys

from cache import Trouble, tell
from common import words_of_os
from copies import LUMP, Receiver, holding, made_of, pieces_of, unpacked


def main(act, text):
    told = json.loads(text) if text.startswith("{") else unpacked(text)
    try:
        if act == "list":
            tell(copy=made_of(told["model"], told["revision"]))
        elif act == "holding":
            tell(holding=holding(told))
        elif act == "send":
            for piece in pieces_of(told["list"], told["begin"]):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            receive(told)
    except Trouble as trouble:
        if act in ("list", "holding"):
            tell(trouble=trouble.code, words=str(trouble))
        sys.exit(str(trouble))
    except OSError as error:
        sys.exit(words_of_os(error))


def receive(told):
    receiver = Receiver(told)
    try:
        for piece in iter(lambda: os.read(0, LUMP), b""):
            receiver.write(piece)
        print(receiver.close()["said"])
    finally:
        receiver.abort()


if __name__ == "__main__":
    main(*sys.argv[1:])

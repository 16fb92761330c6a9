"""Talking to people: the only room that prints."""

import atexit
import gc

# Importing makes many objects and drops few, and so does a run: to look for garbage all the while takes a seventh of a
# start. It is still looked for, only less often, also by a `status --watch` that stays for days.
gc.set_threshold(200_000)

# At the end all is let go of anyway; Python would first look through everything twice, for a tenth of a second.
atexit.register(gc.freeze)

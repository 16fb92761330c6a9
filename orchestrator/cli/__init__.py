"""Talking to people: the only room that prints."""

import gc

# Importing makes many objects and drops few, and so does a run: to look for garbage all the while takes a seventh of a
# start. It is still looked for, only less often, also by a `status --watch` that stays for days.
gc.set_threshold(100_000)

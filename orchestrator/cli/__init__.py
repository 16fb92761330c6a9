"""Talking to people: the only room that prints."""

import gc

gc.set_threshold(100_000)
"""Importing makes many objects and drops few; to look for garbage all the while takes a seventh of a start."""

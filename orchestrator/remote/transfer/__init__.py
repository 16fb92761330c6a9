"""Streams of bytes from host to host: the chain of relays that this machine begins, watches and mends."""

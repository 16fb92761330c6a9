"""Commands on this machine itself, for `host: local`. Imported by the fleet alone."""

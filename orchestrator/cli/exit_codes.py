"""Exit codes with a meaning of their own; `raycluster --help` lists them all."""

NOT_HEALTHY = 3
LOCKED = 4
INTERRUPTED = 130

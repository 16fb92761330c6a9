"""raycluster: a YAML list of GPU machines becomes a running Ray cluster, and what it says is true.

Four rooms, one direction: `cli` → `remote` → `plan` → `model`. Left may import right, never back.

    model    what the cluster is     the inventory and what it means
    plan     what to do              pure: facts in, plans out
    remote   making it so            the only room that opens sockets or starts processes
    cli      talking to people       the only room that prints
"""

__version__ = "0.1.0"

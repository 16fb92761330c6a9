"""What the cluster is: the inventory, read and resolved. Pure; no I/O but reading the file itself."""

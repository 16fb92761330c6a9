"""Ray's command lines, node table and ports. For all of `plan` and `remote`."""

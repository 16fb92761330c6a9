"""What commands have in common: the inventory, a session with the hosts, one plan carried out, signals, the log."""

"""Health of hosts and cluster, snapshots while they are watched, and what changed. For `remote` and `cli`."""

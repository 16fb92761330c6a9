"""Logs of hosts, read once or followed. Imported by cli's `logs`."""

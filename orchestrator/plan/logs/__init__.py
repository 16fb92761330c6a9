"""Logs as values: their lines, where each goes on, and the times that people type. For `remote` and `cli`."""

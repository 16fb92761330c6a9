"""Chains of relays: who passes the bytes to whom, and what is to be done when a host leaves. Pure, as all of `plan`."""

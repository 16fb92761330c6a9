"""Making it so: transports, and what is done over them. May import plan and model; only cli imports it."""

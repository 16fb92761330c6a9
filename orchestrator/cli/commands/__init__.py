"""A file for each command: what it takes, what it does in the other rooms' words, how it ends."""

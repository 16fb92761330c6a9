"""What to do: facts in, plans out. Pure; commands and plans are values."""

"""What people and programs see: tables, plans, progress, JSON. Everything printed goes through `console`."""

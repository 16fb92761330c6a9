"""What commands do to hosts: a planner for each, facts in, a Plan out."""

"""Plans carried out, the cluster's lock, image streams and a person's own commands. Imported by cli."""

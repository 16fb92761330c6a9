"""Reads an inventory file: YAML text, values and their rules, mistakes with positions, and at last the cluster.

`parse` is the way in. `cli` and `plan` import it, and the kinds of values where a person types one elsewhere.
"""

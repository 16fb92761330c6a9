"""Reads an inventory file: YAML text, its values and their rules, every mistake with its position, the cluster.

`parse` is the way in. The kinds of values are also used where a person types one; only `cli` and `plan` import from here.
"""

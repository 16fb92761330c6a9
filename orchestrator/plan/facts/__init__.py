"""Facts of hosts, images, containers and networks, and the parsers of the answers that hold them.

All other folders of `plan`, `remote` and `cli` read them; parsers are called by `remote`.
"""

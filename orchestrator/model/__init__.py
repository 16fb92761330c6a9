"""Describes the cluster and its hosts, and reads them from an inventory file.

Pure, but for reading that file; everybody may import it.
"""

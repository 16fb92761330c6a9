"""Facts from hosts: inspection, images, preflight checks, the network test, the watch. Imported by cli."""

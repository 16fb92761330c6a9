"""Programs that supervise a model's server in a container, sent there as files; they import each other alone."""

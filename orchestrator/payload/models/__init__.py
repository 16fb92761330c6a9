"""Programs for models in the cache of a container's user: told of, verified, removed, downloaded, copied."""

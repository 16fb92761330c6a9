"""A small Ray job: one task on every host of the cluster, each telling where it runs."""

import socket

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init(address="auto", log_to_driver=False, logging_level="ERROR")


@ray.remote(num_gpus=1)
def hello() -> str:
    return f"hello from {socket.gethostname()}, with {ray.get_runtime_context().get_accelerator_ids()['GPU']}"


nodes = [node for node in ray.nodes() if node["Alive"]]
tasks = [
    hello.options(scheduling_strategy=NodeAffinitySchedulingStrategy(n["NodeID"], soft=False)).remote()
    for n in nodes
]
print("\n".join(sorted(ray.get(tasks, timeout=60))))

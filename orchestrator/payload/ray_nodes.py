"""Reader of Ray's node table that runs in the head's container, sent there as text: prints it as lines of JSON.

    python3 -c TEXT GCS_ADDRESS                        one line, with what Ray serves besides
    python3 -c TEXT GCS_ADDRESS SECONDS                a line for each change, until standard input ends
    python3 -c TEXT GCS_ADDRESS SECONDS IP=NAME=N…     a line for each change, until every IP is alive
                                                       with N of the accelerator that Ray calls NAME
    python3 -c TEXT watch GCS_ADDRESS                  a line for each change, with the resources in use, and an empty
                                                       one for each second without, until standard input ends

The second and third end with 1 after SECONDS.

It uses what `ray status` uses inside (ray._raylet.GcsClient), which answers in 10 ms where starting
`ray status` takes 1.8 s.
"""

import concurrent.futures
import functools
import json
import os
import platform
import socket
import sys
import threading
import time

from common import input_ended

ALIVE = 0  # ray.core.generated.gcs_pb2.GcsNodeInfo.GcsNodeState
ACCELERATORS = ("GPU", "NPU", "HPU", "TPU")  # as Ray calls them
RESOURCES = ("CPU", *ACCELERATORS, "memory", "object_store_memory")


class Reached:
    """Which nodes can be reached from here. Ray lists a node half a minute before it notices that it cannot.

    `tries` each, and at most `patience` seconds before a table is printed with some of them still open.
    """

    tries, patience = 1, None

    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(64)
        self.nodes = {}

    def start(self, nodes):
        for node in nodes:
            if node.state == ALIVE and node.node_id not in self.nodes:
                where = (node.node_manager_address, node.node_manager_port)
                self.nodes[node.node_id] = self.pool.submit(self.reach, *where)
        concurrent.futures.wait(self.nodes.values(), self.patience)

    def reach(self, ip, port):
        for _ in range(self.tries):
            try:
                socket.create_connection((ip, port), timeout=2).close()
            except OSError:
                time.sleep(0.2)
            else:
                return True
        return False

    def __call__(self, node):
        """True, False, or None while it is being tried."""
        tried = self.nodes.get(node.node_id)
        return tried.result() if tried and tried.done() else None


reached = Reached()


@functools.lru_cache
def gcs(address):
    host, _, port = address.rpartition(":")
    socket.create_connection(
        (host.strip("[]"), int(port)), timeout=5
    ).close()  # GcsClient would wait for minutes
    from ray._raylet import GcsClient

    return GcsClient(address=address)


def listens(address):
    """False where nobody does. What a firewall keeps from us may answer others."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        pass
    return True


def row(node, free=None):
    """A node; with `free`, also how much of each resource is free, and how much there is."""
    resources = dict(node.resources_total)
    shown = {name: [free.get(name, 0.0), resources[name]] for name in RESOURCES if free and name in resources}
    return {
        "ip": node.node_manager_address,
        "alive": node.state == ALIVE,
        "head": node.is_head_node,
        "accelerators": {name: int(resources[name]) for name in ACCELERATORS if resources.get(name)},
        "started": node.start_time_ms / 1000,
        "hostname": node.node_manager_hostname,
        "port": node.node_manager_port,
        "metrics": node.metrics_export_port,
        "reached": reached(node),
        "death": node.death_info.reason_message,
        **({"resources": shown} if shown else {}),
    }


def free_resources(address):
    """What is free on each node. A resource that is used up is left out."""
    try:
        usage = gcs(address).get_all_resource_usage().resource_usage_data
        return {each.node_id: dict(each.resources_available) for each in usage.batch}
    except Exception:  # it belongs to the inside of Ray, and may change
        return {}


def table(address, resources=False):
    nodes = list(gcs(address).get_all_node_info().values())
    version = sys.modules["ray"].__version__
    if any(isinstance(node, dict) for node in nodes):  # as Ray told of them before 2.31
        return {
            "error": f"{address}: Ray {version} has another node table",
            "gone": False,
            "too_old": version,
        }
    reached.start(nodes)
    free = free_resources(address) if resources else {}
    rows = sorted((row(node, free.get(node.node_id)) for node in nodes), key=lambda node: node["started"])
    return {"ray": version, "python": platform.python_version(), "nodes": rows}


def services(address):
    """Where Ray says that it serves its dashboard, and metrics apart from those of each node.

    Ray's own list for Prometheus is made of the same: PrometheusServiceDiscoveryWriter in its metrics_agent.py.
    """
    get = gcs(address).internal_kv_get
    metrics = (get(key, None) for key in (b"AutoscalerMetricsAddress", b"DashboardMetricsAddress"))
    return {
        "dashboard": (get(b"dashboard", b"dashboard") or b"").decode(),
        "metrics": [each.decode() for each in metrics if each],
    }


def everything(address):
    """Ray up to 2.52 tells the ports of agents which it does not have, so it is tried who listens there."""
    found = table(address)
    if "too_old" in found:
        return found
    served = services(address)
    tried = {
        f"{node['ip']}:{node['metrics']}": node
        for node in found["nodes"]
        if node["alive"] and node["reached"] and node["metrics"] > 0
    }
    for node, answers in zip(tried.values(), reached.pool.map(listens, tried)):
        node["exports"] = answers
    served["metrics"] = [each for each in served["metrics"] if listens(each)]
    return {**found, **served}


def inspect(address, ask=table, **options):
    """What Ray answers, or why it does not."""
    try:
        return ask(address, **options)
    except ConnectionRefusedError:
        return {"error": f"nothing listens on {address}", "gone": True}
    except ModuleNotFoundError as error:
        without = {"without_ray": sys.executable} if error.name == "ray" else {}
        return {"error": f"{address}: ModuleNotFoundError: {error}", "gone": False, **without}
    except Exception as error:  # whatever Ray raises is the answer
        gcs.cache_clear()
        return {"error": f"{address}: {type(error).__name__}: {error}", "gone": False}


def complete(found, wanted):
    nodes = [node for node in found.get("nodes", ()) if node["alive"] and node["reached"]]
    alive = {node["ip"]: node["accelerators"] for node in nodes}
    return bool(wanted) and all(ip in alive and alive[ip].get(name, 0) >= n for ip, name, n in wanted)


def follow(address, seconds, wanted):
    ended = threading.Event() if wanted else input_ended()
    deadline, last = time.monotonic() + seconds, None
    while not ended.is_set() and time.monotonic() < deadline:
        found = inspect(address)
        if found != last:
            print(json.dumps(found), flush=True)
            last = found
        if complete(found, wanted):
            return 0
        time.sleep(0.1)
    return 1


def watch(address):
    ended, last = input_ended(), None
    while not ended.is_set():
        found = inspect(address, resources=True)
        print("" if found == last else json.dumps(found), flush=True)
        last = found
        ended.wait(1)
    return 0


def main(address, seconds=None, *expected):
    if seconds is None:
        print(json.dumps(inspect(address, everything)))
        return 0
    reached.tries, reached.patience = 3, 0.1
    if address == "watch":
        return watch(seconds)
    wanted = [(ip, name, int(n)) for ip, name, n in (each.split("=") for each in expected)]
    return follow(address, float(seconds), wanted)


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # whoever is still being tried is of no interest any more

"""Ends of a chain that is a model: its files as a stream, and a stream as its files."""

from copies import Receiver, pieces_of, unpacked
from ends import SINKS, SOURCES


def read_model(config, _report):
    yield from pieces_of(unpacked(config["list"]), config["begin"])


def model_sink(config, report):
    return Receiver(unpacked(config["list"]), report)


SOURCES["model"] = read_model
SINKS["model"] = model_sink

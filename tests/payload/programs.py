"""Programs for containers as modules of a test's own, made of the very text that is sent."""

from types import ModuleType
from typing import Any

from orchestrator.payload import Name, program


def loaded(name: Name) -> Any:
    """The program, which runs on the image's own Python and has no types."""
    module = ModuleType(name)
    exec(compile(program(name), name, "exec"), vars(module))
    return module

"""YAML text → nodes by libyaml, several times as fast as PyYAML's own reader, where both read the same.

What libyaml does not take is left to PyYAML, whose words for what is wrong are those that a user gets. The two differ
over tabs and other white space, and over what an inventory seldom has: `? key`, tags, blocks (`|`, `>`), directives.
"""

import re
from contextlib import suppress
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

_READ_OTHERWISE = re.compile(r"[^\n -~]|[?!|>%]")


def composed(text: str, resolvers: dict[Any, Any], most: int) -> yaml.Node | None:
    """The one document's node, where it is made of at most so many; None where PyYAML has to read it."""
    if not yaml.__with_libyaml__ or _READ_OTHERWISE.search(text):
        return None
    with suppress(yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return _Loader(text, resolvers, most).get_single_node()
    return None


class _LeftToPyYamlError(yaml.YAMLError):
    pass


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _Loader(Composer, CParser, Resolver):
        """libyaml's events, and PyYAML's way to make nodes of them."""

        def __init__(self, text: str, resolvers: dict[Any, Any], most: int) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)
            self.yaml_implicit_resolvers = resolvers
            self._left = most

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            self._left -= 1
            node = super().compose_node(parent, index)
            if self._left < 0 or (isinstance(node, yaml.ScalarNode) and _is_empty(node)):
                raise _LeftToPyYamlError
            return node


def _is_empty(node: yaml.ScalarNode) -> bool:
    """`key:` with nothing after it: where that nothing stands, the two do not agree."""
    return not node.value and node.start_mark.index == node.end_mark.index

"""What a person has told `vllm serve`, as its own parser would read it."""

from itertools import zip_longest


def value(args: tuple[str, ...], name: str) -> str:
    """What an option was given, empty where it was not: `--name v`, `--name=v`, also with `_` for `-`; the last one."""
    found = ""
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        option, equals, attached = word.partition("=")
        if option.startswith("-") and option.replace("_", "-") == name:
            found = attached if equals else following
    return found


def has(args: tuple[str, ...], *names: str) -> bool:
    """Whether any of those options is given, with a value or without."""
    given = {word.partition("=")[0].replace("_", "-") for word in args if word.startswith("-")}
    return bool(given & set(names))

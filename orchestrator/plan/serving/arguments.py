"""What a person has told `vllm serve`, as its own parser would read it."""

from itertools import zip_longest

LONGEST = 9  # digits of a number that means something


def value(args: tuple[str, ...], *names: str) -> str:
    """What an option of these names was given: `--name v`, `--name=v`, also with `_` for `-`; the last one wins.

    Empty where it was not given.
    """
    found = ""
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        option, equals, attached = word.partition("=")
        if option.startswith("-") and option.replace("_", "-") in names:
            found = attached if equals else following
    return found


def number(args: tuple[str, ...], *names: str) -> int:
    """The same of a number; 0 where there is none."""
    told = value(args, *names)
    return int(told) if told.isascii() and told.isdigit() and len(told) <= LONGEST else 0


def has(args: tuple[str, ...], *names: str) -> bool:
    """Whether any of those options is given, with a value or without."""
    given = {word.partition("=")[0].replace("_", "-") for word in args if word.startswith("-")}
    return bool(given & set(names))

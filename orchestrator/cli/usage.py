"""What is wrong with a command line, in one plain sentence, with the line that was meant."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any, cast, get_args

from typer._click import exceptions
from typer._click.globals import get_current_context

from orchestrator.cli import habits

if TYPE_CHECKING:
    from orchestrator.model.inventory.mistakes import Mistake

SIMILAR = 0.7
"""How like a word has to be to be suggested: `--json` is less like `--jobs`."""
PROGRAM = "raycluster"
LONGEST = 60
DASHES = "".join(map(chr, (*range(0x2010, 0x2016), 0x2212)))
"""Those of Unicode that look like one of the keyboard."""
SCREEN = 1200
"""Characters that are shown of a mistake, whatever was typed."""
VALUE = {int: "a whole number", float: "a number"}


class CommandLineError(exceptions.UsageError):
    """A mistake that is told in our own words: they are all that is shown."""

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - Click's own
        from orchestrator.cli.output.console import notice

        cut = self.message if len(self.message) <= SCREEN else f"{self.message[:SCREEN]}…"
        notice().print(cut, style="red")
        if self.ctx:
            show_to_programs(self.ctx, cut)


def current() -> Any:
    """Click's context of the command that runs; None where none does."""
    return get_current_context(silent=True)


def meant(word: str, *words: str, less: Sequence[str] = ()) -> str:
    """The line that was typed, with other words in the place of one, and without some that follow it."""
    line = command_line()
    at = line.index(word) if word in line else len(line)
    rest = line[at + 1 :]
    for each in less:
        if each in rest:
            rest.remove(each)
    return shlex.join((PROGRAM, *line[:at], *words, *rest))


def command_line() -> list[str]:
    """The words after the program's name."""
    ctx = current()
    return list(ctx.find_root().command.words) if ctx else []


def show_to_programs(ctx: Any, text: str, mistakes: "tuple[Mistake, ...]" = ()) -> None:
    """Prints what is wrong as JSON, where the line asks for that, however far it was understood."""
    line = list(takewhile("--".__ne__, ctx.find_root().command.words))
    for form in ("json", "jsonl"):
        spellings = (f"-o{form}", f"--output={form}")
        if any(word in spellings for word in line) or {("-o", form), ("--output", form)} & {*pairwise(line)}:
            from orchestrator.cli.output import refusal

            refusal.show(form, ctx.command_path, text, mistakes)


@contextmanager
def told_plainly(root: Any, args: Sequence[str]) -> Iterator[None]:
    """Turns what Click and pydantic say of a command line into a sentence of ours."""
    try:
        yield
    except (exceptions.NoArgsIsHelpError, CommandLineError):
        raise
    except exceptions.UsageError as error:
        raise CommandLineError(_sentence(error, root, args), error.ctx) from None


def _sentence(error: exceptions.UsageError, root: Any, args: Sequence[str]) -> str:
    command = error.ctx.command_path if error.ctx else PROGRAM
    match error:
        case exceptions.NoSuchOption():
            return f"no such option: {_short(error.option_name)} → {_option_meant(error, root, args)}"
        case exceptions.BadOptionUsage() if "does not take a value" in error.message:
            return f"{error.option_name} takes no value; write it alone, or leave it out"
        case exceptions.BadOptionUsage():
            command = next((f"{PROGRAM} {word}" for word in args if word in root.commands), command)
            return f"{error.option_name}: its value is missing → {command} -h"
        case exceptions.MissingParameter(param=param) if param is not None:
            return f"{command}: {param.metavar or param.name} is missing → {command} -h"
        case exceptions.BadParameter():
            return _value(error)
        case _:
            return f"{command}: {_lower(error.message)} → {command} -h"


def unknown_command(ctx: Any, word: str, rest: Sequence[str]) -> CommandLineError:
    """The error for a word that no command is called by."""
    group = ctx.command_path
    table = habits.IN_GROUPS.get(ctx.info_name, {}) if ctx.parent else habits.COMMANDS
    if (meant := table.get(word)) is not None:
        carried = list(_carried(ctx, meant, rest))
        line = " ".join((group, meant, *carried, *_needed(ctx, meant, carried))).rstrip()
        return CommandLineError(f"no such command: {word} → {line}", ctx)
    near = get_close_matches(word.lower(), ctx.command.commands, 1, SIMILAR)
    line = shlex.join((*group.split(), near[0], *rest)) if near else f"{group} -h lists them"
    command: Any = _command(ctx, near[0]) if near else None
    if near and not rest and (hasattr(command, "commands") or any(each.required for each in command.params)):
        line = f"{group} {near[0]} -h"
    return CommandLineError(f"no such command: {_short(word)} → {line}", ctx)


def too_many(ctx: Any, words: Sequence[str]) -> CommandLineError:
    """The error for words that a command has no use for."""
    what = ", ".join(map(_short, words))
    takes = next((each.metavar for each in ctx.command.params if each.param_type_name == "argument"), "")
    named = ctx.params.get("inventory")
    if named and "limit" in ctx.params and not any("/" in each or "." in each for each in (named, *words)):
        hosts = shlex.quote(",".join((named, *words)))
        return CommandLineError(f"hosts go with -l: {ctx.command_path} -l {hosts}", ctx)
    if ctx.info_name == "shell":
        line = shlex.join((PROGRAM, "exec", "-l", ctx.params["host"], "--", *words))
        return CommandLineError(f"{ctx.command_path} takes no command → {line}", ctx)
    than = f"one {takes}, not also" if takes else "options only, not"
    return CommandLineError(f"{ctx.command_path} takes {than} {what} → {ctx.command_path} -h", ctx)


def refuse_pasted_dashes(ctx: Any, args: Sequence[str]) -> None:
    """An option that begins with another dash, as web pages and documents have them, would be taken for a word."""
    words = list(takewhile("--".__ne__, args))
    own = words[:2] if words[:1] == ["exec"] else words  # what follows may be the command's
    word = next((each for each in own if set(each[:2]) & set(DASHES)), "")
    name = word.lstrip(f"-{DASHES}")
    if not word or word[0] not in f"-{DASHES}" or not name:
        return
    dashes = "-" if len(name.partition("=")[0]) == 1 else "--"
    line = shlex.join((PROGRAM, *(dashes + name if each == word else each for each in args)))
    raise CommandLineError(f'{_short(word)}: this dash is not "-" → {line}', ctx)


def _carried(ctx: Any, meant: str, rest: Sequence[str]) -> Iterator[str]:
    """What was typed after the word, as the command that was meant takes it; nothing where that is not known."""
    first, *more = meant.split()
    if not all(word.isprintable() and len(word) <= LONGEST for word in rest):
        return
    if first == "exec":
        known = [] if rest and rest[0][:1] == "-" else rest
        yield from map(shlex.quote, known or (["COMMAND"] if more == ["--"] else []))
        return
    command = _command(ctx, meant)
    if command is None or hasattr(command, "commands"):
        return
    options = {name: each for each in command.params for name in each.opts if name[:1] == "-"}
    arguments = {each.name for each in command.params if each.param_type_name == "argument"}
    words, carried, hosts = iter(rest), list[str](), list[str]()
    for word in words:
        given = "-i" if habits.OPTIONS.get(word) == "-i FILE" else word
        option = options.get(given.partition("=")[0])
        if word[:1] == "-" and option is None:
            return
        if option:
            takes_next = not (option.is_flag or option.count or "=" in word)
            value = [next(words, "VALUE")] if takes_next else []
            forms = get_args(option.type_descriptor.annotation)
            carried += [given, *value] if not (forms and value) or value[0] in forms else []
        elif "inventory" in arguments and "/" not in word and not word.endswith((".yaml", ".yml")):
            hosts += [] if word in habits.NOUNS else [word]
        elif arguments and not word.isdecimal():  # of no command a word: `scale 3` says how many, not which
            carried.append(word)
    limit = ["-l", ",".join(hosts)] if hosts and "-l" in options else []
    yield from map(shlex.quote, [*limit, *carried])


def _command(ctx: Any, meant: str) -> Any:
    """The command that words name."""
    first, *more = (*meant.split(), "")
    command: Any = ctx.command.get_command(ctx, first) if first else None
    return command.get_command(ctx, more[0]) if more and more[0] and hasattr(command, "commands") else command


def _needed(ctx: Any, meant: str, carried: Sequence[str]) -> Iterator[str]:
    """The names of the arguments that a command cannot do without, where nothing was typed for them."""
    command = _command(ctx, meant)
    if meant.split()[:1] != ["exec"] and not any(word[:1] != "-" for word in carried[:1]):
        yield from (each.metavar for each in getattr(command, "params", ()) if each.required)


def _short(word: str) -> str:
    """What was typed, of a length that fits into a line."""
    return shlex.quote(word if len(word) <= LONGEST else f"{word[:LONGEST]}…")


def _option_meant(error: exceptions.NoSuchOption, root: Any, args: Sequence[str]) -> str:
    ctx, name = error.ctx, error.option_name
    if ctx is None or ctx.parent is None:
        return _after_the_command(root, name, args)
    command, all_params = ctx.command_path.removesuffix(" start"), cast("list[Any]", ctx.command.params)
    params = {each.name: each for each in all_params}
    if name in habits.JSON:
        forms = get_args(params["output"].type_descriptor.annotation) if "output" in params else ()
        form = next((each for each in forms if each in ("json", "jsonl")), "")
        if not any(each.param_type_name == "argument" for each in all_params):
            args = _without_value(args, name)
        return _instead(args, name, "-o", form) if form else f"it has no JSON; {command} -h"
    if name in habits.HOSTS:
        if "limit" not in params:
            return f"it takes no hosts: {command} -h"
        needed = [each.metavar for each in all_params if each.param_type_name == "argument" and each.required]
        lacking = needed if _has_no_words(args[len(command.split()) - 1 :], name) else []
        return " ".join((_instead(args, name, "-l", "HOSTS"), *lacking))
    known = [each for param in params.values() for each in param.opts]
    whole = next((each for each in args if each.startswith(name)), name)
    if f"-{whole}" in known:  # one dash for two
        return _instead(args, whole, f"-{whole}")
    return _known_or_near(name, args, command, params, known)


def _known_or_near(
    name: str, args: Sequence[str], command: str, params: dict[str, Any], known: Sequence[str]
) -> str:
    near = get_close_matches(name, known, 1, SIMILAR)
    habit = habits.BY_COMMAND.get(command.rsplit(maxsplit=1)[-1], {}).get(name, habits.OPTIONS.get(name, ""))
    if name == "-c" and habit == "-i FILE" and not _names_file(args, name):
        habit = ""
    if habit and not (near and near[0][:-1] == name[:-1]):
        return _known(habit, name, args, command, params)
    return _instead(args, name, near[0]) if near else f"{command} -h lists them"


def _names_file(args: Sequence[str], option: str) -> bool:
    """Whether the word after an option may be a file, or is not there."""
    word = next(iter(args[args.index(option) + 1 :]), "") if option in args else ""
    return not word or "." in word or "/" in word


def _known(meant: str, name: str, args: Sequence[str], command: str, params: dict[str, Any]) -> str:
    """What a habit comes to: an option of this command's, where it has it, in its line."""
    word = meant.partition(" ")[0]
    if word[:1] != "-":
        return meant.replace("{command}", _instead(args, name))
    flag = "-v" if word == "-vv" else word
    has = any(flag in param.opts for param in params.values())
    return _instead(args, name, *meant.split()) if has else f"{command} has nothing like it; {command} -h"


def _has_no_words(args: Sequence[str], option: str) -> bool:
    """Whether a command was given nothing but options, of which this one has a value."""
    at = next((i for i, word in enumerate(args) if word.partition("=")[0] == option), len(args))
    rest = args[at + (1 if "=" in args[at] else 2) :] if at < len(args) else ()
    return not any(word[:1] != "-" for word in (*args[:at], *rest))


def _without_value(args: Sequence[str], option: str) -> list[str]:
    """The line without the word after an option, which a command that takes no arguments has no use for."""
    at = next((i for i, word in enumerate(args) if word == option), len(args))
    follows = args[at + 1 : at + 2]
    return [*args[: at + 1], *(follows if follows and follows[0][:1] == "-" else ()), *args[at + 2 :]]


FOR_EXAMPLE = "8"
"""Where a number was not given."""


def _instead(args: Sequence[str], option: str, *words: str) -> str:
    """The line that was typed with other words for an option; the last, a value's name, where no value was given."""
    at = next((i for i, word in enumerate(args) if word.partition("=")[0] == option), len(args))
    before, after = list(args[:at]), list(args[at + 1 :])
    attached = args[at].partition("=")[2] if at < len(args) else ""
    follows = after[:1] and after[0][:1] != "-"
    if words[-1:] == ("N",):
        follows = follows and after[0].isdigit()
        words = words if attached.isdigit() or follows else (*words[:-1], FOR_EXAMPLE)
    if words[1:] and words[-1].isupper() and (attached or follows):
        words = (*words[:-1], *([attached] if attached else []))
    elif not words and follows and after[0][:1].isdigit():
        after = after[1:]  # as of --timeout 300
    return shlex.join((PROGRAM, *before, *words, *after))


def _after_the_command(root: Any, name: str, args: Sequence[str]) -> str:
    """What is wanted of an option that stands before the command: it goes after it."""
    at = next((i for i, word in enumerate(args) if word in root.commands), None)
    if at is not None and name in habits.JSON:
        return shlex.join((PROGRAM, *args[at:], *("-o", "json")))
    if at is not None and habits.OPTIONS.get(name, "-")[0] != "-":
        return habits.OPTIONS[name].replace("{command}", shlex.join((PROGRAM, *args[at:])))
    if at is None:
        known = habits.OPTIONS.get(name, "")
        return known if known.startswith(PROGRAM) else f"options go after a command; {PROGRAM} -h lists those"
    return "options go after the command: " + shlex.join((PROGRAM, *args[at:], *args[:at]))


def _value(error: exceptions.BadParameter) -> str:
    """What is wrong with a value: ours says it by itself, pydantic's is said again in our words."""
    hint = error.param_hint
    name = hint if isinstance(hint, str) else " / ".join(hint or ())
    if error.param and not name:
        name = max(error.param.opts, key=len) if error.param.param_type_name == "option" else ""
        name = name or error.param.metavar or error.param.name
    faults: list[Any] = getattr(error.__cause__, "errors", list)()
    if not faults or error.param is None:
        return ": ".join(filter(None, (name, error.message)))
    typed, param = str(faults[0]["input"]), error.param
    choices = [str(each) for each in param.type_descriptor.choices or ()]
    if choices:
        near = get_close_matches(typed, choices, 1, SIMILAR)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f"{name}: should be one of {', '.join(choices)}, not {_quoted(typed)}{hint}"
    return f"{name}: should be {_number(param)}, not {_quoted(typed)}"


def _number(param: Any) -> str:
    low, high = param.type_descriptor.parameter_info.min, param.type_descriptor.parameter_info.max
    what = next((words for kind, words in VALUE.items() if kind in _kinds(param)), "something else")
    if high is None and low is not None:
        return f"{what}, at least {low}"
    return what + (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")


def _kinds(param: Any) -> tuple[Any, ...]:
    annotation = param.type_descriptor.annotation
    return (annotation, *get_args(annotation))


def _quoted(text: str) -> str:
    from orchestrator.model.inventory.mistakes import quoted

    return quoted(text)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")

"""Completion of a person's words for vLLM from their file, or refusal of words that the image's vLLM does not know.

What vLLM's parser would refuse after half a minute is told here: an option that it has not, an abbreviation of several.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from itertools import takewhile
from pathlib import PurePosixPath

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.vllm_options import BadFile, VllmOptions
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import API_KEY, CONFIG, DOTTED
from orchestrator.plan.serving.moved import BY_HAND, FLAGS, as_before, is_moved, renewed
from orchestrator.plan.serving.servers import with_args
from orchestrator.plan.typed import add, ours

SIMILAR = 0.8
"""How like an option has to be to be suggested."""
NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for a value, though a dash is in front."""
LEVEL = re.compile(r"-O[=.\w]*")
"""`-O3`, `-O.level`: of any vLLM's own."""
ELSEWHERE = ("--omni",)
"""What vLLM gives to another program before it parses."""
NAMED = 3


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A word that is no option, and the options that are like it; or several that begin so.

    `at`: its place; `whole`: as it was typed.
    """

    at: int
    whole: str
    word: str
    like: tuple[str, ...]
    begins: bool = False


@dataclass(frozen=True, slots=True)
class _Misused:
    """An option that wants a value and has none, a flag that has one, or a word that is neither option nor value.

    `places`: its words'; `name`: the option written out, empty for none.
    """

    places: tuple[int, ...]
    whole: str
    name: str
    wants: bool


def file_of(args: tuple[str, ...]) -> str:
    """The file of further words; empty where none is given."""
    return arguments.read(args).value(CONFIG)


def completed(model: Model, options: VllmOptions) -> Model | Problem:
    """The model with the words of its file in the place of `--config`, first, for those of the command line win."""
    if bad := _no_file(model):
        return bad
    file = file_of(model.args)
    if file and (bad := _bad_file(model, file, options)):
        return bad
    words = tuple(_without_model(options.file)) if file else ()
    for given, where in ((words, file), (model.args, "")):
        if options.names and (unknown := next(_unknown(given, options), None)):
            return _refused(unknown, where, model, options)
        if misused := next(_misused(given, options), None):
            return _wrong(misused, where, model)
    return replace(model, args=(*words, *_without(CONFIG.name, model.args))) if file else model


def unread(model: Model, why: Problem) -> Model | Problem:
    """The same where nobody told the options: what is in a file has to be known, and all else vLLM will judge."""
    file = file_of(model.args)
    return Problem(f"{CONFIG.name} {file}: {why.text}", why.fix, why.detail) if file else model


def is_doubtful(model: Model, options: VllmOptions) -> bool:
    """Whether there is a word that vLLM's own parser alone can judge: plugins add options that no source of it has."""
    words = (*options.file, *model.args)
    return bool(options.names) and not options.whole and any(_unknown(words, options))


def _no_file(model: Model) -> Problem | None:
    """A file that vLLM would take no notice of, or none, or several."""
    name, args = CONFIG.name, model.args
    for word in args:
        if word.startswith(f"{name}="):
            file = word.partition("=")[2]
            rest = tuple(each for each in args if each is not word)
            line = with_args(model, rest, name, file)
            return Problem(f"{word}: vLLM reads no file after an equals sign", line)
    if args.count(name) > 1:
        return Problem(
            f"{name} is given {args.count(name)} times, and vLLM takes one file", "put all into one"
        )
    return (
        Problem(f"{name}: it names no file", f"as in {with_args(model, args, '/etc/vllm.yaml')}")
        if args[-1:] == (name,)
        else None
    )


def _bad_file(model: Model, file: str, options: VllmOptions) -> Problem | None:
    given = f"{CONFIG.name} {file}"
    if options.bad is BadFile.SUFFIX:
        named = str(PurePosixPath(file).with_suffix(".yaml"))
        line = with_args(model, arguments.without(model.args, CONFIG), CONFIG.name, named)
        return Problem(f"{given}: vLLM takes files that end in .yaml or .yml", f"give it such a name: {line}")
    if options.bad is BadFile.ABSENT:
        mount = f"{file}:{file}:ro" if file.startswith("/") else "FILE:FILE:ro"
        fix = f"it is a file in the containers: mount it there, {add('docker.args', '-v', mount)}, then {ours('up')}"
        return Problem(f"{given}: the head's container cannot read it: {options.words}", fix)
    if options.bad is BadFile.UNREADABLE:
        return Problem(f"{given}: it cannot be read as YAML: {options.words}", "mend the file")
    if API_KEY in arguments.read(options.file):
        fix = f"take it out there, and set {add('secrets', 'VLLM_API_KEY')}, then {ours('up')}"
        return Problem(f"{given}: a key in a file would be on vLLM's command line, for all to see", fix)
    return None


def _without(option: str, args: tuple[str, ...]) -> Iterator[str]:
    """Without it and its value, the one that counts."""
    words = iter(args)
    for word in words:
        if word == option:
            next(words, None)
            yield from words
            return
        yield word


def _without_model(words: tuple[str, ...]) -> Iterator[str]:
    """The name on the command line wins over the file's."""
    return _without("--model", words)


def _unknown(args: tuple[str, ...], options: VllmOptions) -> Iterator[_Unknown]:
    """The words that look like an option, and are none or several."""
    words, spellings = iter(enumerate(args)), options.spellings
    for at, word in words:
        if word == "--":
            return
        name = word.partition("=")[0]
        if DOTTED.fullmatch(name) and "=" not in word:
            next(words, None)
        if word[:1] == "-" != word and " " not in name and not NUMBER.fullmatch(word):
            base = name.partition(".")[0].rstrip("+")
            name = base.replace("_", "-") if base[:2] == "--" else base
            begun = _begun(name, options)
            if is_moved(name, spellings) or (name in BY_HAND and not begun):
                yield _Unknown(at, word, name, ())
            elif len(begun) > 1:
                yield _Unknown(at, word, name, tuple(sorted(map(_long, begun))), begins=True)
            elif not begun and name not in ELSEWHERE and not LEVEL.fullmatch(name):
                yield _Unknown(at, word, name, tuple(get_close_matches(name, sorted(spellings), 1, SIMILAR)))


def _begun(name: str, options: VllmOptions) -> set[tuple[str, ...]]:
    """The options that a word may mean, each by its spellings: the one that is so called, or all that begin so."""
    spellings = {spelling: each for each in options.names for spelling in each}
    plain = f"--{name[5:]}" if name.startswith("--no-") else name
    for exact in (name, plain, *((name[:2],) if name[:2] != "--" else ())):  # -n2
        if exact in spellings:
            return {spellings[exact]}
    return {each for spelling, each in spellings.items() if spelling.startswith((name, plain))}


def _misused(args: tuple[str, ...], options: VllmOptions) -> Iterator[_Misused]:
    """The options that have no value though they want one, the flags that have one, and the words between."""
    words, may_follow = iter(enumerate(args)), not options.names
    for at, word in words:
        if word == "--":
            return
        name, equals, _ = word.partition("=")
        is_joined = word[:1] == "-" and " " in name and name.split()[0] in options.spellings
        if DOTTED.fullmatch(name) and not (is_joined or NUMBER.fullmatch(word)):
            _, may_follow = equals or next(words, None), False
            continue
        if word[:1] != "-" or NUMBER.fullmatch(word) or " " in name:
            if is_joined or not may_follow:
                yield _Misused((at,), word, "", wants=False)
            continue
        begun = _begun(name.replace("_", "-") if name[:2] == "--" else name, options)
        (spellings,) = begun if len(begun) == 1 else ((),)
        may_follow = not (equals or (options.flags | options.want).intersection(spellings))
        follows = args[at + 1] if at + 1 < len(args) else "--"
        value = (
            follows[:1] != "-" or follows == "-" or " " in follows or NUMBER.fullmatch(follows) is not None
        )
        if options.flags.intersection(spellings) and (equals or value):
            yield _Misused(
                (at,) if equals else (at, at + 1),
                word if equals else f"{word} {follows}",
                _long(spellings),
                wants=False,
            )
        elif options.want.intersection(spellings) and not equals:
            attached = name not in spellings and name[:2] in spellings and name[:2] != "--"
            if not (value or attached):
                yield _Misused((at,), word, _long(spellings), wants=True)
            elif not attached:
                next(words, None)


def _long(spellings: tuple[str, ...]) -> str:
    return max(spellings, key=len)


def _refused(unknown: _Unknown, file: str, model: Model, options: VllmOptions) -> Problem:
    where = f"{file}: {unknown.word[2:]}" if file else unknown.word

    def line(name: str) -> str:
        words = _instead(unknown, name)
        return with_args(model, (*model.args[: unknown.at], *words, *model.args[unknown.at + 1 :]))

    if unknown.begins:
        some = ", ".join(unknown.like[:NAMED]) + (", …" if unknown.like[NAMED:] else "")
        return Problem(
            f"{where} may be {some}",
            "write it out" if file else ", or ".join(map(line, unknown.like[:NAMED])),
        )
    text = f"{where}: vLLM {options.version} has no such option".replace("  ", " ")
    if unknown.word in BY_HAND:
        return Problem(text, BY_HAND[unknown.word])
    if is_moved(unknown.word, spellings := options.spellings):
        instead = (
            _written_anew(unknown, options) if file else with_args(model, renewed(model.args, spellings))
        )
        return Problem(text, instead)
    if not file and (older := as_before(model.args[unknown.at :], spellings)):
        return Problem(text, with_args(model, (*model.args[: unknown.at], *older)))
    if unknown.like:
        (like,) = unknown.like
        return Problem(text, f"write {like[2:]}" if file else line(like))
    value = takewhile(lambda word: word[:1] != "-", model.args[unknown.at + 1 :])
    rest = (*model.args[: unknown.at], *model.args[unknown.at + 1 + len([*value]) :])
    less = f"take it out of {file}" if file else f"without it: {with_args(model, rest)}"
    return Problem(
        text, f"{less}; it has these: {ours('exec', '-l', 'head', '--', 'vllm', 'serve', '--help=all')}"
    )


def _written_anew(unknown: _Unknown, options: VllmOptions) -> str:
    """What to write in a file in the place of an option that is gone."""
    words = tuple(_without_model(options.file))[unknown.at :][: 1 if unknown.word in FLAGS else 2]
    name, value = renewed(words, options.spellings)[:2] or ("", "")
    return f"write {name[2:]}: {value}" if name else "take it out"


def _instead(unknown: _Unknown, name: str) -> tuple[str, ...]:
    """What was typed with an option's name in the place of the one that vLLM has not."""
    typed, equals, value = unknown.whole.partition("=")
    behind = unknown.word.removeprefix(name)
    if behind.isdigit():  # -tp2
        return (name, behind)
    off = unknown.word.startswith("--no-") and not name.startswith("--no-")
    meant = f"--no-{name[2:]}" if off else name
    return (f"{meant}{typed[len(unknown.word) :]}{equals}{value}",)


def _wrong(misused: _Misused, file: str, model: Model) -> Problem:
    where = f"{file}: {misused.whole}" if file else misused.whole
    if not misused.name:
        (at,) = misused.places
        parts = tuple(misused.whole.split(maxsplit=1)) if misused.whole[:1] == "-" else ()
        why = "these are two words in one" if parts[1:] else "it is neither an option nor the value of one"
        line = with_args(model, (*model.args[:at], *parts, *model.args[at + 1 :]))
        return Problem(f"{where}: {why}", f"mend it in {file}" if file else line)
    written = "" if misused.whole.startswith(misused.name) else f" is {misused.name}, and"
    what = "wants a value" if misused.wants else "takes no value with it"
    text = f"{where}{written or ':'} vLLM {what}"
    if file:
        return Problem(text, f"mend it in {file}")
    rest = tuple(word for at, word in enumerate(model.args) if at not in misused.places)
    if not misused.wants:
        return Problem(text, with_args(model, rest, misused.name))
    form = ours("exec", "-l", "head", "--", "vllm", "serve", f"--help={misused.name[2:]}")
    return Problem(text, f"{form} shows which; without it: {with_args(model, rest)}")

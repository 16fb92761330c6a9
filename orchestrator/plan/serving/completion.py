"""Completion of a person's words for vLLM from their file, or refusal of words that the image's vLLM does not know.

What vLLM's parser would refuse after half a minute is told here: an option that it has not, an abbreviation of several.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from orchestrator.frozen import dataclass
from orchestrator.model.cluster import Model
from orchestrator.plan.facts.vllm_options import BadFile, VllmOptions
from orchestrator.plan.problem import Problem
from orchestrator.plan.serving import arguments
from orchestrator.plan.serving.arguments import API_KEY, CONFIG, DOTTED
from orchestrator.plan.typed import add, ours

SIMILAR = 0.7
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
    """A word that is no option, and the options that are like it; or several that begin so."""

    word: str
    like: tuple[str, ...]
    begins: bool = False


def file_of(args: tuple[str, ...]) -> str:
    """The file of further words; empty where none is given."""
    return arguments.read(args).value(CONFIG)


def completed(model: Model, options: VllmOptions) -> Model | Problem:
    """The model with the words of its file in the place of `--config`, first, for those of the command line win."""
    if bad := _no_file(model.args):
        return bad
    file = file_of(model.args)
    if file and (bad := _bad_file(file, options)):
        return bad
    words = tuple(_without_model(options.file)) if file else ()
    for given, where in ((words, file), (model.args, "")):
        if options.names and (unknown := next(_unknown(given, options), None)):
            return _refused(unknown, where, options)
    return replace(model, args=(*words, *_without(CONFIG.name, model.args))) if file else model


def unread(model: Model, why: Problem) -> Model | Problem:
    """The same where nobody told the options: what is in a file has to be known, and all else vLLM will judge."""
    file = file_of(model.args)
    return Problem(f"{CONFIG.name} {file}: {why.text}", why.fix, why.detail) if file else model


def is_doubtful(model: Model, options: VllmOptions) -> bool:
    """Whether there is a word that vLLM's own parser alone can judge: plugins add options that no source of it has."""
    words = (*options.file, *model.args)
    return bool(options.names) and not options.whole and any(_unknown(words, options))


def _no_file(args: tuple[str, ...]) -> Problem | None:
    """A file that vLLM would take no notice of, or none, or several."""
    name = CONFIG.name
    for word in args:
        if word.startswith(f"{name}="):
            file = word.partition("=")[2]
            return Problem(f"{word}: vLLM reads no file after an equals sign", f"write `-- {name} {file}`")
    if args.count(name) > 1:
        return Problem(
            f"{name} is given {args.count(name)} times, and vLLM takes one file", "put all into one"
        )
    return (
        Problem(f"{name}: it names no file", f"as in `-- {name} /etc/vllm.yaml`")
        if args[-1:] == (name,)
        else None
    )


def _bad_file(file: str, options: VllmOptions) -> Problem | None:
    given = f"{CONFIG.name} {file}"
    if options.bad is BadFile.SUFFIX:
        return Problem(f"{given}: vLLM takes files that end in .yaml or .yml", "give it such a name")
    if options.bad is BadFile.ABSENT:
        fix = f"it is a file in the containers: mount its folder, {add('docker.args', '-v', 'FOLDER:FOLDER:ro')}"
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
    words = iter(args)
    for word in words:
        if word == "--":
            return
        name = word.partition("=")[0]
        if DOTTED.fullmatch(name) and "=" not in word:
            next(words, None)
        if word[:1] == "-" != word and " " not in name and not NUMBER.fullmatch(word):
            base = name.partition(".")[0].rstrip("+")
            if found := _judged(base.replace("_", "-") if base[:2] == "--" else base, options):
                yield found


def _judged(name: str, options: VllmOptions) -> _Unknown | None:
    spellings = {spelling: each for each in options.names for spelling in each}
    plain = f"--{name[5:]}" if name.startswith("--no-") else name
    if name in spellings or plain in spellings or name in ELSEWHERE or LEVEL.fullmatch(name):
        return None
    if name[:2] in spellings and name[:2] != "--":  # -n2
        return None
    begun = {each for spelling, each in spellings.items() if spelling.startswith((name, plain))}
    if len(begun) == 1:
        return None
    if begun:
        return _Unknown(name, tuple(sorted(_long(each) for each in begun)), begins=True)
    return _Unknown(name, tuple(get_close_matches(name, spellings, 1, SIMILAR)))


def _long(spellings: tuple[str, ...]) -> str:
    return max(spellings, key=len)


def _refused(unknown: _Unknown, file: str, options: VllmOptions) -> Problem:
    where = f"{file}: {unknown.word[2:]}" if file else unknown.word
    if unknown.begins:
        some = ", ".join(unknown.like[:NAMED]) + (", …" if unknown.like[NAMED:] else "")
        return Problem(f"{where} may be {some}", "write it out")
    text = f"{where}: vLLM {options.version} has no such option".replace("  ", " ")
    if unknown.like:
        (like,) = unknown.like
        return Problem(text, f"write {like[2:]}" if file else f"write {like}, as in `-- {like} …`")
    return Problem(
        text, f"leave it out; these it has: {ours('exec', '-l', 'head', '--', 'vllm', 'serve', '--help=all')}"
    )

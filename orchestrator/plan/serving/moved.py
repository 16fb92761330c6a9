"""Options that vLLM had once, or other servers have, and the words that do the same: a like name may mean the opposite.

Read in `engine/arg_utils.py` and `entrypoints/openai/cli_args.py` of vLLM 0.8 to 0.32.
"""

from collections.abc import Collection, Mapping

VALUE = "{}"
"""Where the value of the old one goes."""
FLAGS: Mapping[str, tuple[str, ...]] = {
    "--disable-log-requests": (),
    "--enable-reasoning": (),
    "--worker-use-ray": ("--distributed-executor-backend", "ray"),
    "--disable-mm-preprocessor-cache": ("--mm-processor-cache-gb", "0"),
    "--enable-multimodal-encoder-data-parallel": ("--mm-encoder-tp-mode", "data"),
    "--engine-use-ray": (),
    "--use-v2-block-manager": (),
    "--multi-step-stream-outputs": (),
    "--disable-async-output-proc": (),
    "--enable-lora-bias": (),
}
WITH_VALUE: Mapping[str, tuple[str, ...]] = {
    "--task": ("--runner", "pooling"),
    "--guided-decoding-backend": ("--structured-outputs-config.backend", VALUE),
    "--speculative-model": ("--speculative-config.model", VALUE),
    "--num-speculative-tokens": ("--speculative-config.num_speculative_tokens", VALUE),
    "--ngram-prompt-lookup-max": ("--speculative-config.prompt_lookup_max", VALUE),
    "--ngram-prompt-lookup-min": ("--speculative-config.prompt_lookup_min", VALUE),
    "--override-pooler-config": ("--pooler-config", VALUE),
    "--cuda-graph-sizes": ("--cudagraph-capture-sizes", VALUE),
    "--num-redundant-experts": ("--eplb-config.num_redundant_experts", VALUE),
    **dict.fromkeys(
        ("--max-len", "--max-length", "--max-seq-len", "--max-context-len", "--context-length", "--ctx-size"),
        ("--max-model-len", VALUE),
    ),
    **dict.fromkeys(("--gpu-util", "--mem-fraction-static"), ("--gpu-memory-utilization", VALUE)),
    "--tp-size": ("--tensor-parallel-size", VALUE),
    "--pp-size": ("--pipeline-parallel-size", VALUE),
    **dict.fromkeys(("--dp", "--dp-size"), ("--data-parallel-size", VALUE)),
    "--quantize": ("--quantization", VALUE),
    "--device": (),
    "--swap-space": (),
    "--num-scheduler-steps": (),
    "--num-lookahead-slots": (),
    "--max-seq-len-to-capture": (),
    "--preemption-mode": (),
    "--scheduler-delay-factor": (),
    "--tokenizer-pool-size": (),
    "--lora-extra-vocab-size": (),
}
ROPE = """--hf-overrides '{"rope_parameters": {"rope_type": …, "rope_theta": …}}' has it, all of it in one"""
BY_HAND = dict.fromkeys(("--rope-scaling", "--rope-theta"), ROPE)
"""Of these the new words cannot be told from the old ones."""
SAME = (
    "--guided-decoding-backend",
    "--override-pooler-config",
    "--cuda-graph-sizes",
    "--num-redundant-experts",
)
"""Of these the old word has the new one's value."""
OLDER: Mapping[tuple[str, ...], tuple[str, ...]] = {
    **{WITH_VALUE[old][:1]: (old, VALUE) for old in SAME},
    FLAGS["--disable-mm-preprocessor-cache"]: ("--disable-mm-preprocessor-cache",),
    FLAGS["--enable-multimodal-encoder-data-parallel"]: ("--enable-multimodal-encoder-data-parallel",),
}
"""The other way round, for an image whose vLLM is older than the option."""
NO_POOLING = ("auto", "generate", "transcription")
"""Tasks that need no word."""


def is_moved(name: str, names: Collection[str]) -> bool:
    """Whether it is an old option, and the image's vLLM has what does the same. `names`: all that it has."""
    now = FLAGS.get(name, WITH_VALUE.get(name))
    if now is None or name in names:
        return False
    return not now or now[0].partition(".")[0] in names


def renewed(args: tuple[str, ...], names: Collection[str]) -> tuple[str, ...]:
    """The words with all old options put as they are now."""
    found, words = list[str](), list(args)
    while words:
        word = words.pop(0)
        if word == "--":
            return (*found, word, *words)
        name, equals, value = word.partition("=")
        name = name.replace("_", "-")
        if word[:2] != "--" or not is_moved(name, names):
            found.append(word)
        elif name in FLAGS:
            found += FLAGS[name]
        else:
            follows = words and (words[0][:1] != "-" or words[0][1:2].isdigit())
            value = words.pop(0) if follows and not equals else value
            now = () if name == "--task" and value in NO_POOLING else WITH_VALUE[name]
            found += [value if each == VALUE else each for each in now]
    return tuple(found)


def as_before(words: tuple[str, ...], names: Collection[str]) -> tuple[str, ...]:
    """The words with the option at their front put as an older vLLM has it; none where it has none that is the same."""
    name, equals, value = words[0].partition("=")
    value, rest = (value, words[1:]) if equals else ("".join(words[1:2]), words[2:])
    base, dot, part = name.partition(".")
    name = f"{base.replace('_', '-')}{dot}{part}"
    old = OLDER.get((name,)) or OLDER.get((name, value)) or ()
    return (*(value if each == VALUE else each for each in old), *rest) if old and old[0] in names else ()

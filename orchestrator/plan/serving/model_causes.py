"""Table of the causes of vLLM's end that are in the model: where it is, whether it may be read, what it asks for."""

from orchestrator.plan.remedies import NO_RAY, OUR_CERTIFICATES, UP, WITHOUT_XET, XET_ERROR
from orchestrator.plan.serving.known import Known
from orchestrator.plan.typed import add, ours, where

CACHE = where("hf_home")
PULL = ours("model pull", "MODEL")
TOKEN = (
    f"accept its conditions at huggingface.co; {add('secrets', 'HF_TOKEN')}; export HF_TOKEN here; then {PULL} "
    f"brings it to all hosts, to be served from there; {UP} would give containers the token, and end what is served"
)
FOLDER = (
    f"check the name; if the model is private, {add('secrets', 'HF_TOKEN')}, export HF_TOKEN here, then {PULL}; "
    f"a folder has to be in all containers, for example: {add('docker.args', '-v', '/data/models:/models:ro')}"
)
ONLINE = (
    f"fill {where('hf_home')} on every host beforehand; or take HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE out of "
    f"{where('env')}, then {UP}"
)

NEWER_IMAGE = f"set {where('image')} to one with a newer vLLM"

MODELS: tuple[Known, ...] = (
    Known(
        r"Model architectures \['(?P<architecture>\w+)'.*\] are not supported for now",
        ("the image's vLLM does not know this kind of model, {architecture}",),
        (NEWER_IMAGE,),
        "vLLM 0.2 to 0.33.0",
    ),
    Known(
        r"has model type [`'\"]?(?P<type>[\w.-]+)[`'\"]? but Transformers does not recognize this architecture",
        ("the image's transformers does not know this kind of model, {type}",),
        (NEWER_IMAGE,),
        "transformers 4.37 to 5.19",
    ),
    Known(
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w+=(?P<fits>\d+)",
        ("the model is made for texts of {fits} tokens, not of {asked}",),
        (ours("serve", "MODEL", "--", "--max-model-len", "{fits}"),),
        "vLLM 0.2.2 to 0.33.0",
    ),
    Known(
        # Not aiohttp's, with which vLLM gets the pictures of a request.
        r"^(?!.*Cannot connect to host ).*CERTIFICATE_VERIFY_FAILED",
        ("the container does not trust the TLS certificate that it was shown",),
        (f"{OUR_CERTIFICATES}, then {UP}",),
        "Python's ssl",
    ),
    Known(
        r"Distant resource does not seem to be on huggingface\.co",
        ("what answers in Hugging Face's place is no whole mirror of it",),
        (
            f"take HF_ENDPOINT out of {where('env')}, or name another mirror there, then {UP}; or fill {CACHE}",
        ),
        "huggingface_hub 0.16 to 2.4, with HF_ENDPOINT",
    ),
    Known(
        r"SafetensorError: Error while deserializing header",
        ("a file of the model's weights is damaged, not whole, or a Git LFS pointer",),
        (f"{ours('model verify', 'MODEL', '--drop')} finds and removes it, {PULL} gets it anew",),
        "safetensors 0.3 to 0.7",
    ),
    Known(
        r"ConnectionPool\(host='(?P<hub>[\w.-]+)'.*Max retries exceeded with url: /\S*(api/models|resolve)/",
        ("{hub} cannot be reached, and the model is not in the cache",),
        (
            f"let the host reach {{hub}} (a proxy is `HTTPS_PROXY` in {where('env')}), or fill {CACHE} of all hosts",
        ),
        "huggingface_hub to 0.36, by requests",
    ),
    Known(
        r"429 Client Error: Too Many Requests.*huggingface\.co|We had to rate limit you",
        ("Hugging Face answers no more requests from there for now",),
        (
            f"let one host ask for all, once: {PULL}; it answers more of those who have a token: "
            + add("secrets", "HF_TOKEN"),
        ),
        "huggingface.co, by huggingface_hub to 2.4",
    ),
    Known(
        rf"^(?!.*No space left on device)(?i:.*({XET_ERROR}))",
        ("a download from Hugging Face's Xet store failed",),
        (f"go the older way: {WITHOUT_XET}, then {UP}; or beforehand: {PULL}",),
        "hf_xet 1.1 to 1.8",
    ),
    Known(
        r"No module named 'ray'|Ray is not installed",
        ("the image has no Ray",),
        (NO_RAY,),
        "Python",
    ),
    Known(
        r"ImportError: .*Please install (?!(the|it|an?|latest)\b)[`'\"]?"
        r"(?P<package>[\w.-]*\w(\[[\w,-]+\])?([<>=]=[\w.]*\w)?)",
        ("the image lacks Python's {package}",),
        ("in a Dockerfile of your own, FROM that image: `RUN pip install '{package}'`",),
        "vLLM 0.4 to 0.33.0",
    ),
    Known(
        r"(?<!\S)(?P<folder>\S+) does not appear to have a file named config\.json",
        ("there is no config.json in {folder}",),
        (f"is all of the model there? {FOLDER}",),
        "transformers to 5.19",
    ),
    Known(
        r"Cannot find any model weights with [`'\"](?P<folder>[^`'\"]+)",
        ("there are no weights in {folder}",),
        (f"is all of the model there? {FOLDER}",),
        "vLLM 0.17.1, 0.32.0",
    ),
    Known(
        r"Cannot access gated repo|GatedRepoError|You are trying to access a gated repo",
        ("the model is gated, and its host gave no token that may read it",),
        (TOKEN,),
        "huggingface_hub 0.16 to 2.4, transformers to 5.19",
    ),
    Known(
        r"outgoing traffic has been disabled|OfflineModeIsEnabled|offline mode is enabled",
        ("the model is not in the cache, and the container is told not to fetch it",),
        (ONLINE,),
        "huggingface_hub 0.16 to 2.4",
    ),
    Known(
        r"(couldn't connect to|Cannot reach|Failed to (connect|resolve)|Max retries exceeded|NameResolutionError).*"
        r"huggingface\.co|LocalEntryNotFoundError",
        ("Hugging Face cannot be reached, and the model is not in the cache",),
        (
            f"let the host reach huggingface.co (no HF_HUB_OFFLINE in {where('env')}), or fill {CACHE} of all hosts",
        ),
        "huggingface_hub 0.16 to 2.4, transformers to 5.19",
    ),
    Known(
        r"Repo id must (be in the form|use alphanumeric).*: '(?P<path>[^']+)'"
        r"|Incorrect path_or_model_id: '(?P<place>[^']+)'"
        r"|(?<!\S)(?P<name>\S+) is not a local folder and is not a valid model identifier"
        r"|Invalid repository ID or local directory|RepositoryNotFoundError|HFValidationError(?!: Repo id)",
        (
            "there is no model {path}",
            "there is no model {place}",
            "there is no model {name}",
            "there is no such model",
        ),
        (FOLDER,),
        "huggingface_hub 0.16 to 2.4, transformers to 5.19, vLLM 0.8.5 to 0.33.0",
    ),
    Known(
        r"[`'\"]trust_remote_code=True",  # quoted, unlike where vLLM lists what it was told
        ("the model brings code of its own, which vLLM runs only when told to",),
        ("if you trust it: " + ours("serve", "MODEL", "--", "--trust-remote-code"),),
        "vLLM 0.6.6 to 0.33.0, transformers to 5.19",
    ),
)

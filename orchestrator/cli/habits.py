"""What one types by habit → what it is called here: the words of Docker, Kubernetes, SSH, Ansible and Ray."""

COMMANDS = {
    **dict.fromkeys(
        ("ps", "stat", "state", "info", "get", "describe", "nodes", "hosts", "sinfo", "details", "health"),
        "status",
    ),
    **dict.fromkeys(("top", "htop", "watch", "monitor", "events"), "status --watch"),
    **dict.fromkeys(("start", "create", "deploy", "launch", "apply", "run-cluster"), "up"),
    **dict.fromkeys(
        ("stop", "kill", "destroy", "delete", "teardown", "terminate", "shutdown", "drain"), "down"
    ),
    **dict.fromkeys(("reboot", "reload"), "restart"),
    **dict.fromkeys(("doctor", "preflight", "ping", "test", "verify"), "check"),
    **dict.fromkeys(("validate", "lint"), "config check"),
    **dict.fromkeys(("inspect", "show"), "config show"),
    **dict.fromkeys(("log", "tail"), "logs"),
    **dict.fromkeys(("ssh", "attach", "bash", "sh", "connect", "login", "enter"), "shell"),
    **dict.fromkeys(("run", "submit", "command", "cmd", "srun"), "exec --"),
    "nvidia-smi": "exec -- nvidia-smi",
    **dict.fromkeys(("list", "clusters", "history"), "ls"),
    **dict.fromkeys(("rm", "del"), "remove"),
    **dict.fromkeys(("join", "scale"), "add"),
    **dict.fromkeys(("plan", "diff"), "up --dry-run"),
    **dict.fromkeys(("update", "upgrade"), "pull"),
    **dict.fromkeys(("new", "setup", "generate"), "init"),
    **dict.fromkeys(("unlock", "release"), "lock release"),
    **dict.fromkeys(("models", "cache"), "model ls"),
    "push": "image copy",
    "schema": "config schema",
    "example": "config example",
    "prune": "down --prune",
    "port-forward": "dashboard",
}
"""The word after `raycluster` → the words it stands for; what follows it is carried over where it can stand there."""

NOUNS = {
    *(
        "pod",
        "pods",
        "po",
        "node",
        "nodes",
        "no",
        "container",
        "containers",
        "service",
        "services",
        "svc",
        "all",
    ),
    *("deployment", "deployments", "deploy", "job", "jobs", "cluster", "logs"),
}
"""What other tools have between a command and a name, as in `kubectl get pods`; it says nothing here."""

IN_GROUPS = {
    "config": {
        **dict.fromkeys(("validate", "lint", "test"), "check"),
        **dict.fromkeys(("list", "ls", "get", "view", "print", "cat", "dump"), "show"),
        **dict.fromkeys(("init", "new", "template", "sample"), "example"),
    },
    "lock": {
        **dict.fromkeys(("show", "list", "ls", "get", "ps"), "status"),
        **dict.fromkeys(("rm", "remove", "break", "unlock", "free", "delete"), "release"),
    },
    "image": dict.fromkeys(("push", "load", "save", "cp", "send", "sync"), "copy"),
    "model": {
        **dict.fromkeys(("list", "show", "status", "get", "ps", "info", "scan"), "ls"),
        **dict.fromkeys(("delete", "remove", "del", "prune"), "rm"),
        **dict.fromkeys(("check", "test", "validate"), "verify"),
    },
    "serve": {
        **dict.fromkeys(("ps", "ls", "list", "show", "get", "info", "state", "health"), "status"),
        **dict.fromkeys(("rm", "down", "kill", "remove", "delete", "end", "unload"), "stop"),
        **dict.fromkeys(("log", "tail"), "logs"),
        **dict.fromkeys(("up", "run", "deploy"), ""),
        **dict.fromkeys(("restart", "reload"), "stop, then raycluster serve"),
    },
}
"""The same for the word after a group of commands."""

TIMEOUTS = (
    "of connections: `ssh: {connect_timeout: 10}` in the inventory; of a whole run: timeout 10m {command}"
)
OPTIONS = {
    **dict.fromkeys(("-V", "--ver"), "raycluster --version"),
    "--version": "raycluster --version",
    **dict.fromkeys(("-f", "--file", "-c", "--config", "--inventory-file", "--hostfile"), "-i FILE"),
    **dict.fromkeys(
        ("-t", "-it", "-ti", "--tty", "--interactive"), "for a terminal there is: raycluster shell HOST"
    ),
    **dict.fromkeys(
        ("-q", "--quiet", "--silent", "-s"),
        "progress goes to standard error, the answer to standard output: add 2>/dev/null",
    ),
    **dict.fromkeys(
        ("-d", "--detach", "--daemon", "--background", "-D"),
        "not needed: `up` and `serve` end once all is up, and it stays up",
    ),
    **dict.fromkeys(
        ("--wait", "--no-detach", "--foreground"), "not needed: `up` and `serve` wait until all is up"
    ),
    **dict.fromkeys(("--no-wait", "--async"), "a command ends when its work is done; for the shell, add &"),
    **dict.fromkeys(("--timeout", "--wait-timeout", "--connect-timeout"), TIMEOUTS),
    **dict.fromkeys(("--no-color", "--no-colour", "--color", "--no-ansi"), "NO_COLOR=1 {command}"),
    **dict.fromkeys(("--tail", "--lines"), "raycluster logs -n N"),
    **dict.fromkeys(("--follow",), "raycluster logs -f"),
    **dict.fromkeys(("-w", "--watch"), "raycluster status --watch"),
    **dict.fromkeys(("--force", "--assume-yes", "--auto-approve", "--no-input", "--batch"), "-y"),
    **dict.fromkeys(("--check", "--diff", "--plan", "--dryrun", "--simulate"), "--dry-run"),
    **dict.fromkeys(("--forks", "--parallel", "--concurrency", "-P"), "-j N"),
    **dict.fromkeys(("--debug", "--trace"), "-vv"),
    **dict.fromkeys(("-u", "--user", "--ssh-user"), "`ssh: {user: NAME}` in the inventory"),
    **dict.fromkeys(("--key", "--identity", "--private-key"), "`ssh: {key: FILE}` in the inventory"),
    "--image": "`image: NAME` in the inventory",
    **dict.fromkeys(("-e", "--env"), "`env: {NAME: value}` in the inventory"),
    "--env-file": "`secrets: [NAME]` in the inventory takes it from this shell's environment",
    "--gpus": "`docker: {gpus: all}` in the inventory",
    "--pull": "`docker: {pull: always}` in the inventory",
    **dict.fromkeys(("--volume", "--mount"), "`docker: {args: [-v, /data:/data]}` in the inventory"),
    **dict.fromkeys(("-p", "--publish"), "not needed: containers are in the host's network"),
    **dict.fromkeys(("-b", "--become", "--sudo"), "`docker: {command: sudo -n docker}` in the inventory"),
    **dict.fromkeys(("-k", "-K", "--ask-pass", "--password"), "logins are by key or agent, not by password"),
    **dict.fromkeys(("--all", "-a", "-A"), "not needed: a command is for all hosts, unless -l names some"),
    "--profile": "an inventory for each: -i FILE",
}
"""An option that a command lacks → what does it here. `{command}` is the command as it was typed, without options."""

BY_COMMAND = {
    "exec": dict.fromkeys(("-w", "-u", "--user"), ""),
    "dashboard": {"-p": "--port PORT"},
    "shell": {"-c": "for a command there is: raycluster exec -- COMMAND"},
    "logs": {"-t": "", "-c": ""},
    "init": {
        **dict.fromkeys(("-o", "--output"), "-i FILE"),
        **dict.fromkeys(("--cluster", "--cluster-name"), "--name NAME"),
    },
    **{command: {"-t": TIMEOUTS} for command in ("up", "down", "restart")},
}
"""The same for one command, where its users mean something else by the option; empty where that is not here."""

JSON = ("--json", "--as-json", "--format", "--yaml", "-J")
HOSTS = ("--host", "--hosts", "--node", "--nodes", "-H", "-l", "--limit", "--only", "--target")
"""Options whose answer depends on the command: how it prints JSON, whether it takes hosts."""

NOT_VLLMS = {*JSON, "-q", "--quiet", "-d", "--detach", "-f", "-t", "-l", "--limit", "-V"} | {
    *("--timeout", "--wait", "--no-wait", "--no-color", "--tail", "--watch", "--force", "--dry-run", "-j")
}
"""Options after `serve MODEL` that are meant for us: all others may be vLLM's, such as its `--host`."""

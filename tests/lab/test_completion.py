"""Completion in the shells that people use: installed as they are told, a word begun, the Tab key."""

import pytest

from .lab import Lab
from .terminal import running

BEGUN = (  # each with how the line then ends
    ("raycluster dow", "raycluster down"),
    ("inv", "down inventory.yaml"),
    ("--dr", "inventory.yaml --dry-run"),
    ("--off", "--dry-run --offline"),
    ("-l gpu2,wor", "-l gpu2,workers"),
)
WORDS = (  # each on a line of its own
    ("raycluster serve sta", "raycluster serve status"),
    ("raycluster serve Qw", "raycluster serve Qwen/Qwen3-32B"),
    ("raycluster config schema ev", "raycluster config schema events"),
    ("raycluster lock rel", "raycluster lock release"),
    ("raycluster status -l gpu1,wor", "raycluster status -l gpu1,workers"),
    ("raycluster remove gpu2,wor", "raycluster remove gpu2,workers"),
)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_files_options_and_hosts_are_completed(lab: Lab, shell: str) -> None:
    lab.inventory(serve={"model": "Qwen/Qwen3-32B"})
    _, env = lab.raycluster_command()
    (lab.home / ".local/share/fish/generated_completions").mkdir(
        parents=True
    )  # or fish takes minutes to fill it
    told = lab.laptop([shell, "-c", "raycluster --install-completion; true"], env=env)
    assert f"{shell} completion installed in" in told.stdout, told.stderr
    with running(lab, [shell], lab.folder / "tmux", columns=200, env=env) as terminal:
        terminal.wait_for("#")
        if shell == "zsh":  # whose first Tab loads the completion, and completes nothing
            terminal.press("raycluster", "Space", "Tab", "C-u")
        for begun, completed in WORDS:
            terminal.write(begun)
            terminal.press("Tab")
            terminal.wait_for(completed)
            terminal.press("C-u")
        for begun, completed in BEGUN:
            terminal.write(begun)
            terminal.press("Tab")
            terminal.wait_for(completed)
        terminal.press("Enter")
        terminal.wait_for("gpu3  verify that nothing is left")

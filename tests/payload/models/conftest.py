"""A cache of models where Hugging Face looks for it, and the program that tells of it."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.payload.programs import loaded

Run = Callable[..., Any]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "VLLM_USE_MODELSCOPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / "hf/hub").mkdir(parents=True)
    return tmp_path / "hf/hub"


@pytest.fixture
def run(hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """The program's last word, where the folder of the test is mounted."""
    program = loaded("models/manage")
    program.mount_points = lambda: [str(tmp_path)]
    program.input_ended = type("Never", (), {"wait": lambda _: False})

    def last(*words: str) -> Any:
        assert hub
        act, *models = words
        with suppress(SystemExit):
            program.main(act, json.dumps(models))
        lines = capsys.readouterr().out[:-1].split("\n")
        assert all(line.startswith("\x1e") for line in lines)
        return json.loads(lines[-1][1:])

    return last

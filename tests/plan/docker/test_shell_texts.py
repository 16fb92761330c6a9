"""The shell text that finds a container's Python, run by the shells that an image may call `sh`."""

import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.plan.docker import shell_texts as shell
from orchestrator.plan.docker.shell_texts import PYTHON

SHELLS = ("dash", "bash", "busybox")
SAYS = '#!/bin/sh\necho "{}" "$@"\n'


class Container:
    """Commands in two folders, of which `bin` alone is on the PATH."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder, self.shell = folder, [*([shell, "sh"] if shell == "busybox" else [shell]), "-c", PYTHON]
        self.program("bin/python3", SAYS.format("the first of the PATH"))
        self.program("a venv/bin/python", SAYS.format("the venv's"))
        self.program("venv/bin/python3.12", SAYS.format("the venv's"))

    def program(self, place: str, text: str) -> Path:
        file = self.folder / place
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
        file.chmod(0o755)
        return file

    def run(self, path: str = "") -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": path or f"/nowhere:{self.folder}/bin:{os.environ['PATH']}"}
        words = [shutil.which(self.shell[0]) or "", *self.shell[1:], "python3", "-c", "a b", "*"]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False)

    @property
    def python(self) -> str:
        """Which Python it is that runs our programs."""
        ran = self.run()
        assert ran.stdout.endswith(" -c a b *\n"), ran
        assert ran.stderr == ""
        return ran.stdout.removesuffix(" -c a b *\n")


@pytest.fixture(params=SHELLS)
def container(tmp_path: Path, request: pytest.FixtureRequest) -> Container:
    if not shutil.which(request.param):
        pytest.skip(f"there is no {request.param} here")
    return Container(tmp_path, request.param)


FIRST_LINES = {
    "a path": "#!{0}/venv/bin/python3.12\nimport sys",
    "a path with an option": "#! {0}/venv/bin/python3.12 -sE\nimport sys",
    "a long path, by pip": "#!/bin/sh\n'''exec' \"{0}/a venv/bin/python\" \"$0\" \"$@\"\n' '''\nimport sys",
    "a path too long, by pip": "#!/bin/sh\n'''exec' {0}/venv/bin/python3.12 \"$0\" \"$@\"\n' '''\nimport sys",
    "a long path, by uv": "#!/bin/sh\n'''exec' '{0}/a venv/bin/python' \"$0\" \"$@\"\n' '''\nimport sys",
}


@pytest.mark.parametrize("command", ["ray", "vllm"])
@pytest.mark.parametrize("text", FIRST_LINES.values(), ids=FIRST_LINES)
def test_the_first_line_of_ray_tells_its_python_else_that_of_vllm(
    container: Container, text: str, command: str
) -> None:
    container.program(f"bin/{command}", text.format(container.folder))
    assert container.python == "the venv's"


def test_rays_goes_before_vllms(container: Container) -> None:
    container.program("bin/ray", FIRST_LINES["a path"].format(container.folder))
    container.program("bin/vllm", "#!/usr/bin/env python3\n")
    assert container.python == "the venv's"


def test_the_script_of_a_venv_that_may_be_moved_tells_it_by_where_it_lies(container: Container) -> None:
    """As uv writes it with --relocatable."""
    text = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n"
    (container.folder / "bin/ray").symlink_to(container.program("a venv/bin/ray", text))
    assert container.python == "the venv's"


@pytest.mark.parametrize("line", ["#!/usr/bin/env python3.12", "#!/usr/bin/env -S python3.12 -u"])
def test_env_looks_for_it_on_the_path(container: Container, line: str) -> None:
    (container.folder / "bin/python3.12").symlink_to(container.folder / "venv/bin/python3.12")
    container.program("bin/ray", f"{line}\n")
    assert container.python == "the venv's"


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/bash\nexec /opt/venv/bin/ray "$@"\n',
        "#!/bin/sh\nexec /opt/venv/bin/python /opt/venv/bin/ray\n",
        "#!/gone/venv/bin/python\nimport sys\n",
        "#!/usr/bin/env python3.99\n",
        "\x7fELF\x02\x01\x01\0\0\0\0",
        "",
    ],
)
def test_what_is_no_script_of_a_python_that_is_there_tells_nothing(container: Container, text: str) -> None:
    container.program("bin/ray", text)
    assert container.python == "the first of the PATH"


def test_without_python3_on_the_path_it_is_said_where_it_was_looked_for(container: Container) -> None:
    ran = container.run("/nowhere")
    if ran.returncode == 127:  # else this machine has one in /opt
        assert ran.stderr == "there is no python3 on its PATH, /nowhere\n"


def test_no_process_is_between_and_the_environment_stays_as_it_was(container: Container) -> None:
    env = "import os; print(os.getppid(), 'IFS' in os.environ, os.environ['_by'])"
    container.program("bin/python3", f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(env)}\n")
    words = [shutil.which(container.shell[0]) or "", *container.shell[1:], "python3"]
    path = f"{container.folder}/bin:{os.environ['PATH']}"
    ran = subprocess.run(
        words, env={"PATH": path, "_by": "kept"}, capture_output=True, text=True, check=False
    )
    assert ran.stdout == f"{os.getpid()} False kept\n", ran.stderr


class Life:
    """A container whose first process has begun, and what comes later there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "environment"
        self.env = {**os.environ, "SET_UP": "a b\n'c", "PWD": str(folder), "foo.bar": "1"}

    def begins(self, *by: str) -> None:
        line = [*by, "bash", "-c", f"{self.there(shell.WRITE)}:"]
        subprocess.run(line, env=self.env, cwd=self.folder, check=True)

    def later(self, text: str, *words: str) -> str:
        """What it says that is begun with an environment of its own."""
        env = {"PATH": os.environ["PATH"], "OWN": "kept"}
        line = ["sh", "-c", self.there(shell.entered(text)), "enter", *words]
        ran = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr

    def there(self, text: str) -> str:
        return text.replace(shell.ENVIRONMENT, str(self.file))


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


SHOW = 'printf "<%s>" "$SET_UP" "$PWD" "${BASH_ENV-none}" "$OWN" "$@"'


def test_what_comes_later_has_the_environment_of_the_first_process(life: Life) -> None:
    life.begins()
    assert life.later(SHOW, "x y", "*") == f"<a b\n'c><{life.folder}><none><kept><x y><*>"
    assert life.file.stat().st_mode & 0o777 == 0o600


def test_what_comes_later_waits_for_an_entrypoint_that_is_slow(life: Life) -> None:
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(life.later, SHOW)
        assert not later.done()
        life.begins()
        assert later.result().startswith("<a b\n'c>")


def test_a_first_life_that_cannot_write_its_environment_down_ends_and_a_later_one_goes_on(life: Life) -> None:
    where, line = life.file, ["bash", "-c", f"{life.there(shell.WRITE)}echo goes on"]
    where.with_name("environment.new").mkdir()
    first = subprocess.run(line, env=life.env, capture_output=True, text=True, check=False)
    assert (first.returncode, first.stdout) == (1, "")
    assert "environment.new: " in first.stderr
    where.write_text("")
    later = subprocess.run(line, env=life.env, capture_output=True, text=True, check=False)
    assert later.stdout == "goes on\n"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_what_comes_later_runs_as_the_user_that_the_entrypoint_has_gone_on_as(life: Life) -> None:
    life.folder.chmod(0o777)
    for folder in life.folder.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)
    life.begins("setpriv", "--reuid", "2000", "--regid", "0", "--groups", "0,44", "--")
    assert life.file.stat().st_uid == 2000
    assert life.later('echo "$(id -u) $(id -G) $SET_UP $1"', "x y") == "2000 0 44 a b\n'c x y\n"

"""The program that tells Ray's own logs, run as it is run inside a container, on files of our own."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import payload
from tests.payload.programs import loaded

CHUNK = loaded("tail_files").CHUNK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "raylet.out").write_text("one\ntwo\nthree\n")
    (tmp_path / "gcs_server.out").write_text("first\nno end")
    (tmp_path / "raylet.err").write_text("")
    (tmp_path / "worker-1.out").write_text("of a worker\n")
    return tmp_path


def program(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", payload.program("tail_files"), str(folder), *words]


def told(folder: Path, *words: str) -> list[tuple[str, str]]:
    """File and text of each line."""
    ran = subprocess.run(
        program(folder, *words), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    lines = (line.split(" ", 2) for line in ran.stdout.split("\n")[:-1])
    return [(file, text) for file, _, text in lines]


@pytest.mark.parametrize(
    ("lines", "of_raylet"),
    [("all", ["one", "two", "three"]), ("2", ["two", "three"]), ("9", ["one", "two", "three"])],
)
def test_the_last_lines_of_the_daemons_files_and_of_no_others(
    folder: Path, lines: str, of_raylet: list[str]
) -> None:
    shown = told(folder, lines)
    assert [text for file, text in shown if file == "raylet.out"] == of_raylet
    assert {file for file, _ in shown} == {"raylet.out", "gcs_server.out"}


def test_a_last_line_without_an_end_is_one(folder: Path) -> None:
    assert ("gcs_server.out", "no end") in told(folder, "1")
    assert ("gcs_server.out", "first") not in told(folder, "1")


def test_none_of_the_lines(folder: Path) -> None:
    assert told(folder, "0") == []


@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1])
def test_lines_longer_than_what_is_read_at_once(folder: Path, size: int) -> None:
    (folder / "raylet.out").write_text(f"{'x' * size}\n{'y' * size}\nz\n")
    assert [text for file, text in told(folder, "2") if file == "raylet.out"] == ["y" * size, "z"]


def test_without_rays_folder_it_says_so(tmp_path: Path) -> None:
    ran = subprocess.run(program(tmp_path / "none", "all"), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "there is no" in ran.stderr


class Following:
    """The program while it follows."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            program(folder, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def next(self) -> tuple[str, str]:
        """The next line: its text, and the position after it."""
        assert self.process.stdout
        for told in self.process.stdout:
            file, at, *text = told.rstrip("\n").split(" ", 2)
            if text:
                return text[0], f"{file} {at}"
        raise AssertionError("it has ended")

    def leave(self) -> None:
        self.process.communicate(timeout=10)
        assert self.process.returncode == 0


def test_following_tells_lines_once_they_have_ended_and_goes_on_from_a_position(folder: Path) -> None:
    following = Following(folder, "1", "30")
    assert following.next()[0] == "three"  # that of the GCS has not ended
    with (folder / "gcs_server.out").open("a") as file:
        file.write(" but now\n")
    assert following.next()[0] == "no end but now"
    with (folder / "raylet.out").open("a") as file:
        file.write("four\nfive\n")
    text, at = following.next()
    assert text == "four"
    following.leave()

    again = Following(folder, "1", "30", at, f"gcs_server.out {(folder / 'gcs_server.out').stat().st_ino}:6")
    assert sorted((again.next()[0], again.next()[0])) == ["five", "no end but now"]
    again.leave()


def test_a_file_that_comes_later_or_starts_anew_is_told_whole(folder: Path) -> None:
    (folder / "gcs_server.out").unlink()
    following = Following(folder, "3", "30")
    assert [following.next()[0] for _ in range(3)] == ["one", "two", "three"]
    with (folder / "raylet.out").open("a") as file:
        file.write("begun\n")
    assert following.next()[0] == "begun"
    (folder / "monitor.log").write_text("a\nb\n")
    assert [following.next()[0] for _ in range(2)] == ["a", "b"]
    (folder / "raylet.out").rename(folder / "raylet.out.1")
    (folder / "raylet.out").write_text("anew\n")
    assert following.next()[0] == "anew"
    following.leave()


def test_it_ends_when_nobody_has_listened_for_too_long(folder: Path) -> None:
    following = Following(folder, "0", "0.5")
    assert following.process.wait(10) == 0
    following.leave()


def test_a_file_of_which_no_line_was_wanted_is_gone_on_with_all_the_same(folder: Path) -> None:
    following = Following(folder, "0", "30")
    assert following.process.stdout
    positions = [following.process.stdout.readline().strip() for _ in range(3)]
    following.leave()
    (folder / "raylet.err").write_text("while nobody listened\n")
    again = Following(folder, "0", "30", *positions)
    assert again.next()[0] == "while nobody listened"
    again.leave()

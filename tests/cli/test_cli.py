"""The command line as scripts: what a user types, the status, and what is printed.

tests/cli/<subcommand>/<case>.sh   a script; "rehearse" is the program, the directory is empty and its own
                      <case>.exit  the status it must end with (without: 0)
                      <case>.stdout, <case>.stderr
                                   what it must print: lines of fnmatch globs, "..." for any number
                                   of lines; without the file nothing may be printed there

docs/cli/<subcommand>.md holds what --help prints. After a change of help:

    python3 tests/cli/test_cli.py --write-docs

Environment: REHEARSE, the program (default: build/rehearse). No server is started by any of these.
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAM = pathlib.Path(os.environ.get("REHEARSE", ROOT / "build" / "rehearse")).resolve()
DOCS = ROOT / "docs" / "cli"
TIMEOUT_S = 30
COLUMNS = 80
TOPICS = ["exit-codes", "environment"]


def environment(directory):
    """Nothing of ours leaks in: the help and the errors of a bare machine."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH")}
    return {**kept, "PATH": f"{directory / '.bin'}:{os.environ['PATH']}", "HOME": str(directory),
            "LANG": "C.UTF-8", "TERM": "dumb", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org"}


def rehearse(*arguments, cwd=None):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, cwd=cwd,
                          stdin=subprocess.DEVNULL)


def commands():
    lines = rehearse("help").stdout.splitlines()
    start = lines.index("Usage:") + 1
    # A name of two words stands apart from its summary by two blanks or more.
    return [re.split(r"\s{2,}", line.strip())[0].removeprefix("rehearse ")
            for line in lines[start:lines.index("", start)]]


# --- scripts -----------------------------------------------------------------------------------------

def matches(patterns, lines):
    """Whether the lines fit the globs; "..." stands for any lines, also none."""
    if not patterns:
        return not lines
    if patterns[0] == "...":
        return any(matches(patterns[1:], lines[skip:]) for skip in range(len(lines) + 1))
    return bool(lines) and fnmatch.fnmatchcase(lines[0], patterns[0].replace("[", "[[]")) \
        and matches(patterns[1:], lines[1:])


def expected_lines(script, suffix):
    path = script.with_suffix(suffix)
    return path.read_text().splitlines() if path.exists() else []


CASES = sorted(HERE.glob("*/*.sh"))


@pytest.mark.parametrize("script", CASES, ids=[f"{case.parent.name}/{case.stem}" for case in CASES])
def test_script(script, tmp_path):
    assert PROGRAM.exists(), f"{PROGRAM} is not built"
    (tmp_path / ".bin").mkdir()
    (tmp_path / ".bin" / "rehearse").symlink_to(PROGRAM)
    done = subprocess.run(["sh", script], cwd=tmp_path, env=environment(tmp_path), capture_output=True,
                          text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
    said = f"--- stdout\n{done.stdout}--- stderr\n{done.stderr}"
    status = script.with_suffix(".exit")
    assert done.returncode == (int(status.read_text()) if status.exists() else 0), said
    for suffix, printed in ((".stdout", done.stdout), (".stderr", done.stderr)):
        assert matches(expected_lines(script, suffix), printed.splitlines()), f"{suffix} differs:\n{said}"
        assert printed == "" or printed.endswith("\n"), said


def test_expectations_belong_to_scripts():
    for path in HERE.glob("*/*"):
        if path.suffix in (".exit", ".stdout", ".stderr"):
            assert path.with_suffix(".sh").exists(), path


# --- help and its copy in the documentation -------------------------------------------------------------

def documents():
    """{file: what it must hold}"""
    found = {}
    for command in commands():
        text = rehearse(*command.split(), "--help").stdout
        found[DOCS / f"{command.replace(' ', '-')}.md"] = f"# rehearse {command}\n\n```text\n{text}```\n"
    for topic in TOPICS:
        found[DOCS / f"{topic}.md"] = f"# {topic}\n\n```text\n{rehearse('help', topic).stdout}```\n"
    return found


def test_documents_hold_what_help_prints():
    wanted = documents()
    for path, text in wanted.items():
        assert path.exists() and path.read_text() == text, \
            f"{path.relative_to(ROOT)} differs from --help: run tests/cli/test_cli.py --write-docs"
    assert sorted(DOCS.glob("*.md")) == sorted(wanted), "a page without a command"


def test_help_is_on_standard_output_and_fits():
    for command in commands():
        short, full = rehearse(*command.split(), "-h"), rehearse(*command.split(), "--help")
        assert (short.returncode, full.returncode) == (0, 0)
        assert (short.stderr, full.stderr) == ("", "")
        assert len(short.stdout.splitlines()) <= 24, f"-h of {command} is more than one screen"
        assert rehearse("help", *command.split()).stdout == full.stdout
        for line in (short.stdout + full.stdout).splitlines():
            assert len(line) <= COLUMNS, line
    for page in (["help"], ["-h"], ["--help"], *(["help", topic] for topic in TOPICS)):
        done = rehearse(*page)
        assert (done.returncode, done.stderr) == (0, "")
        assert all(len(line) <= COLUMNS for line in done.stdout.splitlines()), page


def test_every_option_is_in_the_environment_page():
    text = rehearse("help", "environment").stdout
    for line in rehearse("run", "--help").stdout.splitlines():
        if "$REHEARSE_" in line:
            variable = line.partition("$")[2].rstrip("]").split(";")[0]
            assert f" {variable} " in text, variable


def test_a_reader_that_goes_away_is_no_failure():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([PROGRAM, "run", "--help"], stdout=writer, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_on_standard_output_is_said():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "run", "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT_S)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write-docs"]:
        sys.exit(__doc__)
    DOCS.mkdir(parents=True, exist_ok=True)
    pages = documents()
    for stale in set(DOCS.glob("*.md")) - set(pages):
        stale.unlink()
    for page, content in pages.items():
        page.write_text(content)

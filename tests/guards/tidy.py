#!/usr/bin/env python3
"""clang-tidy over src/, with the checks of .clang-tidy.

  tidy.py BUILD_DIRECTORY

Files that have not changed since they last passed are not looked at again: a stamp in the build
directory is named by the preprocessed text, the options and the tool's version.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

import common

SKIPPED = 77  # meson's status for a skipped test
# gcc's own options that clang does not know are no finding.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error"]


def digest_of(entry, salt):
    """Of everything that can change the outcome, or None when it does not preprocess."""
    command = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    without_output = []
    skip = False
    for argument in command:
        if skip:
            skip = False
        elif argument in ("-o", "-MF", "-MQ"):
            skip = True
        elif argument not in ("-c", "-MD"):
            without_output.append(argument)
    result = subprocess.run([*without_output, "-E", "-o", "-"], cwd=entry["directory"],
                            capture_output=True)
    if result.returncode != 0:
        return None
    return hashlib.sha256(salt + " ".join(without_output).encode() + result.stdout).hexdigest()


def check(entry, build, stamps, salt):
    path = pathlib.Path(entry["directory"], entry["file"]).resolve()
    digest = digest_of(entry, salt)
    stamp = stamps / digest if digest else None
    if stamp and stamp.exists():
        os.utime(stamp)
        return None
    result = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), *EXTRA, str(path)],
                            capture_output=True, text=True)
    if result.returncode == 0:
        if stamp:
            stamp.touch()
        return None
    return result.stdout.strip() or result.stderr.strip()


def main():
    arguments = common.parse_arguments("build")
    build = pathlib.Path(arguments.build).resolve()
    try:
        version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    except FileNotFoundError:
        print("clang-tidy is not installed")
        sys.exit(SKIPPED)
    entries = [entry for entry in json.loads((build / "compile_commands.json").read_text())
               if pathlib.Path(entry["directory"], entry["file"]).resolve()
               .is_relative_to(arguments.root / "src")]
    stamps = build / "tidy-stamps"
    stamps.mkdir(exist_ok=True)
    salt = version + (arguments.root / ".clang-tidy").read_bytes()
    problems = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda entry: check(entry, build, stamps, salt), entries):
            if found:
                problems.append(found)
    common.finish(problems, "what .clang-tidy lists, with the reason of each exclusion")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Sources are formatted by clang-format 14 with the tree's .clang-format."""
import re
import subprocess
import sys

import common

SKIPPED = 77  # meson's status for a skipped test


def main():
    root = common.parse_arguments().root
    try:
        version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        print("clang-format is not installed")
        sys.exit(SKIPPED)
    # Other versions format the same rules differently.
    if not re.search(r"version 14\.", version):
        print(f"clang-format 14 is needed, not: {version.strip()}")
        sys.exit(SKIPPED)
    files = [str(path) for path in common.sources(root, "src", "tests", "demo")]
    result = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=root,
                            capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^([^\s:]+):\d+:\d+: error", result.stderr, re.M)))
    if result.returncode != 0 and not wrong:
        wrong = [result.stderr]
    common.finish([f"{path}: not formatted" for path in wrong], "make format")


if __name__ == "__main__":
    main()

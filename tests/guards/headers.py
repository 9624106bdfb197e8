#!/usr/bin/env python3
"""Every header compiles alone, twice in a row, with nothing before it."""
import concurrent.futures
import re
import subprocess
import sys
import tempfile

import common

PACKAGES = ["libpq", "libuv", "jansson", "libfyaml", "libcrypto", "libssl", "libzstd", "libisal", "sqlite3"]


def compile_header(root, path, flags):
    guard = re.search(r"^#ifndef (\w+)", (root / path).read_text(), re.M)
    name = path.relative_to("src")
    # The guard must be the header's own: two headers with one guard hide each other.
    expected = "RH_" + re.sub(r"\W", "_", str(name)).upper()
    problems = []
    if not guard or guard.group(1) != expected:
        problems.append(f"{path}: its include guard should be {expected}")
    with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
        source.write(f'#include "{name}"\n#include "{name}"\n')
        source.flush()
        result = subprocess.run(
            ["gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
             "-Wno-missing-field-initializers", f"-I{root / 'src'}", *flags, source.name],
            capture_output=True, text=True)
    if result.returncode != 0:
        problems.append(f"{path}: does not compile alone\n{result.stderr.rstrip()}")
    return problems


def main():
    root = common.parse_arguments().root
    flags = subprocess.run(["pkg-config", "--cflags", *PACKAGES], capture_output=True, text=True)
    if flags.returncode != 0:
        sys.exit(flags.stderr)
    headers = [path for path in common.sources(root, "src", suffixes=(".h",))]
    problems = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda path: compile_header(root, path, flags.stdout.split()), headers):
            problems += found
    common.finish(problems, "a header includes what it needs, once")


if __name__ == "__main__":
    main()

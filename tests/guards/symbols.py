#!/usr/bin/env python3
"""Global names carry rh_, and nothing that can be written is global or static.

  symbols.py BUILD_DIRECTORY
"""
import pathlib
import re
import subprocess
import sys

import common

# Variables that must be: a signal belongs to the process, and its handler has no argument.
WRITABLE = {
    "interrupt.c": {"wake_pipe", "first_signal", "urgent", "run_deadline"},
}
# libpg_query's and others' names that sources of ours may define: none so far.
SYMBOL = re.compile(r"^[0-9a-f]+ (.)(.{6}) (\S+)\s+[0-9a-f]+ +(?:\.hidden )?(\S+)$")
# Constant tables that hold addresses lie in .data.rel.ro: written once, by the loader.
WRITABLE_SECTION = re.compile(r"^(\.data(?!\.rel\.ro)|\.bss|\*COM\*|\.tdata|\.tbss)")


def check_archive(archive):
    problems = []
    listing = subprocess.run(["objdump", "-t", archive], capture_output=True, text=True, check=True)
    member = None
    for line in listing.stdout.splitlines():
        header = re.match(r"^(\S+):\s+file format", line)
        if header:
            member = pathlib.Path(header.group(1)).name.removesuffix(".o")
            continue
        match = SYMBOL.match(line)
        if not match:
            continue
        scope, flags, section, name = match.groups()
        place = f"{archive.parent.name}/{member}"
        if scope == "g" and section != "*UND*" and not name.startswith("rh_"):
            problems.append(f"{place}: the global name {name} does not begin with rh_")
        plain = name.split(".")[0]
        if ("O" in flags or section == "*COM*") and WRITABLE_SECTION.match(section) \
                and plain not in WRITABLE.get(member, ()):
            problems.append(f"{place}: the variable {plain} can be written; state is passed as an argument")
    return problems


def main():
    build = pathlib.Path(common.parse_arguments("build").build)
    archives = sorted((build / "src").glob("*/librh_*.a"))
    if not archives:
        sys.exit(f"{build}: no libraries were found")
    problems = []
    for archive in archives:
        problems += check_archive(archive)
    common.finish(problems, "global names begin with rh_; no global or static variables but constants")


if __name__ == "__main__":
    main()

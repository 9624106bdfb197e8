#!/usr/bin/env python3
"""Turns demo/*.sql into C: embed.py OUTPUT SHOP MIGRATION...

The shop is cut into sections at lines that begin with "-- # "; each section is one string of
statements, which the server runs in one transaction.
"""
import pathlib
import re
import sys


def literal(text):
    lines = []
    for line in text.splitlines():
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?")
        if not escaped.isascii():
            sys.exit(f"embed.py: not ASCII: {line}")
        lines.append(f'    "{escaped}\\n"')
    return "\n".join(lines)


def main():
    output, shop, *migrations = sys.argv[1:]
    sections = re.split(r"^-- # .*\n", pathlib.Path(shop).read_text(), flags=re.M)[1:]
    parts = ["/* Made by demo/embed.py from demo/: do not edit. */", '#include "rehearsal/demo.h"', ""]
    parts.append("const char *const rh_demo_shop_sections[] = {")
    parts += [literal(section.strip()) + "," for section in sections]
    parts.append("};")
    parts.append(f"const size_t rh_demo_shop_section_count = {len(sections)};")
    parts.append("const struct demo_file rh_demo_migrations[] = {")
    for path in map(pathlib.Path, migrations):
        parts.append(f'    {{"{path.name}",\n{literal(path.read_text())}}},')
    parts.append("};")
    parts.append(f"const size_t rh_demo_migration_count = {len(migrations)};")
    pathlib.Path(output).write_text("\n".join(parts) + "\n")


main()

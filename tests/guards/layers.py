#!/usr/bin/env python3
"""The layers of ARCHITECTURE.md, checked against the includes and the libraries each folder links."""
import re
import sys

import common

# External headers with one home: whoever wants what they offer asks that folder.
SOLE_HOMES = {
    "pg_query.h": "sql/",
    "libpq-fe.h": "engine/postgres/",
    "uv.h": "net/",
    "openssl/ssl.h": "net/",
    "mysql.h": "engine/mariadb/",
    "sqlite3.h": "store/",
    "libfyaml.h": "base/",
    "isa-l/igzip_lib.h": "base/",
    "isa-l/crc.h": "base/",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)
ROW = re.compile(r"^\|\s*(\d)\s*\|\s*`(\w+)`\s*\|[^|]*\|\s*([^|]+?)\s*\|$", re.M)
LINKED = re.compile(r"\brh_(\w+)_dep\b")


def read_table(root):
    """{folder: (layer, folders it may include)}"""
    rows = ROW.findall((root / "ARCHITECTURE.md").read_text())
    layers = {folder: int(layer) for layer, folder, _ in rows}
    table = {}
    for layer, folder, allowed in rows:
        if allowed == "below":
            names = {other for other, its in layers.items() if its < int(layer)}
        elif allowed == "—":
            names = set()
        else:
            names = set(re.findall(r"\w+", allowed))
        table[folder] = (int(layer), names)
    return table


def check_table(table):
    problems = []
    for folder, (layer, allowed) in table.items():
        for other in sorted(allowed):
            if other not in table:
                problems.append(f"ARCHITECTURE.md: {folder} names {other}, which has no row")
            elif table[other][0] > layer:
                problems.append(f"ARCHITECTURE.md: {folder} (layer {layer}) may not include {other}"
                                f" (layer {table[other][0]})")
    return problems


def find_cycle(edges):
    """A cycle among folders, as a list of names; None when there is none."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        for other in sorted(edges.get(node, ())):
            if state.get(other) == "open":
                return path[path.index(other):] + [other] if other in path else [node, other]
            if other not in state:
                found = visit(other, path + [other])
                if found:
                    return found
        state[node] = "done"
        return None

    for node in sorted(edges):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return None


def check_file(path, text, table, edges):
    """Problems of one source file; records the edges between folders."""
    problems = []
    folder = path.parts[1]
    for match in INCLUDE.finditer(text):
        name = match.group(1) or match.group(2)
        place = f"{path}:{text.count(chr(10), 0, match.start(1) if match.group(1) else match.start(2)) + 1}"
        home = SOLE_HOMES.get(name)
        if home and not str(path).startswith(f"src/{home}"):
            problems.append(f"{place}: {name} belongs to src/{home} alone")
        if not match.group(1) or name.endswith(".inc.h"):
            continue  # of the system, or generated into the folder's own build directory
        other = name.split("/")[0]
        if "/" not in name:
            problems.append(f'{place}: "{name}" does not name its folder')
        elif other not in table:
            problems.append(f'{place}: "{name}": {other} is not a folder of ARCHITECTURE.md')
        elif other != folder:
            edges.setdefault(folder, set()).add(other)
            if name.endswith("_int.h"):
                problems.append(f'{place}: "{name}" is internal to {other}')
            elif other not in table[folder][1]:
                problems.append(f'{place}: {folder} may not include {other} ("{name}")')
            elif re.match(r"engine/\w+/", name):
                problems.append(f'{place}: "{name}" is an engine\'s own: ask through engine/engine.h')
    return problems


def check_links(path, text, table):
    """A folder's meson.build names only libraries of its row."""
    folder = path.parts[1]
    code = re.sub(r"#.*", "", text)
    return [f"{path}: {folder} may not link {other}"
            for other in sorted(set(LINKED.findall(code)))
            if other in table and other != folder and other not in table[folder][1]]


def main():
    root = common.parse_arguments().root
    table = read_table(root)
    if not table:
        sys.exit("ARCHITECTURE.md: no table of layers was found")
    problems = check_table(table)
    edges = {}
    for path in common.sources(root, "src"):
        if len(path.parts) < 3:
            problems.append(f"{path}: not in a folder")
        elif path.parts[1] not in table:
            problems.append(f"{path}: {path.parts[1]} is not a folder of ARCHITECTURE.md")
        else:
            problems += check_file(path, (root / path).read_text(), table, edges)
    for path in common.sources(root, "src", suffixes=(".build",)):
        if len(path.parts) >= 3 and path.parts[1] in table:
            problems += check_links(path, (root / path).read_text(), table)
    cycle = find_cycle(edges)
    if cycle:
        problems.append("a cycle: " + " -> ".join(cycle))
    common.finish(problems, "a folder includes and links only what its row in ARCHITECTURE.md names")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Files stay below 800 lines: a longer one holds two modules."""
import common

LINES_MAX = 800


def main():
    root = common.parse_arguments().root
    problems = []
    for path in common.sources(root, "src", "tests", "tools", "demo", suffixes=(".c", ".h", ".py")):
        lines = (root / path).read_text(errors="replace").count("\n")
        if lines > LINES_MAX:
            problems.append(f"{path}: {lines} lines")
    common.finish(problems, f"at most {LINES_MAX} lines in a file")


if __name__ == "__main__":
    main()

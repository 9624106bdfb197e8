"""What the guards share: the tree they look at, and how they tell what they found."""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments(*extra):
    """--root: another tree (the guards' own test); extra: names of positional arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    for name in extra:
        parser.add_argument(name)
    return parser.parse_args()


def sources(root, *folders, suffixes=(".c", ".h")):
    """Source files below the folders, as paths relative to root, in a stable order."""
    found = []
    for folder in folders:
        base = root / folder
        if base.is_dir():
            found += [path.relative_to(root) for path in base.rglob("*")
                      if path.suffix in suffixes and path.is_file()]
    return sorted(found)


COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments_and_strings(text):
    """Blanks them out, keeping line numbers."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return COMMENT_OR_STRING.sub(blank, text)


def finish(problems, rule):
    """Prints what was found and exits: 0 for nothing."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"\n{len(problems)} found. The rule: {rule}")
    sys.exit(1 if problems else 0)

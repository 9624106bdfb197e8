#!/usr/bin/env python3
"""Functions and words that sources do not contain, each with the reason."""
import re

import common

BANNED = {
    "strcpy": "no bound: rh_arena_strdup, snprintf",
    "strcat": "no bound: struct buf",
    "strncpy": "leaves no NUL: memcpy, snprintf",
    "strncat": "its bound is not the buffer's: struct buf",
    "stpcpy": "no bound: snprintf",
    "sprintf": "no bound: snprintf",
    "vsprintf": "no bound: vsnprintf",
    "gets": "no bound",
    "scanf": "overflows and hides errors: parse by hand",
    "fscanf": "overflows and hides errors: parse by hand",
    "sscanf": "overflow is undefined: strtoll with checks",
    "atoi": "no errors: strtoll with checks",
    "atol": "no errors: strtoll with checks",
    "atoll": "no errors: strtoll with checks",
    "atof": "no errors, follows the locale",
    "strtok": "hidden state: strcspn",
    "system": "a shell and no deadline: struct process",
    "popen": "a shell and no deadline: struct process",
    "alloca": "a size on the stack that may be large",
    "setjmp": "skips clean-up",
    "sigsetjmp": "skips clean-up",
    "longjmp": "skips clean-up",
    "siglongjmp": "skips clean-up",
    "tmpnam": "races: mkostemp",
    "tempnam": "races: mkostemp",
    "mktemp": "races: mkostemp",
    "rand": "hidden state: getrandom, or a seed that is passed",
    "srand": "hidden state",
    "random": "hidden state",
    "localtime": "static result, and the machine's time zone: gmtime_r",
    "gmtime": "static result: gmtime_r",
    "ctime": "static result: rh_clock_rfc3339",
    "asctime": "static result: rh_clock_rfc3339",
    "usleep": "no deadline, no interrupt: poll",
    "sleep": "no deadline, no interrupt: poll",
    "nanosleep": "no deadline, no interrupt: poll",
    "vfork": "shares our memory: fork",
    "exit": "only main ends the program: return an error",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# In comments too: unfinished work does not lie in the tree.
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def main():
    root = common.parse_arguments().root
    problems = []
    for path in common.sources(root, "src"):
        text = (root / path).read_text()
        for number, line in enumerate(common.without_comments_and_strings(text).splitlines(), 1):
            problems += [f"{path}:{number}: {match.group(1)}: {BANNED[match.group(1)]}"
                         for match in CALL.finditer(line)]
        problems += [f"{path}:{number}: unfinished: {line.strip()}"
                     for number, line in enumerate(text.splitlines(), 1) if UNFINISHED.search(line)]
    common.finish(problems, "functions without bounds, errors or deadlines are not used; no unfinished work")


if __name__ == "__main__":
    main()

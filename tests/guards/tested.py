#!/usr/bin/env python3
"""Every source file has its unit test, or a stated reason why another test covers it.

src/<folder>/[.../]<module>.c is tested by tests/unit/<folder>/[.../]test_<module>.c; so are the
parts of a module, <module>_<part>.c. What is not stands in untested.txt: the path, then the reason
(which names the test that covers it).
"""
import re

import common


def read_reasons(root):
    reasons = {}
    path = root / "tests/guards/untested.txt"
    if not path.exists():
        return reasons
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            reasons[name] = reason.strip()
    return reasons


def main():
    root = common.parse_arguments().root
    reasons = read_reasons(root)
    problems = []
    seen = set()
    for path in common.sources(root, "src", suffixes=(".c",)):
        seen.add(str(path))
        folder = path.parts[1]
        tests = (root / "tests/unit" / folder).rglob("test_*.c") \
            if (root / "tests/unit" / folder).is_dir() else []
        tested = [test.stem.removeprefix("test_") for test in tests]
        has_test = any(path.stem == name or path.stem.startswith(name + "_") for name in tested)
        if has_test and str(path) in reasons:
            # Said, not failed: whoever adds a test need not touch another file.
            print(f"untested.txt: {path} has a test now")
        elif not has_test and not reasons.get(str(path)):
            problems.append(f"{path}: no tests/unit/{folder}/test_{path.stem}.c")
    for name, reason in reasons.items():
        if name not in seen:
            problems.append(f"untested.txt: {name} does not exist")
        for test in re.findall(r"tests/[\w./-]+", reason):
            if not (root / test.rstrip(".")).exists():
                problems.append(f"untested.txt: {name}: {test} does not exist")
    common.finish(problems, "a module has a unit test, or a reason in tests/guards/untested.txt")


if __name__ == "__main__":
    main()

"""Reads tests/scenarios/*.spec (format: README.md there)."""
import pathlib
import re

DIRECTORY = pathlib.Path(__file__).resolve().parents[1] / "scenarios"

# Weakest first ("Table-Level Lock Modes" of the manual).
MODES = ["AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
         "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]


def strongest(modes):
    return max(modes, key=MODES.index) if modes else None


class Scenario:
    def __init__(self, name, file):
        self.name, self.file = name, file
        self.versions, self.beside = (0, 99), None
        self.setup, self.run, self.expect = [], [], []

    def applies_to(self, major):
        return self.versions[0] <= major <= self.versions[1]

    @property
    def statements(self):
        """The statements of `run`; a line that ends with ";" ends one."""
        return [part.strip() for part in re.findall(r".*?;[ \t]*(?:\n|$)", "\n".join(self.run), re.S)]

    @property
    def tested(self):
        return [statement for statement in self.statements
                if not re.match(r"(BEGIN|COMMIT|SET)\b", statement)][-1]

    def expectations(self, *kinds):
        """(words, line) of the expectations that begin with one of `kinds`."""
        for line in self.expect:
            for kind in kinds:
                if line.startswith(kind + " ") or line == kind:
                    yield line[len(kind):].split(None, 1), line


def load(file):
    scenarios, section = [], None
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if match := re.fullmatch(r"# scenario (\w+)", line):
            scenarios.append(Scenario(match[1], file))
            section = None
        elif not line.strip() or line.startswith("#"):
            continue
        elif match := re.fullmatch(r"versions: (\d+)-(\d*)", line):
            scenarios[-1].versions = (int(match[1]), int(match[2] or 99))
        elif match := re.fullmatch(r"beside: (.+)", line):
            scenarios[-1].beside = match[1]
        elif line in ("setup:", "run:", "expect:"):
            section = getattr(scenarios[-1], line[:-1])
        elif line.startswith("    ") and section is not None:
            section.append(line[4:].rstrip() if section is not scenarios[-1].expect else line.strip())
        else:
            raise ValueError(f"{file}:{number}: {line}")
    return scenarios


def load_all():
    scenarios = [scenario for file in sorted(DIRECTORY.glob("*.spec")) for scenario in load(file)]
    names = [scenario.name for scenario in scenarios]
    assert len(names) == len(set(names)), "two scenarios of one name"
    return scenarios

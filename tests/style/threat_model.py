#!/usr/bin/python3
"""Fails when docs/threat-model.md and the tests' labels do not tell the same: each test that a row names exists and, where it is
pytest's, carries the row's name; each label is a row that names its test; and there are enough of both."""
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$")
LABELLED_MIN = 45

problems = []


def rows():
    """Row -> {(file, test or None)}: in the last column a name with a slash is a file, the others are tests in it."""
    found = {}
    for number, line in enumerate((ROOT.parent / "docs" / "threat-model.md").read_text(encoding="utf-8").splitlines(), 1):
        match = ROW.match(line)
        if not match:
            continue
        name, proofs, path = match.group(1), set(), None
        if name in found:
            problems.append(f"threat-model.md:{number}: {name} stands twice")
        for word in re.findall(r"`([^`]+)`", match.group(2).rsplit("|", 1)[-1]):
            if "/" in word:
                path = word
                proofs.add((path, None))
            else:
                proofs -= {(path, None)}
                proofs.add((path, word))
        if not proofs:
            problems.append(f"threat-model.md:{number}: {name} names no test")
        found[name] = proofs
    return found


def labels():
    """(file, test) -> the rows that its label names."""
    found = {}
    for path in sorted([*(ROOT / "script").glob("*.py"), *(ROOT / "flow").glob("*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for mark in getattr(node, "decorator_list", []):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.cve":
                    found[f"{path.parent.name}/{path.name}", node.name] = [ast.literal_eval(a) for a in mark.args]
    return found


def exists(path, test):
    file = ROOT / path
    if not file.is_file():
        return False
    if test is None:
        return file.suffix != ".py" or not path.startswith(("script/", "flow/"))  # of pytest's, tests are named
    word = rf"^(async )?def {test}\(" if file.suffix == ".py" else rf"^START_TEST\({test}\)"
    return re.search(word, file.read_text(encoding="utf-8"), re.M) is not None


def main():
    table, labelled = rows(), labels()
    for name, proofs in table.items():
        for path, test in sorted(proofs, key=str):
            if not exists(path, test):
                problems.append(f"{name}: there is no test {path} {test or ''}")
            elif path.endswith(".py") and test and name not in labelled.get((path, test), []):
                problems.append(f"{path}: {test} lacks the label {name}")
    for (path, test), names in labelled.items():
        for name in names:
            if (path, test) not in table.get(name, ()):
                problems.append(f"{path}: {test} has the label {name}, but that row does not name it")
    if len(labelled) < LABELLED_MIN:
        problems.append(f"{len(labelled)} tests with a label; {LABELLED_MIN} are the least")
    tests = {proof for proofs in table.values() for proof in proofs}
    print("\n".join([*problems, f"{len(table)} rows, {len(tests)} tests, {len(labelled)} of them with a label, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Every line of the list of what the Python library did has a test that carries its name.
seed_map.py SEED_MAP TESTS"""
import os
import re
import sys


def plain(text):
    return text.replace("`", "").replace("\\|", "|").strip()


def items(path):
    """First column of the table, the faults, the later additions; and the examples, for configs.bats."""
    text = open(path, encoding="utf-8").read()
    for line in text.splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) > 3 and not re.match(r"^[ -]*$|^ *Python *$", cells[1]):
            yield plain(cells[1])
    def sentence(begin):
        found = re.search(re.escape(begin) + r"(.*?)\.\s*(\n\n|$)", text, re.S)
        return re.sub(r"\s+", " ", found.group(1)).strip()
    for fault in sentence("must not come back:").split(";"):
        yield "fault: " + re.sub(r" \(here .*\)", "", plain(fault))
    for wish in re.split(r",\s(?![^(]*\))", sentence("also wanted:")):
        yield "later: " + plain(wish)


if not os.path.exists(sys.argv[1]):
    print("skipped: the list is not here")
    sys.exit(77)
wanted = list(items(sys.argv[1]))
names = re.findall(r"""^@test (['"])(.*)\1 \{$""", open(sys.argv[2], encoding="utf-8").read(), re.M)
names = {name for _, name in names}
missing = [item for item in wanted if item not in names]
for item in missing:
    print("no test carries the name:", item)
print(len(wanted), "items,", len(missing), "without a test")
sys.exit(bool(missing) or len(wanted) < 50)

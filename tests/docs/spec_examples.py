"""Each YAML block of a text is a manifest that `zproc check` accepts. spec_examples.py BIN TEXT…"""
import os
import re
import subprocess
import sys
import tempfile

texts = [path for path in sys.argv[2:] if os.path.exists(path)]
if not texts:
    print("skipped: the text is not here")
    sys.exit(77)
count = bad = 0
for path in texts:
    for block in re.findall(r"^```yaml\n(.*?)^```", open(path, encoding="utf-8").read(), re.S | re.M):
        count += 1
        with tempfile.TemporaryDirectory(prefix="zd") as folder:
            with open(folder + "/zproc.yaml", "w", encoding="utf-8") as file:
                file.write(block)
            result = subprocess.run([sys.argv[1] + "/zproc", "check"], cwd=folder, capture_output=True, text=True)
        if result.returncode:
            bad += 1
            print(f"{path}: block {count}:\n{result.stderr}")
print(count, "examples,", bad, "wrong")
sys.exit(bool(bad) or not count)

#!/bin/sh
# The pages are clean, and what they show as an example comes from a file that a test runs. pages.sh FOLDER
set -u
cd "$1" || exit 1
failed=0
for page in *.[1-9]; do
  loose=$(awk '/^\.\\" generated: /{made=1} /^\.\\" end$/{made=0} /^\.Bd/ && !made {print FILENAME ":" FNR}' "$page")
  [ -z "$loose" ] || { echo "an example that no test runs: $loose"; failed=1; }
  [ -s "$page" ] || { echo "$page is empty"; failed=1; }
done
for example in examples/*; do
  grep -q "^\.\\\\\" generated: example ${example#examples/}\$" ./*.[1-9] ||
    { echo "no page shows $example"; failed=1; }
done
if ! command -v mandoc >/dev/null; then
  [ "$failed" = 0 ] || exit 1
  echo "skipped: mandoc is not installed; the roff of the pages is not checked"
  exit 77
fi
mandoc -T lint -W warning ./*.[1-9] || failed=1
exit "$failed"

#!/bin/sh
# What is under version control: the top level that everybody expects, and nothing that a program has left there.
set -u
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { echo "skipped: no git, or not a repository"; exit 77; }
failed=0
strange=$(git ls-files | sed 's|/.*||' | sort -u | grep -vxE \
  'cmd|lib|configs|tests|man|\.ci|Makefile|CMake(Lists\.txt|Presets\.json)|[A-Z]+(\.md)?|\.(clang-format|clang-tidy|gitignore)')
[ -z "$strange" ] || { echo "at the top level: $strange"; failed=1; }
large=$(git ls-files -z | xargs -0 -r sh -c 'find "$@" -size +256k 2>/dev/null' sh)
[ -z "$large" ] || { echo "larger than 256 KiB: $large"; failed=1; }
exit $failed

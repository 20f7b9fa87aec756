#!/bin/sh
# Every manifest that the pages show, and every one in configs/, is fine. manifests.sh ZPROC MANIFEST…
set -eu
zproc=$1
shift
[ $# -gt 0 ]
for manifest; do
  "$zproc" check -f "$manifest"
done

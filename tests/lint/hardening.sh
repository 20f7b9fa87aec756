#!/bin/sh
# How the release binaries are built: hardening.sh ARCHIVE BINARY... ARCHIVE is one of our libraries.
set -u
command -v readelf >/dev/null || { echo "skipped: readelf (binutils) is not installed"; exit 77; }
archive=$1
shift
failed=0
# has FILE WHAT PATTERN OPTIONS…: readelf OPTIONS FILE shows PATTERN.
has() {
  file=$1 what=$2 pattern=$3
  shift 3
  readelf -W "$@" "$file" 2>/dev/null | grep -Eq "$pattern" || { echo "$file: no $what"; failed=1; }
}
for file in "$@"; do
  has "$file" "position-independent code" 'Type: +DYN' -h
  has "$file" "RELRO" GNU_RELRO -l
  has "$file" "immediate binding" 'BIND_NOW|Flags:.* NOW' -d
  has "$file" "stack protector" '__stack_chk_fail' -s
  has "$file" "checked functions (FORTIFY)" ' __[a-z]+_chk(@|$)' -s
  has "$file" "stack that is not executable" 'GNU_STACK.* RW +0x' -l
  if readelf -Wl "$file" | grep -Eq 'LOAD.* RWE '; then echo "$file: memory that is writable and executable"; failed=1; fi
  if readelf -Wd "$file" | grep -Eq 'R(UN)?PATH'; then echo "$file: a path to look for libraries in"; failed=1; fi
  case $(uname -m) in
    x86_64) readelf -Wn "$file" | grep -q IBT ||
      echo "note: $file: the system's own objects lack the CET mark, so that the linker left it out" ;;
  esac
done
[ "$(uname -m)" != x86_64 ] || has "$archive" "CET code (IBT, SHSTK)" 'IBT, SHSTK' -n
exit "$failed"

#!/bin/sh
# The C library as others use it: installed in a folder of its own, found by pkg-config, compiled into programs
# as C and C++, shared and static. library.sh BUILD SOURCE; the environment has CC, CXX and FLAGS.
set -eu
build=$1 source=$2
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
fail() { echo "$*" >&2; exit 1; }

cmake --install "$build" --prefix "$folder/prefix" --component development >/dev/null
pc=$(find "$folder/prefix" -name zproc.pc)
export PKG_CONFIG_PATH="${pc%/zproc.pc}"
[ "$(pkg-config --modversion zproc)" = "$VERSION" ] || fail "not the version"
lib=$(pkg-config --variable=libdir zproc)

# Nothing but the API is visible.
for names in "nm -D --defined-only $lib/libzproc.so" "nm -g --defined-only $lib/libzproc.a"; do
  $names | awk 'NF == 3 {print $3}' >"$folder/names"
  grep -q '^zp_get$' "$folder/names" || fail "$names: zp_get is missing"
  ! grep -v '^zp_' "$folder/names" || fail "$names: names that are not the API's"
done
# And all that the header declares is there.
grep -o '\bzp_[a-z_]*(' "$source/lib/client/zproc/zproc.h" | tr -d '(' | sort -u >"$folder/declared"
sort -u "$folder/names" | comm -3 "$folder/declared" - >"$folder/differ"
[ ! -s "$folder/differ" ] || fail "declared or defined only: $(cat "$folder/differ")"
readelf -d "$lib/libzproc.so" | grep -q 'SONAME.*\[libzproc\.so\.[0-9]*\]' || fail "no SONAME"

# Every operation of the protocol has a call of its own.
for op in $(sed -n 's/^OP(\([a-z_]*\),.*/\1/p' "$source/lib/wire/ops.def"); do
  grep -q "\bOP_$op\b" "$source"/lib/client/api_*.c || fail "the library has no call for the operation '$op'"
done

# A user's own functions may have any name; C and C++ agree on the header.
cat >"$folder/user.c" <<'END'
#include <stdio.h>
#include <zproc/zproc.h>
int buf_add(void), value_parse(void), err_set(void), client_open(void), conn_open(void);
int buf_add(void) { return 1; }
int value_parse(void) { return buf_add(); }
int err_set(void) { return value_parse(); }
int client_open(void) { return err_set(); }
int conn_open(void) { return client_open(); }
int main(void)
{
    zp_client *client = zp_client_new();
    static zp_watch_spec spec;
    enum zp_code code = zp_watch(client, &spec, 0, NULL);
    printf("%s %d\n", zp_code_name(code), conn_open());
    zp_client_free(client);
    return 0;
}
END
cp "$folder/user.c" "$folder/user.cc"
flags="$FLAGS -Wall -Wextra -Werror"
build_and_check() { # NAME COMMAND…
  name=$1; shift
  "$@" -o "$folder/$name"
  got=$(LD_LIBRARY_PATH=$lib "$folder/$name")
  [ "$got" = "unreachable 1" ] || fail "$name says '$got'"
}
# What the static library needs besides itself.
private=$(pkg-config --static --libs-only-l zproc | sed 's/-lzproc//')
# shellcheck disable=SC2046,SC2086 # flags are words
{
  build_and_check shared "$CC" -std=c99 -Wpedantic $flags "$folder/user.c" $(pkg-config --cflags --libs zproc)
  build_and_check static "$CC" -std=c17 $flags "$folder/user.c" $(pkg-config --cflags zproc) "$lib/libzproc.a" $private
  if [ -n "$CXX" ]; then
    build_and_check shared++ "$CXX" -std=c++11 -Wpedantic $flags "$folder/user.cc" $(pkg-config --cflags --libs zproc)
    build_and_check static++ "$CXX" $flags "$folder/user.cc" $(pkg-config --cflags zproc) "$lib/libzproc.a" $private
  else
    echo "no C++ compiler: the header was not tried with it"
  fi
  # The example of the manual page.
  "$CC" $flags "$source/man/examples/watch-counter.c" $(pkg-config --cflags --libs zproc) -o "$folder/watch-counter"
}

# It sees each change once, also when it was not running.
unset ZPROC_ADDRESS ZPROC_NAMESPACE ZPROC_SESSION ZPROC_RUN
mkfifo "$folder/ready"
"$build/bin/zproc-server" --address "ipc://$folder/socket" >"$folder/ready" &
server=$!
read -r ZPROC_ADDRESS <"$folder/ready"
export ZPROC_ADDRESS LD_LIBRARY_PATH="$lib"
incr() { "$build/bin/zproc" incr count >/dev/null; }
incr; incr
"$folder/watch-counter" count 1 >"$folder/out" || fail "the example failed"
incr
"$folder/watch-counter" count 4 >>"$folder/out" & watcher=$!
incr
wait "$watcher" || fail "the example failed when it was started again"
[ "$(tr '\n' ' ' <"$folder/out")" = "1 2 3 4 " ] || fail "the example printed: $(cat "$folder/out")"
if ZPROC_ADDRESS=none "$folder/watch-counter" count 9 2>"$folder/err"; then
  fail "the example does not fail without a server"
fi
grep -q 'ZPROC_ADDRESS' "$folder/err" || fail "the example says: $(cat "$folder/err")"

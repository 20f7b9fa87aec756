#!/bin/sh
# Runs bats files with the server and the supervisor under valgrind: a leak or an error of memory ends them with 99, and is
# left in a log, which is shown. valgrind.sh BIN TESTS FILE...: BIN is a build without sanitizers. What the
# tests themselves find is shown, but decides nothing: much is slower here than they allow for.
set -eu
command -v valgrind >/dev/null || { echo "skipped: valgrind is not installed"; exit 77; }
command -v bats >/dev/null || { echo "skipped: bats is not installed"; exit 77; }
bin=$1 tests=$2
shift 2
if grep -q __asan_init "$bin/zproc-server"; then echo "skipped: a build with sanitizers"; exit 77; fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/log"
cp "$bin/zproc" "$dir/bin/zproc"
for program in zproc-server zproc-run; do
  cat >"$dir/bin/$program" <<END
#!/bin/sh
exec valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 --log-file="$dir/log/$program.%p" "$bin/$program" "\$@"
END
  chmod +x "$dir/bin/$program"
done
status=0
for file; do
  PATH="$dir/bin:$PATH" ZPROC_BIN="$dir/bin" bats ${VALGRIND_FILTER:+-f "$VALGRIND_FILTER"} "$tests/$file" || status=$?
done
# A process that is killed by a test leaves an empty log; what it says of a system call that it does not know is no error.
if grep -hE -A12 'definitely lost|Invalid (read|write|free)|uninitialised|Mismatched free' "$dir"/log/*; then
  echo "valgrind found errors"
  exit 1
fi
echo "valgrind found nothing in $(find "$dir/log" -type f | wc -l) processes; the tests' own status is $status"

# Shared by the tests of runs: a manifest, a run in the background and what belongs to it.

# manifest: standard input becomes zproc.yaml.
manifest() {
  cat >zproc.yaml
}

# run_start [OPTIONS]: a run in the background; sets RUN_PID.
run_start() {
  zproc run "$@" >out 2>err 3>&- &
  RUN_PID=$!
}

# run_end STATUS: waits for it.
run_end() {
  local status=0
  wait "$RUN_PID" || status=$?
  RUN_PID=
  [ "$status" = "$1" ] || {
    echo "status $status, expected $1"
    cat out err
    return 1
  }
}

# Each test begins in an empty folder, and nothing of it outlives it, failed or not; a file that needs more has a
# setup or teardown of its own.
setup() {
  run_setup
}
run_setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir work && cd work || return 1
}
teardown() {
  run_teardown
  server_stop
}
run_teardown() {
  if [ -n "${RUN_PID:-}" ]; then
    kill -TERM "$RUN_PID" 2>/dev/null || :
    wait "$RUN_PID" 2>/dev/null || :
  fi
}

# The pid of the supervisor below the guardian, or of a child of the supervisor by name.
supervisor() {
  cat "/proc/$RUN_PID/task/$RUN_PID/children" | tr -d ' '
}
server_of() {
  local pid
  for pid in $(cat "/proc/$1/task/$1/children"); do
    [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") != *zproc-server* ]] || echo "$pid"
  done
}

# log_of WORKER [FOLDER]: what it has printed, its log without the times.
log_of() {
  cut -b 26- "${2:-.zproc/logs/latest}/$1.log"
}

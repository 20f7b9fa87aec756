# Shared by the black-box tests: a server of one's own, checks, and waits that poll with a deadline.

bats_require_minimum_version 1.5.0

# Nothing of the caller's world: no run, no key, no session, no CI system.
unset CI GITHUB_ACTIONS NO_COLOR ZPROC_ADDRESS ZPROC_NAMESPACE ZPROC_SESSION ZPROC_RUN ZPROC_KEY_FILE ZPROC_SECRET_KEY

DEADLINE_S=60

# poll_until COMMAND…: succeeds as soon as COMMAND does, fails after the deadline.
poll_until() {
  local end=$((SECONDS + DEADLINE_S))
  until "$@"; do
    ((SECONDS < end)) || return 1
    read -rt 0.01 <> <(:) || :
  done
}

# server_start [OPTIONS]: sets SERVER_PID and exports ZPROC_ADDRESS.
server_start() {
  rm -f "$BATS_TEST_TMPDIR/server.out"
  zproc server "$@" >"$BATS_TEST_TMPDIR/server.out" 2>"$BATS_TEST_TMPDIR/server.err" 3>&- &
  SERVER_PID=$!
  poll_until test -s "$BATS_TEST_TMPDIR/server.out"
  ZPROC_ADDRESS=$(head -n 1 "$BATS_TEST_TMPDIR/server.out")
  export ZPROC_ADDRESS
}

server_stop() {
  [ -n "${SERVER_PID:-}" ] || return 0
  kill "$SERVER_PID" 2>/dev/null || :
  wait "$SERVER_PID" 2>/dev/null || :
  SERVER_PID=
}

# expect STATUS OUTPUT COMMAND…: the exit status and all of standard output.
expect() {
  local want_status=$1 want_output=$2 got_status=0 got_output
  shift 2
  got_output=$("$@" 2>"$BATS_TEST_TMPDIR/stderr") || got_status=$?
  if [ "$got_status" != "$want_status" ] || [ "$got_output" != "$want_output" ]; then
    echo "$*"
    echo "status $got_status, expected $want_status"
    echo "output: $got_output"
    echo "expected: $want_output"
    echo "stderr: $(cat "$BATS_TEST_TMPDIR/stderr")"
    return 1
  fi
}

# expect_error STATUS PATTERN COMMAND…: fails so, prints nothing, and says PATTERN (a glob) on stderr.
expect_error() {
  local want_status=$1 pattern=$2 message
  shift 2
  expect "$want_status" "" "$@" || return 1
  message=$(cat "$BATS_TEST_TMPDIR/stderr")
  # shellcheck disable=SC2053
  [[ $message == $pattern ]] || {
    echo "$*: message is: $message"
    echo "expected: $pattern"
    return 1
  }
}

dead() {
  local pid stat
  for pid in "$@"; do
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
    [[ $stat == *") Z "* ]] || return 1
  done
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

waits_are() {
  [[ $(zproc stats --json) == *'"waits":'"$1"[,}]* ]]
}

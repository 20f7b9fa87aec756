#!/usr/bin/env bats
# What zproc-security(7) promises, as far as no other test shows it. The rest of it stands here:
#   keys, their files and forms; a rejected key            keys.bats, unit_wire_secret
#   CURVE: other keys, replay, what the wire shows         interop/test_curve.py
#   sockets: modes, umask, stale, live, foreign, users     interop/test_address.py
#   malformed streams, half-open connections, floods       tests/hostile
#   limits of what a client may cost                       interop/test_fair.py, test_hostile.py
#   parsers: bounds, fuzzing                               tests/fuzz, manifests/bad
#   secrets in logs, reports and ps                        io.bats
#   names that become files                                run.bats, manifest.bats
#   how the programs are built; what the server gives up   lint/hardening.sh, unit_server_confine

load helper
load run-helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir work && cd work || return 1
}

teardown() {
  run_teardown
  server_stop
}

@test "run: tcp beyond loopback wants a key, or 'insecure' and then a warning" {
  manifest <<'END'
version: 1
server: {address: "tcp://*:0"}
workers: {w: {run: "zproc set a 1; touch started"}}
END
  expect_error 2 "*no secret key*secret_key_file*" zproc run
  [ ! -e started ]
  sed -i 's/:0"/&, insecure: true/' zproc.yaml
  run -0 --separate-stderr zproc run
  [[ $stderr == *"warning: the server has no secret key"* ]]
  [ -e started ]
  zproc keygen key
  sed -i 's/insecure: true/secret_key_file: key/' zproc.yaml
  run -0 --separate-stderr zproc run
  [[ $stderr != *warning* ]]
}

@test "what is left when all of a run is killed at once goes with the next run" {
  export XDG_RUNTIME_DIR=$PWD/runtime
  mkdir -m 700 runtime
  zproc run --secret-key "open sesame" -- sh -c 'touch started; exec sleep 60' >out 2>err 3>&- &
  RUN_PID=$!
  poll_until test -e started
  local supervisor server workers
  supervisor=$(supervisor)
  server=$(server_of "$supervisor" || :)
  workers=$(tr ' ' '\n' <"/proc/$supervisor/task/$supervisor/children")
  [ "$(find runtime/zproc -name '*.key' -perm 600 | wc -l)" = 1 ]
  [ "$(find runtime/zproc -type s -perm 600 | wc -l)" = 1 ]
  touch -d '-1 hour' runtime/zproc/*
  zproc run -- true # it lives: nothing of it is touched
  [ "$(find runtime/zproc -type s -o -name '*.key' | wc -l)" = 2 ]
  # shellcheck disable=SC2086
  kill -KILL "$RUN_PID" "$supervisor" "$server" $workers
  wait "$RUN_PID" || :
  RUN_PID=
  # shellcheck disable=SC2086
  poll_until dead "$supervisor" "$server" $workers
  [ "$(find runtime/zproc -type s -o -name '*.key' | wc -l)" = 2 ]
  zproc run -- true
  [ -z "$(ls runtime/zproc)" ]
}

# killed_at CALL: a supervisor that is killed at its first call of that name.
killed_at() {
  command -v strace >/dev/null || skip "strace is not installed"
  # A sanitizer's search for leaks is not possible in a traced process.
  ASAN_OPTIONS=detect_leaks=0 expect 125 "" strace -f -o strace.out -e "trace=$1" -e "inject=$1:signal=KILL:when=1" zproc run
  grep -q "supervisor was killed by signal 9" "$BATS_TEST_TMPDIR/stderr"
}

@test "a supervisor that is killed as its socket comes into being leaves none" {
  export XDG_RUNTIME_DIR=$PWD/runtime
  mkdir -m 700 runtime
  manifest <<<'{version: 1, workers: {a: {run: exec sleep 1000}}}'
  killed_at listen
  [ -z "$(find runtime -type s)" ]
}

@test "a supervisor that is killed on its way to another server's socket leaves that alone" {
  server_start --address "ipc://$PWD/taken"
  manifest <<<"{version: 1, server: {address: 'ipc://taken'}, workers: {a: {run: exec sleep 1000}}}"
  unset ZPROC_ADDRESS
  killed_at bind
  expect 0 "" zproc -a ipc://taken set a 1
  expect_error 1 "*a server is running at 'ipc://*/taken' already*" zproc run
  expect 0 1 zproc -a ipc://taken get a
}

@test "the server has given up its rights before any thread of it listens" {
  local landlock
  landlock=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
  [ "$landlock" -ge 1 ] || skip "this kernel has no Landlock"
  ! grep -q __asan "$(command -v zproc-server || echo "$ZPROC_BIN/zproc-server")" || skip "not with a sanitizer"
  server_start --persist state
  zproc set a 1
  local count=0 task
  for task in "/proc/$SERVER_PID/task"/*; do
    grep -q '^NoNewPrivs:.*1$' "$task/status"
    count=$((count + 1))
  done
  [ "$count" -ge 2 ]
}

#!/usr/bin/env bats
# watch and sessions.

load helper

setup() {
  server_start
}

teardown() {
  if [ -n "${WATCH_PID:-}" ]; then
    kill "$WATCH_PID" 2>/dev/null || :
    wait "$WATCH_PID" 2>/dev/null || :
  fi
  server_stop
}

# Starts a watch in the background and returns when the server has it parked.
watch_start() {
  zproc watch "$@" >"$BATS_TEST_TMPDIR/watch.out" 2>"$BATS_TEST_TMPDIR/watch.err" 3>&- &
  WATCH_PID=$!
  poll_until waits_are 1
}

# watch_expect STATUS OUTPUT: how the watch ends.
watch_expect() {
  local status=0 output
  wait "$WATCH_PID" || status=$?
  WATCH_PID=
  output=$(cat "$BATS_TEST_TMPDIR/watch.out")
  [ "$status" = "$1" ] && [ "$output" = "$2" ] || {
    echo "status $status, output: $output"
    cat "$BATS_TEST_TMPDIR/watch.err"
    return 1
  }
}

@test "a key changes" {
  watch_start k
  zproc set other 1
  zproc set k pizza
  watch_expect 0 pizza
}

@test "a key changes: JSON" {
  watch_start k --json
  zproc set k pizza
  watch_expect 0 '"pizza"'
}

@test "a key is deleted" {
  zproc set k 1
  watch_start k
  zproc del k
  watch_expect 0 ''
  [ "$(od -An -c "$BATS_TEST_TMPDIR/watch.out" | tr -d ' ')" = '\n' ]
  zproc set k 1
  watch_start k --json
  zproc del k
  watch_expect 0 '{"deleted":true}'
}

@test "identical writes wake nobody, but with --duplicates" {
  zproc set k 1
  watch_start k
  zproc set k 1
  zproc set k 1.0
  zproc set k 2
  watch_expect 0 2
  watch_start k --duplicates
  zproc set k 2
  watch_expect 0 2
}

@test "several keys, anything, anything but" {
  watch_start a b
  zproc set c 1
  zproc set b 2
  watch_expect 0 "$(zproc watch --after 1 b a --timeout 10s)"
  [[ $(cat "$BATS_TEST_TMPDIR/watch.out") == '{"rev":2,'*'"key":"b"'* ]]
  watch_start
  zproc set z 1
  wait "$WATCH_PID"
  [[ $(cat "$BATS_TEST_TMPDIR/watch.out") == '{"rev":3,'*'"key":"z"'* ]]
  watch_start --exclude a -x b
  zproc update a=7 b=7
  zproc set c 7
  wait "$WATCH_PID"
  WATCH_PID=
  [[ $(cat "$BATS_TEST_TMPDIR/watch.out") == '{"rev":5,'*'"key":"c"'* ]]
}

@test "a prefix, a glob" {
  watch_start --prefix job.
  zproc set job 1
  zproc set job.7 2
  wait "$WATCH_PID"
  [[ $(cat "$BATS_TEST_TMPDIR/watch.out") == '{"rev":2,'*'"key":"job.7"'* ]]
  watch_start --glob 'job.[8-9]' --print value
  zproc set job.7 3
  zproc set job.8 4
  watch_expect 0 4
  expect_error 2 "*empty*" zproc watch --prefix ''
  expect_error 2 "*']'*" zproc watch --glob '[a'
  expect_error 2 "*" zproc watch --prefix a --glob b
}

@test "when" {
  zproc set n 1
  watch_start --when 'n > 2'
  zproc set n 2
  zproc set n 3
  wait "$WATCH_PID"
  WATCH_PID=
  [[ $(cat "$BATS_TEST_TMPDIR/watch.out") == '{"rev":3,'* ]]
  expect 0 '{"n":3}' zproc watch --when 'n > 2' --print snapshot --timeout 10s
  expect_error 2 "*" zproc watch --when 'n >'
}

@test "conditions on one key" {
  zproc update n=5 nil=null f=0
  expect 0 5 zproc watch --equal n=5 -t 10s
  expect 0 5 zproc watch --not-equal n=6 -t 10s
  expect 0 null zproc watch --none nil -t 10s
  expect 0 5 zproc watch --not-none n -t 10s
  expect 0 5 zproc watch --available n -t 10s
  expect 0 5 zproc watch --truthy n -t 10s
  expect 0 0 zproc watch --falsy f -t 10s
  expect_error 124 "*" zproc watch --equal n=6 -t 0
  expect_error 124 "*" zproc watch --equal n=5 --next -t 0
  expect_error 124 "*" zproc watch -s --equal n=5 -t 0
  expect_error 124 "*" zproc watch --available other -t 0
}

@test "what is printed" {
  zproc set k 1
  expect 0 1 zproc watch k --after 0 --timeout 10s
  expect 0 '{"k":1}' zproc watch k --after 0 --print snapshot -t 10s
  [[ $(zproc watch k --after 0 --print event -t 10s) == '{"rev":1,'* ]]
}

@test "time is up" {
  expect_error 124 "*" zproc watch k --timeout 20ms
  expect_error 124 "*" zproc watch --timeout 0
}

@test "a session misses nothing" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  for i in 1 2 3; do zproc set k "$i"; done
  for i in 1 2 3; do expect 0 "$i" zproc watch k --session s --timeout 10s; done
  expect_error 124 "*" zproc watch k --session s --timeout 0
}

@test "a session from the environment is never made silently" {
  ZPROC_SESSION=unknown expect_error 5 "*" zproc watch k --timeout 0
  expect_error 124 "*" zproc watch k --session known --timeout 0
  zproc set k 1
  ZPROC_SESSION=known expect 0 1 zproc watch k --timeout 10s
}

@test "an event that could not be printed comes again" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  zproc set k 1
  local status=0
  zproc watch k --session s --timeout 10s >/dev/full 2>/dev/null || status=$?
  [ "$status" = 125 ]
  # The server sees the watch's end by its connection.
  poll_until sh -c '[ "$(zproc watch k --session s --timeout 1s 2>/dev/null)" = 1 ]'
}

@test "two watches on one session" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  watch_start k --session s
  expect_error 125 "*--session NAME*" zproc watch k --session s --timeout 0
  zproc set k 1
  watch_expect 0 1
}

@test "live and go-live" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  zproc set k 1
  expect_error 124 "*" zproc watch k --session s --live --timeout 0
  zproc go-live --session s
  expect_error 124 "*" zproc watch k --session s --timeout 0
  expect_error 2 "zproc: go-live: only a session has a cursor; name one with --session NAME" zproc go-live
}

@test "a loop over a condition that stays true does not spin" {
  expect_error 124 "*" zproc watch --equal n=5 --session s --timeout 0
  zproc set n 5
  expect 0 5 zproc watch --equal n=5 --session s --timeout 10s
  expect_error 124 "*" zproc watch --equal n=5 --session s --timeout 0
  zproc set other 1
  expect_error 124 "*" zproc watch --equal n=5 --session s --timeout 0
}

@test "what fell off the log is told" {
  server_stop
  server_start --log-limit 64k
  expect_error 124 "*" zproc watch k --session s --timeout 0
  for i in $(seq 40); do head -c 10000 /dev/zero | tr '\0' "$((i % 10))" | zproc set -s k "$(cat)"; done
  expect_error 5 "*" zproc watch k --session s --timeout 0
  zproc watch k --session s --timeout 10s >/dev/null
}

@test "a namespace of its own" {
  watch_start -n other k
  zproc set k 1
  zproc set -n other k 2
  watch_expect 0 2
}

@test "a watch on a part of a value sees only what stands there" {
  zproc set config '{"db": {"host": "a", "port": 1}, "n": 0}'
  expect_error 124 "*" zproc --session s watch --timeout 0 'config#/db/host'
  zproc set 'config#/n' 1
  zproc set 'config#/db/port' 2
  expect_error 124 "*" zproc --session s watch --timeout 0 'config#/db/host'
  zproc set 'config#/db/host' b
  expect 0 b zproc --session s watch --timeout 0 'config#/db/host'
  zproc del 'config#/db'
  expect 0 '' zproc --session s watch --timeout 0 'config#/db/host'
  expect_error 124 "*" zproc --session s watch --timeout 0 --available 'config#/db'
  zproc set 'config#/db' '{"host": "c"}'
  expect 0 '{"host":"c"}' zproc --session s watch --timeout 0 --available 'config#/db'
  expect 0 c zproc watch --equal 'config#/db/host=c'
  expect 0 c zproc watch --truthy 'config#/db/host'
  expect_error 124 "*" zproc watch --timeout 0 --falsy 'config#/db/host'
  expect_error 124 "*" zproc watch --timeout 0 --none 'config#/missing'
  expect_error 2 "*on its own*" zproc watch 'config#/db' other
  expect_error 2 "*" zproc watch --exclude 'config#/db'
}

#!/usr/bin/env bats
# A server that keeps its state in a folder.

load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
  server_stop
  [ -z "${MOUNTED:-}" ] || umount "$MOUNTED"
}

server_kill() {
  kill -KILL "$SERVER_PID"
  wait "$SERVER_PID" 2>/dev/null || :
  SERVER_PID=
}

@test "what was answered is there after kill -9, at every level" {
  for level in always second process; do
    server_start --persist "$level" --durability "$level"
    zproc set price 1.10
    zproc set b '{"x": 1}'
    zproc del b
    zproc set b 2
    expect 0 b zproc eval 'state.map(k, k)[1]'
    server_kill
    server_start --persist "$level" --durability "$level"
    expect 0 '{"price":1.10,"b":2}' zproc get
   
    [[ $(zproc stats --json) == *"\"durability\":\"$level\""* ]]
    expect 0 "1" zproc incr n
    expect 0 '{"price":1.10}' zproc get --at 1
    server_stop
  done
}

@test "a session goes on where it was" {
  server_start --persist state --durability always
  zproc watch --session me --timeout 0 || :
  zproc set a 1
  zproc set a 2
  expect 0 1 zproc watch --session me a --print value
  server_kill
  server_start --persist state --durability always
  expect 0 2 zproc watch --session me a --print value --timeout 5s
  expect 124 "" zproc watch --session me a --print value --timeout 0
}

@test "one server at a time holds a folder" {
  server_start --persist state
  expect_error 1 "*another server keeps its state in 'state'*" zproc server --persist state
}

@test "damage stops the start, --repair keeps what is before it" {
  server_start --persist state
  for i in 1 2 3 4 5; do zproc set k "$i$i$i$i$i$i$i$i"; done
  server_kill
  log=state/log-0000000000000001
  at=$(grep -abo 33333333 "$log" | head -n 1 | cut -d: -f1)
  printf X | dd of="$log" bs=1 seek="$at" conv=notrunc status=none
  expect_error 125 "*'state/log-0000000000000001' is damaged at byte *--repair*" zproc server --persist state
  server_start --persist state --repair
  expect 0 22222222 zproc get k
  [ -s "$log.damaged" ]
}

@test "a record that was never finished is cut off and told" {
  server_start --persist state
  zproc set a 1
  zproc set b 2
  server_kill
  truncate -s -3 state/log-0000000000000001
  server_start --persist state
  expect 0 '{"a":1}' zproc get
  grep -q "cut .* bytes off" server.err
}

@test "a full disk: writes are refused with the reason, reads go on, and so does all when there is room" {
  mkdir disk
  mount -t tmpfs -o size=1m none disk 2>/dev/null || skip "only root can mount a small disk"
  MOUNTED=$BATS_TEST_TMPDIR/disk
  server_start --persist disk/state --durability always
  zproc set small 1
  head -c 100000 /dev/zero | tr '\0' a >text
  for i in $(seq 20); do
    zproc set -s big"$i" "$(cat text)" >out 2>&1 || break
    last=$i
  done
  [ "$last" -lt 12 ]
  expect 0 1 zproc get small
  zproc get big"$last" >/dev/null
  expect_error 125 "*No space left*" zproc set small 2
  expect 0 1 zproc get small
  mount -o remount,size=16m disk
  poll_until zproc set small 3
  server_kill
  server_start --persist disk/state --durability always
  expect 0 3 zproc get small
  zproc get big"$last" >/dev/null
}

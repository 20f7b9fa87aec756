#!/usr/bin/env bats
# atomic -- CMD: a command that has the namespace for itself.

load helper

setup() {
  server_start
  cd "$BATS_TEST_TMPDIR" || return 1
  HOLDER=
}

teardown() {
  [ -z "$HOLDER" ] || kill -9 "$HOLDER" 2>/dev/null || :
  server_stop
}

parked_are() {
  [[ $(zproc stats --json) == *'"parked":'"$1"[,}]* ]]
}

# holder SCRIPT: runs it under the lock, in the background; it says its pid in the file `pid` first.
holder() {
  # shellcheck disable=SC2016
  zproc atomic -- sh -c 'echo $$ >pid.new; mv pid.new pid; '"$1" >holder.out 2>holder.err 3>&- &
  HOLDER=$!
  poll_until test -e pid
}

# ended STATUS: so the holder ends.
ended() {
  local status=0
  wait "$HOLDER" || status=$?
  HOLDER=
  [ "$status" = "$1" ] || {
    echo "status $status: $(cat holder.err)"
    return 1
  }
}

@test "the snapshot comes in, the new state goes out, descriptor 3 is printed" {
  zproc update a=1 b='[2, 3.50]'
  expect 0 "" zproc atomic -- sh -c 'cat >seen; echo "{\"c\": 4}"'
  [ "$(cat seen)" = '{"a":1,"b":[2,3.50]}' ]
  expect 0 '{"c":4}' zproc get
  expect 0 "old 4" zproc atomic -- sh -c 'echo "old $(sed "s/[^0-9]//g")" >&3; echo "{\"c\": 5}"'
  expect 0 '{"c":5}' zproc get
  expect 0 '{"c":5}' zproc get --at "$(zproc get -v 2>&1 >/dev/null | sed 's/.*revision \([0-9]*\).*/\1/')"
}

@test "nothing printed: nothing changes" {
  zproc set a 1
  revision=$(zproc stats --json)
  expect 0 "" zproc atomic -- true
  expect 0 "said" zproc atomic -- sh -c 'cat >/dev/null; echo; echo said >&3'
  [[ $(zproc stats --json) == *'"revision":1,'* ]]
}

@test "the status of the command is passed on, and nothing changes when it fails" {
  zproc set a 1
  expect 7 "" zproc atomic -- sh -c 'echo "{}"; exit 7'
  expect 137 "" zproc atomic -- sh -c 'echo "{}"; kill -9 $$'
  expect_error 127 "*'no-such-command'*" zproc atomic -- no-such-command
  expect_error 126 "*'/'*" zproc atomic -- /
  expect_error 125 "zproc: atomic: *" zproc atomic -- echo not json
  expect_error 125 "*object*" zproc atomic -- echo '[1]'
  expect_error 2 "*operand*" zproc atomic --
  expect_error 2 "*--arg*" zproc atomic --arg a b -- true
  expect_error 125 "*cannot reach*" zproc -a ipc:///nowhere/at/all atomic -- true
  expect 0 '{"a":1}' zproc get
}

@test "a write from inside fails at once, another namespace and reading do not" {
  zproc set a 1
  expect 125 "" zproc atomic -- zproc set a 2
  [[ $(cat stderr) == *"'default' is locked"* ]]
  expect 125 "" zproc atomic -- zproc atomic -- true
  # From inside of two locks both are known.
  expect 125 "" zproc atomic -- zproc -n other atomic -- zproc -n default set a 3
  expect 125 "" zproc atomic -- zproc -n other atomic -- zproc -n other set a 3
  expect 0 "1" zproc atomic -- sh -c 'zproc get a >&3; zproc -n other set b 2'
  expect 0 '{"b":2}' zproc -n other get
  expect 0 '{"a":1}' zproc get
}

@test "large states, and commands that do not read" {
  head -c 3000000 /dev/zero | tr '\0' x | zproc set -s big -
  expect 0 "" zproc atomic -- true
  expect 0 "" zproc atomic -- cat
  expect 0 "1" zproc len
  expect 0 "" zproc atomic -- sh -c 'echo "{}"; exec <&-'
  expect 0 "0" zproc len
}

@test "what the command leaves behind is waited for only a moment" {
  start=$SECONDS
  expect 0 "" zproc atomic -- sh -c 'sleep 60 3>&- & echo $! >left; echo "{\"a\":1}"'
  kill "$(cat left)"
  ((SECONDS - start < 20))
  expect 0 '{"a":1}' zproc get
}

@test "others wait, and the lease is renewed while the command runs" {
  holder 'sleep 6; echo "{\"list\": []}"'
  zproc append list 1 3>&- &
  waiting=$!
  poll_until parked_are 1
  expect 0 '{}' zproc get
  ended 0
  wait "$waiting"
  expect 0 '{"list":[1]}' zproc get
}

@test "a holder that is killed: the next one goes on at once, its command is ended" {
  holder 'exec sleep 60'
  zproc atomic -- sh -c 'echo "{\"next\": 1}"' 3>&- &
  waiting=$!
  poll_until parked_are 1
  start=$SECONDS
  kill -9 "$HOLDER"
  wait "$waiting"
  ((SECONDS - start < 4))
  expect 0 '{"next":1}' zproc get
  poll_until dead "$(cat pid)"
}

@test "a holder that is stopped: writers go on after the lease, it comes too late" {
  holder 'exec sleep 60'
  zproc set a 1 3>&- &
  waiting=$!
  poll_until parked_are 1
  kill -STOP "$HOLDER"
  wait "$waiting"
  expect 0 '{"a":1}' zproc get
  kill -CONT "$HOLDER"
  ended 125
  [[ $(cat holder.err) == *"is lost"* ]]
  poll_until dead "$(cat pid)"
  expect 0 '{"a":1}' zproc get
}

@test "a command that ends while its holder is stopped changes nothing" {
  holder 'until test -e go; do sleep 0.05; done; echo "{\"late\": 1}"'
  kill -STOP "$HOLDER"
  touch go
  zproc set a 1
  kill -CONT "$HOLDER"
  ended 125
  expect 0 '{"a":1}' zproc get
}

@test "signals go to the command and what it started" {
  holder 'sleep 60 & echo $! >below; wait'
  poll_until test -s below
  kill "$HOLDER"
  ended 143
  poll_until dead "$(cat below)"
  # One that deals with them may still finish.
  rm pid
  holder 'trap "echo \"{\\\"rest\\\": 1}\"; exit 0" TERM; touch ready; while :; do sleep 0.05; done'
  poll_until test -e ready
  kill -TERM "$HOLDER"
  ended 0
  expect 0 '{"rest":1}' zproc get
}

@test "the server dies: the command is ended" {
  holder 'trap "" TERM; sleep 60'
  kill -9 "$SERVER_PID"
  ended 125
  [[ $(cat holder.err) == "zproc: atomic: "* ]]
  poll_until dead "$(cat pid)"
}

#!/usr/bin/env bats
# A namespace that fits into no message: reads, snapshots, locks and triggers have all of it.

load helper

DEADLINE_S=90

KEYS=40000 # of 1 KiB each

setup() {
  server_start
  cd "$BATS_TEST_TMPDIR" || return 1
  awk -v n=$KEYS 'BEGIN {
    v = sprintf("%1000s", ""); gsub(" ", "x", v)
    for (i = 0; i < n; i++) printf "{\"ns\":\"default\",\"key\":\"k%d\",\"value\":\"%s\"}\n", i, v
  }' >state.jsonl
  zproc load state.jsonl
}

teardown() {
  if [ -n "${FOLLOW_PID:-}" ]; then
    kill "$FOLLOW_PID" 2>/dev/null || :
    wait "$FOLLOW_PID" 2>/dev/null || :
  fi
  server_stop
}

# keys FILE: how many keys the object in it has.
keys() {
  /usr/bin/python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$1"
}

@test "the snapshot of a watch, once and followed" {
  zproc watch n --print snapshot --after 0 --timeout 5s >once 2>err &
  FOLLOW_PID=$!
  zproc set n 1
  wait "$FOLLOW_PID"
  FOLLOW_PID=
  [ "$(keys once)" = $((KEYS + 1)) ]
  zproc watch n --follow --print snapshot >lines 2>err 3>&- &
  FOLLOW_PID=$!
  poll_until waits_are 1
  zproc set n 2
  zproc set n 3
  lines_are() { [ "$(wc -l <lines)" = "$1" ]; }
  poll_until lines_are 2
  [ "$(head -n 1 lines | tail -c 9)" = '"n":2}' ] || [[ $(head -n 1 lines | tail -c 20) == *'"n":2}' ]]
  [[ $(tail -n 1 lines | tail -c 20) == *'"n":3}' ]]
  head -n 1 lines >first
  [ "$(keys first)" = $((KEYS + 1)) ]
}

@test "a command for every event has it as its input" {
  zproc watch n --after 0 --count 1 -- sh -c 'cat >snapshot; echo "$ZPROC_VALUE"' >out 2>err 3>&- &
  FOLLOW_PID=$!
  zproc set n 7
  wait "$FOLLOW_PID"
  FOLLOW_PID=
  [ "$(cat out)" = 7 ]
  [ "$(keys snapshot)" = $((KEYS + 1)) ]
}

@test "atomic -- CMD gets all of it, and what changed is committed" {
  expect 0 "" zproc atomic -- /usr/bin/python3 -c '
import json, sys
state = json.load(sys.stdin)
assert len(state) == '$KEYS', len(state)
state["k0"] = 1.10
state["new"] = [1]
del state["k1"]
json.dump(state, sys.stdout)'
  expect 0 $KEYS zproc len
  expect 0 1.1 zproc get k0
  expect 0 "[1]" zproc get new
  expect 1 false zproc has k1
  expect 0 "" zproc atomic -- sh -c 'cat >seen; echo "{\"small\": 1}"'
  [ "$(keys seen)" = $KEYS ]
  expect 0 '{"small":1}' zproc get
}

@test "atomic -- CMD that changes more than a message holds changes nothing, and says so" {
  expect_error 125 "*what it changes is larger than 16 MiB; nothing was changed*" zproc atomic -- sed 's/x/y/g'
  expect 0 $KEYS zproc len
  expect 0 0 zproc eval 'state.k0.contains("y") ? 1 : 0'
  expect_error 125 "*it must be an object, not*" zproc atomic -- sh -c 'printf "["; cat; printf "]"'
}

@test "a trigger's run has all of it" {
  cat >zproc.yaml <<EOF
version: 1
workers:
  once:
    trigger: {change: [n]}
    run: cp "\$ZPROC_SNAPSHOT" snapshot; echo "\$ZPROC_KEY \$ZPROC_VALUE" >event
  first:
    trigger: {when: "n == 1"}
    run: cp "\$ZPROC_SNAPSHOT" snapshot2
  end:
    run: zproc set n 1; until test -e event && test -e snapshot2; do sleep 0.05; done
EOF
  status=0
  zproc run --server "$ZPROC_ADDRESS" >out 2>err || status=$?
  [ "$status" = 0 ] || { cat out err; false; }
  [ "$(keys snapshot)" = $((KEYS + 1)) ]
  [ "$(keys snapshot2)" = $((KEYS + 1)) ]
  [ "$(cat event)" = "n 1" ]
}

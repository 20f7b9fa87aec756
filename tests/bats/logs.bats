#!/usr/bin/env bats
# logs: what workers have printed, while the run goes on and after it.

load helper
load run-helper

teardown() {
  [ ! -e .zproc/address ] || zproc down >/dev/null 2>&1 || :
  server_stop
}

up() {
  zproc up -q "$@" >/dev/null
}

over() {
  [ ! -e .zproc/address ]
}

@test "logs: all workers in the order of their lines, some, the last lines, with times, JSON" {
  manifest <<'END'
version: 1
workers:
  first: {run: "echo one; until grep -q one .zproc/logs/latest/first.log; do sleep 0.01; done; sleep 0.01; zproc set a 1; zproc watch --equal c=1 --timeout 20s >/dev/null; echo three"}
  second: {run: "zproc watch --equal a=1 --timeout 20s >/dev/null; echo two; until grep -q two .zproc/logs/latest/second.log; do sleep 0.01; done; sleep 0.01; zproc set c 1", replicas: 1}
  group: {run: "echo from $ZPROC_REPLICA", replicas: 2, needs: [first, second]}
  hold: {run: sleep 100, needs: [group]}
END
  up
  poll_until sh -c 'zproc ps hold >/dev/null'
  zproc logs >all
  [ "$(head -n 3 all)" = "first   | one
second  | two
first   | three" ]
  [ "$(tail -n 2 all | sort)" = "group.0 | from 0
group.1 | from 1" ]
  expect 0 "three" zproc logs -n 1 first
  expect 0 "$(printf 'one\nthree')" zproc logs first
  expect 0 "" zproc logs -n 0 first
  [[ $(zproc logs -n 1 -t first) =~ ^20[0-9][0-9]-..-..T..:..:..\....Z\ three$ ]]
  [ "$(zproc logs --json second | jq -r '.worker + " " + .line')" = "second two" ]
  [ "$(zproc logs group | wc -l)" = 2 ]
  expect_error 1 "*no worker 'frst'; did you mean 'first'?*" zproc logs frst
  expect_error 2 "*--lines*" zproc logs -n few
  zproc down
  zproc logs >past
  cmp all past
  expect 0 "three" zproc logs -n 1 first
}

@test "logs: without a run and without one before" {
  expect_error 3 "*'zproc up' starts one*" zproc logs
}

@test "logs: bytes that are no UTF-8, NUL, a last line without its end, no times" {
  manifest <<'END'
version: 1
workers:
  raw: {run: "printf 'a\\377\\000b\\nlast'", log: {timestamps: false}}
  hold: {run: sleep 100}
END
  up
  poll_until zproc wait raw
  zproc logs raw >got
  printf 'a\377\000b\nlast' | cmp - got
  zproc logs raw hold >got
  printf 'raw  | a\377\000b\nraw  | last\n' | cmp - got
  zproc down
}

@test "logs -f: what comes, until the worker has ended" {
  manifest <<'END'
version: 1
workers:
  talks: {run: 'for i in 1 2 3; do zproc watch --equal n=$i --timeout 20s >/dev/null; echo "line $i"; done'}
  hold: {run: sleep 100}
END
  up
  zproc logs -f talks >got 3>&- &
  local follower=$! i
  for i in 1 2 3; do
    zproc set n "$i"
    poll_until grep -q "line $i" got
  done
  wait "$follower"
  [ "$(wc -l <got)" = 3 ]
  # Of all workers: until the run has ended.
  zproc logs -f -n 1 >got 3>&- &
  follower=$!
  poll_until grep -q "talks | line 3" got
  kill -0 "$follower"
  zproc down
  wait "$follower"
}

@test "logs -f: the last lines of a run come to everyone, also from far" {
  manifest <<'END'
version: 1
server: {address: "tcp://127.0.0.1:PORT"}
workers:
  talks: {run: 'zproc watch --equal go=1 --timeout 20s >/dev/null; seq 1 20000'}
END
  local i pids=() address
  # A port that nobody has.
  sed -i "s/PORT/$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')/" zproc.yaml
  up
  address=$(cat .zproc/address)
  for i in 1 2 3 4; do
    (cd / && exec zproc -a "$address" logs -f talks) >"got.$i" 2>"err.$i" 3>&- &
    pids+=($!)
  done
  poll_until sh -c '[ "$(zproc stats --json | jq .parked)" -ge 7 ]'
  zproc set go 1
  for i in 1 2 3 4; do
    wait "${pids[i - 1]}"
    seq 1 20000 | cmp - "got.$i"
    [ ! -s "err.$i" ]
  done
  poll_until over
}

@test "logs: over files that are rotated, while they are followed too" {
  manifest <<'END'
version: 1
workers:
  talks:
    run: |
      seq -f 'line %06.0f' 1 2000
      zproc watch --equal go=1 --timeout 20s >/dev/null
      for i in 1 2 3 4 5 6 7 8; do seq -f "line $i%05.0f" 1 500; sleep 0.02; done
    log: {max_size: 16KiB, keep: 20}
  hold: {run: sleep 100}
END
  up
  poll_until sh -c '[ "$(zproc logs talks | wc -l)" = 2000 ]'
  [ -e .zproc/logs/latest/talks.log.1 ]
  [ "$(zproc logs -n 1500 talks | sed -n '1p;$p')" = "line 000501
line 002000" ]
  zproc logs -f talks >got 3>&- &
  local follower=$!
  poll_until test -s got
  zproc set go 1
  wait "$follower"
  { seq -f 'line %06.0f' 1 2000; for i in 1 2 3 4 5 6 7 8; do seq -f "line $i%05.0f" 1 500; done; } | cmp - got
  zproc down
}

@test "logs: a follower that goes away holds nobody up" {
  manifest <<'END'
version: 1
workers:
  talks: {run: 'while :; do echo again; sleep 0.02; done', service: true}
  hold: {run: sleep 100}
END
  up
  zproc logs -f >got 3>&- &
  local follower=$!
  poll_until grep -q again got
  kill -KILL "$follower"
  wait "$follower" 2>/dev/null || :
  zproc logs -f talks | head -n 2 >got
  [ "$(cat got)" = "again
again" ]
  zproc down
  over
}

@test "logs: of the run itself, and of a trigger" {
  manifest <<'END'
version: 1
workers:
  on_x: {trigger: {change: [x]}, run: 'echo "x is $ZPROC_VALUE"'}
  hold: {run: sleep 100}
END
  up
  zproc set x 1
  poll_until sh -c 'zproc logs on_x | grep -q "x is 1"'
  zproc set x 2
  poll_until sh -c 'zproc logs on_x | grep -q "x is 2"'
  zproc down
  expect 0 "$(printf 'x is 1\nx is 2')" zproc logs on_x
}

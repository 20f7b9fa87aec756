#!/usr/bin/env bats
# Control of a run that goes on: start, stop, restart, signal, scale, spawn, return, reload, down.

load helper
load run-helper

teardown() {
  run_teardown
  [ -z "${OTHER_PID:-}" ] || { kill -TERM "$OTHER_PID" && wait "$OTHER_PID"; } || :
  server_stop
}

# field NAME FIELD: of a worker's record.
field() {
  zproc -n zproc get "$1#/$2" 2>/dev/null
}
is() {
  [ "$(field "$1" status)" = "$2" ]
}
# The names of all records but the run's.
names() {
  zproc -n zproc keys | grep -vx run | sort | xargs
}
went_down() {
  expect 0 "" zproc down
  run_end 0
}

services() {
  manifest <<'END'
version: 1
workers:
  a: {run: exec sleep 1000, service: true}
  b: {run: exec sleep 1000, service: true, needs: [a]}
  later: {run: "echo hello; exec sleep 1000", service: true, start: false}
END
  run_start
  poll_until is b ready
}

@test "start prints the pid; what runs already is status 1, a finished or idle worker starts" {
  services
  expect 1 "$(field a pid)" zproc start -t 5s a
  grep -q "'a' runs already" "$BATS_TEST_TMPDIR/stderr"
  is later idle
  pid=$(zproc start later)
  [ "$pid" = "$(field later pid)" ] && [ -e "/proc/$pid" ]
  expect 0 143 zproc stop later
  is later stopped
  dead "$pid"
  again=$(zproc start later)
  [ "$again" != "$pid" ] && is later ready
  [ "$(field later attempt)" = 1 ]
  went_down
}

@test "start and stop of a job: it is stopped, which does not fail the run, and starts again" {
  manifest <<'END'
version: 1
workers:
  job: {run: 'test -e over || exec sleep 1000; echo finished'}
  keep: {run: exec sleep 1000}
END
  run_start
  poll_until is job ready
  expect 0 143 zproc stop job
  is job stopped
  touch over
  zproc start job >/dev/null
  poll_until is job succeeded
  [ "$(zproc start job)" -gt 1 ]
  poll_until is job succeeded
  expect 0 143 zproc stop keep
  run_end 0
}

@test "the stop that ends the run is answered, however fast the server goes" {
  manifest <<<'{version: 1, workers: {keep: {run: [sleep, 1000]}}}'
  for _ in $(seq 30); do
    run_start
    poll_until is keep ready
    expect 0 143 zproc stop keep
    run_end 0
  done
}

@test "a run whose jobs were all stopped by hand ends with 0; one of services goes on" {
  manifest <<'END'
version: 1
workers:
  job: {run: exec sleep 1000}
  side: {run: exec sleep 1000, service: true}
END
  run_start
  poll_until is job ready
  expect 0 143 zproc stop job
  run_end 0
  services
  expect 0 $'143\n143\n-' zproc stop --all
  is a stopped && is b stopped && is later idle
  zproc start --all >/dev/null
  is b ready && is later ready
  went_down
}

@test "stop while a worker waits for its retry" {
  manifest <<'END'
version: 1
workers:
  flaky: {run: exit 7, retry: {max: 5, delay: 100s}}
  keep: {run: exec sleep 1000, service: true}
  job: {run: exec sleep 1000}
END
  run_start
  poll_until is flaky retrying
  expect 0 7 zproc stop flaky
  is flaky stopped
  sleep_s=$SECONDS
  zproc restart flaky >/dev/null
  ((SECONDS - sleep_s < 10))
  poll_until is flaky retrying
  zproc restart flaky >/dev/null
  went_down
}

@test "stop in reverse order of needs: B, then C and D, then A" {
  manifest <<'END'
version: 1
defaults:
  service: true
  run: |
    down() {
      echo $ZPROC_WORKER >>order; touch down.$ZPROC_WORKER; sleep 0.2; tries=0
      case $ZPROC_WORKER in # these two go down together, or else in vain wait for each other
        c | d) until [ -e down.c ] && [ -e down.d ] || [ $tries = 200 ]; do sleep 0.02; tries=$((tries + 1)); done;;
      esac
      echo $ZPROC_WORKER- >>order; exit 5
    }
    trap down TERM
    touch up.$ZPROC_WORKER; while :; do sleep 0.05; done
  ready: {exec: 'test -e up.$ZPROC_WORKER', every: 20ms}
workers:
  a: {}
  c: {needs: [a]}
  d: {needs: [a]}
  b: {needs: [c, d]}
END
  run_start
  poll_until is b ready
  expect 0 $'5\n5\n5\n5' zproc stop a b c d
  [ "$(sed -n 1,2p order | xargs)" = "b b-" ]
  [ "$(sed -n 3,6p order | sort | xargs)" = "c c- d d-" ]
  [[ $(sed -n 3p order) != *- && $(sed -n 4p order) != *- ]]
  [ "$(sed -n 7,8p order | xargs)" = "a a-" ]
  went_down
}

@test "a worker that ignores SIGTERM is killed after its grace, and not much later" {
  manifest <<'END'
version: 1
workers:
  deaf: {run: 'trap "" TERM; echo up; while :; do sleep 1; done', service: true, stop: {grace: 1s}, ready: {log: up}}
END
  run_start
  poll_until is deaf ready
  best=999999
  for _ in 1 2 3 4 5; do # the best of them shows what the program takes, whatever delays the machine adds
    pid=$(field deaf pid) start=${EPOCHREALTIME/./}
    expect 0 137 zproc stop deaf
    took=$(((${EPOCHREALTIME/./} - start) / 1000))
    dead "$pid"
    echo "took $took ms"
    ((took >= 1000))
    ((took >= best)) || best=$took
    ((best > 1200)) || break
    zproc start deaf >/dev/null
    poll_until is deaf ready
  done
  ((best <= 1200))
  went_down
}

@test "stop returns when nothing of the tree is left" {
  manifest <<'END'
version: 1
workers:
  tree: {run: 'setsid sh -c "trap \"\" TERM; echo \$\$ >orphan; while :; do sleep 1; done" & sleep 1000', service: true, stop: {grace: 300ms}}
END
  run_start
  poll_until test -s orphan
  zproc stop tree
  dead "$(cat orphan)"
  went_down
}

@test "restart: another process, attempt 1, in order; who needs it waits for the new one" {
  services
  before_a=$(field a pid) before_b=$(field b pid)
  after=$(zproc restart a b | xargs)
  [ "$after" = "$(field a pid) $(field b pid)" ]
  [ "$(field a pid)" != "$before_a" ] && [ "$(field b pid)" != "$before_b" ]
  dead "$before_a" "$before_b"
  [ "$(field b attempt)" = 1 ] && [ "$(field b restarts)" = 0 ]
  alone=$(field b pid)
  zproc restart a >/dev/null
  [ "$(field b pid)" = "$alone" ]
  went_down
}

@test "what needs something that was stopped cannot start, and says so" {
  services
  expect 0 $'143\n143' zproc stop a b
  expect_error 1 "*'b' cannot start: it needs a to be ready, which was stopped*" zproc start b
  is b stopped
  zproc start b a >/dev/null
  is b ready
  went_down
}

@test "signal: by name and number, to several; status 1 when nothing runs" {
  manifest <<'END'
version: 1
workers:
  w: {run: 'trap "echo usr1 >>got" USR1; trap "echo usr2 >>got" USR2; touch up; while :; do sleep 0.05; done', service: true}
  idle: {run: "true", start: false}
END
  run_start
  poll_until test -e up
  expect 0 "" zproc signal USR1 w
  poll_until grep -q usr1 got
  expect 0 "" zproc signal sigusr2 --all
  poll_until grep -q usr2 got
  expect 0 "" zproc signal 10 w
  expect_error 1 "zproc: signal: none of these workers runs*" zproc signal TERM idle
  expect_error 2 "*'NOSUCH' is not a signal*" zproc signal NOSUCH w
  went_down
}

@test "scale 1, 4, 2, 0, 3: numbered instances, the highest go first, records go with them" {
  manifest <<'END'
version: 1
workers:
  oven: {run: exec sleep 1000, service: true}
  job: {run: exec sleep 1000}
END
  run_start
  poll_until is oven ready
  first=$(field oven pid)
  expect 0 "" zproc scale oven=4
  [ "$(names)" = "job oven.0 oven.1 oven.2 oven.3" ]
  poll_until is oven.3 ready
  [ "$(field oven.0 pid)" = "$first" ]
  second=$(field oven.1 pid) third=$(field oven.2 pid) fourth=$(field oven.3 pid)
  expect 0 "" zproc scale oven=2
  dead "$third" "$fourth"
  [ "$(names)" = "job oven.0 oven.1" ]
  [ "$(field oven.1 pid)" = "$second" ]
  expect 0 "" zproc scale oven=0
  dead "$first" "$second"
  [ "$(names)" = job ]
  expect 0 "" zproc scale oven=3
  poll_until is oven.2 ready
  [ "$(names)" = "job oven.0 oven.1 oven.2" ]
  [ "$(zproc start oven.1 2>/dev/null)" = "$(field oven.1 pid)" ]
  expect 0 143 zproc stop oven.1
  is oven.0 ready && is oven.1 stopped && is oven.2 ready
  expect_error 2 "*'oven' is not of the form NAME=N*" zproc scale oven
  expect_error 2 "*'oven.1' is an instance*" zproc scale oven.1=2
  expect_error 2 "*no worker 'ofen'; did you mean 'oven'?*" zproc scale ofen=2
  [ "$(zproc stats --json | grep -o '"sessions":[0-9]*')" = '"sessions":3' ]
  zproc stop job
  run_end 0
}

@test "needs are judged over the instances that there are" {
  manifest <<'END'
version: 1
workers:
  pool: {run: 'test $ZPROC_REPLICA = 0 || exec sleep 1000', replicas: 2}
  after: {run: echo it is over, needs: [pool]}
END
  run_start
  poll_until is pool.0 succeeded
  is after waiting
  expect 0 "" zproc scale pool=1
  run_end 0
  grep -q "it is over" out
}

@test "spawn: a worker joins with what it is given; a job keeps the run alive; names" {
  manifest <<'END'
version: 1
env: {COMMON: yes it is}
workers:
  job: {run: 'until test -e go; do sleep 0.05; done'}
END
  run_start
  poll_until is job ready
  mkdir sub
  pid=$(zproc spawn -n other -e X=1 --dir sub new -- sh -c 'echo "$X $COMMON $ZPROC_NAMESPACE ${PWD##*/}"; until test -e ../end; do sleep 0.05; done')
  [ "$(field new pid)" = "$pid" ]
  expect_error 1 "*there is a worker 'new' already*" zproc spawn new -- true
  expect 0 - zproc spawn waits --need new=succeeded -- sh -c 'echo after'
  is waits waiting
  expect_error 2 "*no worker 'nwe'; did you mean 'new'?*" zproc spawn x --need nwe -- true
  expect_error 2 "*cannot be a name*" zproc spawn 'bad name' -- true
  expect_error 2 "*zproc spawn NAME -- CMD*" zproc spawn new
  touch go
  poll_until is job succeeded
  expect 0 "$pid" field new pid
  touch end
  run_end 0
  grep -q "1 yes it is other sub" out
  grep -q after out
}

@test "spawn: many needs with long names" {
  {
    printf 'version: 1\nworkers:\n'
    for i in $(seq 40); do echo "  a-worker-with-a-rather-long-name-$i: {run: 'true', start: false}"; done
    echo "  job: {run: 'until test -e go; do sleep 0.05; done'}"
  } >zproc.yaml
  run_start
  poll_until is job ready
  local needs=()
  for i in $(seq 40); do needs+=(--need "a-worker-with-a-rather-long-name-$i"); done
  expect 0 - zproc spawn last "${needs[@]}" -- true
  is last waiting
  zproc start $(seq -f 'a-worker-with-a-rather-long-name-%g' 40)
  poll_until is last succeeded
  touch go
  run_end 0
}

@test "spawn: a name is free again when what had it has ended; failures count; --retry, --optional" {
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  job: {run: 'until test -e go; do sleep 0.05; done'}
END
  run_start
  poll_until is job ready
  zproc spawn x -- true >/dev/null
  poll_until is x succeeded
  zproc spawn x --optional -- sh -c 'exit 3' >/dev/null
  poll_until is x failed
  zproc spawn y --retry 1 -- sh -c 'exit $((5 - ZPROC_ATTEMPT))' >/dev/null || :
  poll_until is y retrying
  expect 1 - zproc spawn z -- /nonexistent
  grep -q "'z' did not start: .*/nonexistent" "$BATS_TEST_TMPDIR/stderr"
  touch go
  zproc stop y
  run_end 127
}

@test "from within a worker: spawn, return, stop; and the run of its own is meant" {
  manifest <<'END'
version: 1
workers:
  parent:
    run: |
      zproc return '{"n": 1}'
      zproc spawn child -- sh -c 'zproc set from child; zproc return $((6 * 7))' >/dev/null
      zproc watch --available from >/dev/null
      zproc stop helper >/dev/null
      zproc return null && zproc return 2.50
      echo last line
  helper: {run: exec sleep 1000, service: true}
END
  run_start
  run_end 0
  [ "$(zproc wait parent child | xargs)" = "2.50 42" ]
  expect_error 2 "*only a worker of a run has a result*" zproc return 1
}

@test "down: 0, and the failure's status when something had failed" {
  services
  expect 0 "" zproc down
  run_end 0
  [ ! -e .zproc/address ]
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  bad: {run: exit 9}
  keep: {run: exec sleep 1000}
END
  run_start
  poll_until is bad failed
  expect 9 "" zproc down
  run_end 9
}

reloadable() {
  manifest <<'END'
version: 1
vars: {who: you}
workers:
  same: {run: exec sleep 1000, service: true, description: a}
  other: {run: exec sleep 1001, service: true}
  gone: {run: exec sleep 1002, service: true}
  user: {run: 'echo ${{ vars.who }}; exec sleep 1003', service: true, needs: [other]}
  sized: {run: exec sleep 1004, service: true, replicas: 3}
END
}
changed() {
  manifest <<'END'
version: 1
vars: {who: me}
workers:
  new: {run: exec sleep 1005, service: true, needs: [same]}
  same: {run: exec sleep 1000, service: true, timeout: null, description: b}
  other: {run: exec sleep 999, service: true}
  user: {run: 'echo ${{ vars.who }}; exec sleep 1003', service: true, needs: [other]}
  sized: {run: exec sleep 1004, service: true, replicas: 2}
END
}
CHANGES='+ new
~ other: key run changed
~ user: key vars changed
~ sized: key replicas changed
- gone'

@test "reload: only what has changed is touched, and it says what" {
  reloadable
  run_start
  poll_until is user ready
  poll_until is sized.2 ready
  same=$(field same pid) other=$(field other pid) gone=$(field gone pid) sized=$(field sized.0 pid)
  expect 0 "" zproc reload
  changed
  expect 0 "$CHANGES" zproc reload --dry-run
  [ "$(field other pid)" = "$other" ]
  expect 0 "$CHANGES" zproc reload
  poll_until is user ready
  poll_until is new ready
  [ "$(field same pid)" = "$same" ] && [ "$(field sized.0 pid)" = "$sized" ]
  [ "$(field other pid)" != "$other" ]
  dead "$other" "$gone"
  [ "$(names)" = "new other same sized.0 sized.1 user" ]
  expect 0 "" zproc reload
  poll_until grep -q 'user.*me' out
  went_down
}

@test "reload: a broken manifest changes nothing; what cannot change is refused" {
  reloadable
  run_start
  poll_until is user ready
  pid=$(field other pid)
  sed -i 's/service: true}$/service: treu}/' zproc.yaml
  expect_error 2 "zproc.yaml:5:*'service' must be true or false*nothing was changed" zproc reload
  reloadable
  sed -i 's/^vars/name: another\nvars/' zproc.yaml
  expect_error 1 "*'name' of the manifest has changed*" zproc reload
  reloadable
  sed -i 's/^vars/server: {durability: always}\nvars/' zproc.yaml
  expect_error 1 "*'server' of the manifest has changed*" zproc reload
  changed
  mv zproc.yaml second.yaml
  expect_error 2 "*there is no zproc.yaml*" zproc reload
  expect 0 "$CHANGES" zproc reload --dry-run -f second.yaml
  expect_error 2 "*'nosuch.yaml': there is no such file*" zproc reload -f nosuch.yaml
  [ "$(field other pid)" = "$pid" ]
  went_down
}

@test "reload: what was removed comes again; needs can be turned round" {
  manifest <<'END'
version: 1
workers:
  keep: {run: exec sleep 1000}
  base: {run: 'true'}
  middle: {run: exec sleep 1001, service: true, needs: [base]}
  gone: {run: exec sleep 1002, service: true, needs: [middle]}
END
  run_start
  poll_until is gone ready
  manifest <<'END'
version: 1
workers:
  keep: {run: exec sleep 1000}
  base: {run: exec sleep 1003, service: true, needs: [middle]}
  middle: {run: exec sleep 1001, service: true}
END
  expect 0 $'~ base: key run changed\n~ middle: key needs changed\n- gone' zproc reload
  poll_until is base ready
  poll_until is middle ready
  [ "$(names)" = "base keep middle" ]
  echo '  gone: {run: exec sleep 1002, service: true, needs: [base]}' >>zproc.yaml
  expect 0 "+ gone" zproc reload
  poll_until is gone ready
  went_down
}

@test "SIGHUP reloads a run in the background" {
  reloadable
  zproc up 2>err
  poll_until is user ready
  changed
  kill -HUP "$(awk '{print $4}' "/proc/$(field same pid)/stat")" # the supervisor is a worker's parent
  poll_until is new ready
  names_are() { [ "$(names)" = "$1" ]; }
  poll_until names_are "new other same sized.0 sized.1 user"
  expect 0 "" zproc down
}

@test "runs side by side are each found through their own folder" {
  mkdir one two
  for name in one two; do
    echo "{version: 1, workers: {$name: {run: [sleep, 1000]}}}" >"$name/zproc.yaml"
  done
  (cd one && exec zproc run >out 2>err 3>&-) &
  RUN_PID=$!
  (cd two && exec zproc run >out 2>err 3>&-) &
  OTHER_PID=$!
  cd one && poll_until is one ready
  cd ../two && poll_until is two ready
  expect_error 2 "*no worker 'one'*" zproc stop one
  expect 0 143 zproc stop two
  wait "$OTHER_PID"
  OTHER_PID=
  cd ../one && is one ready
  expect 0 143 zproc stop one
  cd .. && wait "$RUN_PID"
  RUN_PID=
}

@test "a second run on the same server is controlled from its own workers" {
  server_start
  manifest <<'END'
version: 1
workers:
  first: {run: exec sleep 1000, service: true}
  keep: {run: exec sleep 1000}
END
  run_start --server "$ZPROC_ADDRESS"
  poll_until is first ready
  mkdir second && cd second
  manifest <<'END'
version: 1
workers:
  mine: {run: exec sleep 1000, service: true}
  job: {run: 'zproc stop mine; zproc stop first 2>/dev/null || echo none of mine'}
END
  expect 0 $'job  | 143\njob  | none of mine' zproc run --server "$ZPROC_ADDRESS" --output prefix
  is first ready
  cd ..
  expect 0 143 zproc stop first
  went_down
}

@test "control works again after the server was killed" {
  services
  kill -KILL "$(server_of "$(supervisor)")"
  poll_until is a ready
  expect 0 $'143\n143' zproc stop a b
  went_down
}

@test "bad names, none and both, and a run that is gone" {
  services
  expect_error 2 "*no worker 'latr'; did you mean 'later'?*" zproc stop latr
  expect_error 2 "*no worker is named*" zproc stop
  expect_error 2 "*'--all' and names exclude each other*" zproc stop --all a
  expect_error 2 "*no worker 'a.7'*" zproc restart a.7
  is a ready
  went_down
  expect_error 3 "zproc: stop: *" zproc stop a
  expect_error 3 "zproc: down: *" zproc down
  server_start
  expect_error 3 "zproc: scale: no run goes on at this server*'zproc ps --all' lists them*" zproc scale a=2
}

@test "an answer that takes too long: 124, and the stop goes on" {
  manifest <<'END'
version: 1
workers:
  slow: {run: 'trap "until [ -e go ]; do sleep 0.05; done; exit 4" TERM; touch up; while :; do sleep 0.05; done', service: true}
END
  run_start
  poll_until test -e up
  poll_until is slow ready
  expect 124 "" zproc stop --timeout 2s slow
  touch go
  poll_until is slow stopped
  [ "$(field slow exit)" = 4 ]
  went_down
}

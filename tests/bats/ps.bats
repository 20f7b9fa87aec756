#!/usr/bin/env bats
# ps and wait: what a run tells of its workers, and waiting for them.

load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir work && cd work || return 1
}

teardown() {
  if [ -n "${RUN_PID:-}" ]; then
    kill -TERM "$RUN_PID" 2>/dev/null || :
    wait "$RUN_PID" 2>/dev/null || :
  fi
  server_stop
}

manifest() {
  cat >zproc.yaml
}

run_start() {
  zproc run "$@" >out 2>err 3>&- &
  RUN_PID=$!
  poll_until test -e .zproc/address
  poll_until sh -c 'zproc ps >/dev/null 2>&1'
}

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

status_of() {
  zproc ps --json "$1" | jq -r .status
}
status_is() {
  [ "$(status_of "$1")" = "$2" ]
}

@test "ps: a table of the workers, of one, of a group; names; JSON" {
  manifest <<'END'
version: 1
workers:
  oven: {run: sleep 100, service: true}
  baker: {run: sleep 100, replicas: 2}
  many: {run: sleep 100, replicas: 12}
  later: {run: "true", start: false}
END
  run_start
  poll_until status_is many.11 ready
  zproc ps >table
  [[ $(sed -n 1p table) == "NAME "*"STATUS "*"PID "*"ATTEMPT "*"RESTARTS "*"TIME "*"EXIT "*"REASON" ]]
  grep -Eq '^oven +ready +[0-9]+ +1 +0 +[0-9.]+m?s +-$' table
  grep -Eq '^baker.1 +ready' table
  grep -Eq '^many \(12\) +ready +- ' table
  grep -Eq '^later +idle +- ' table
  [ "$(wc -l <table)" = 6 ]
  [ "$(zproc ps baker | wc -l)" = 3 ]
  [ "$(zproc ps many | wc -l)" = 13 ]
  expect 0 "$(printf 'baker.0\nbaker.1')" zproc ps -q baker
  [ "$(zproc ps -q | wc -l)" = 16 ]
  expect 0 "oven service ready oven null" sh -c \
    'zproc ps --json oven | jq -r "[.name, .kind, .status, .worker, (.exit | tostring)] | join(\" \")"'
  [ "$(zproc ps --json | jq -s length)" = 16 ]
  [ "$(zproc ps --json oven | jq .pid)" = "$(zproc get -n zproc 'oven#/pid')" ]
  ! grep -q $'\033' table
  kill "$RUN_PID"
  run_end 143
}

@test "ps NAME: status 1 unless all are alive; an unknown one is told what is near" {
  manifest <<'END'
version: 1
workers:
  oven: {run: sleep 100, service: true}
  quick: {run: "true"}
  slow: {run: sleep 100}
END
  run_start
  poll_until status_is quick succeeded
  zproc ps oven >/dev/null
  zproc ps oven slow >/dev/null
  run ! zproc ps quick
  [ "$status" = 1 ]
  run ! zproc ps oven quick
  [ "$status" = 1 ]
  expect_error 1 "*no worker 'ovn'; did you mean 'oven'?*" zproc ps ovn
  expect_error 2 "*'--namespace' has no meaning here*" zproc ps -n other
  kill "$RUN_PID"
  run_end 143
}

@test "ps: without a run status 3 and what to do; after it the last one" {
  expect_error 3 "*'zproc up' starts one*" zproc ps
  expect_error 3 "*cannot reach*" zproc -a "ipc://$PWD/nobody" ps
  expect_error 3 "*address is 'none'*" env ZPROC_ADDRESS=none zproc ps
  manifest <<'END'
version: 1
workers:
  bad: {run: "echo why >&2; exit 7"}
END
  expect 7 "" zproc run --output quiet
  run -3 --separate-stderr zproc ps
  [[ $output == *"bad "*"failed "*" 7 "*"exit status 7"* ]]
  [[ $stderr == *"the last one ended "*" ago with status 7"* ]]
  run -1 zproc ps bad
}

@test "ps: a server without runs, several runs on one server, from any address" {
  server_start
  expect_error 1 "*no run has used this server*" zproc ps
  mkdir a b
  cat >a/zproc.yaml <<'END'
version: 1
name: first
workers: {one: {run: sleep 100}}
END
  sed 's/first/second/; s/one/two/' a/zproc.yaml >b/zproc.yaml
  (cd a && exec zproc run --server "$ZPROC_ADDRESS" >out 2>&1 3>&-) &
  local first=$! second
  poll_until status_is one ready
  (cd b && exec zproc run --server "$ZPROC_ADDRESS" >out 2>&1 3>&-) &
  second=$!
  poll_until sh -c 'zproc ps --all | grep -Eq "^two +ready"'
  expect 0 one zproc ps -q
  zproc ps --all | grep -q '^run .* (first): running$'
  zproc ps --all | grep -q '^run .* (second): running$'
  local id
  id=$(zproc ps --all --json | jq -r 'select(.name == "two").run')
  expect 0 two zproc ps -q --run "$id"
  expect 0 two env ZPROC_RUN="$id" zproc ps -q
  expect_error 1 "*no run 'nope'*" zproc ps --run nope
  expect_error 3 "*no run 'nope' goes on*" zproc stop --run nope two
  # In its own folder a run is meant without being named.
  cd b
  expect 0 two zproc ps -q
  expect_error 2 "*no worker 'one'*" zproc restart one
  expect 0 143 zproc stop two
  cd ..
  expect_error 2 "*goes without*" zproc ps --all one
  kill "$first" "$second"
  wait "$first" "$second" || :
  unset ZPROC_ADDRESS
}

@test "wait: results in the manifest's order, each when its turn comes" {
  manifest <<'END'
version: 1
workers:
  slow: {run: "zproc watch --equal go=1 --timeout 20s >/dev/null; echo '{\"n\": 1}'"}
  fast: {run: echo two words}
  none: {run: "true"}
  hold: {run: sleep 100, service: true}
  end: {run: "zproc watch --equal end=1 --timeout 20s >/dev/null"}
  manual: {run: echo by hand, start: false}
END
  run_start
  expect 0 "two words" zproc wait fast
  expect 0 '"two words"' zproc wait --json fast
  expect 0 null zproc wait none
  zproc wait fast slow >results 3>&- &
  local waiter=$!
  poll_until waits_are_at_least 3 # and those of slow and end
  zproc set go 1
  wait "$waiter"
  [ "$(cat results)" = '{"n":1}
two words' ]
  expect 0 '{"worker":"fast","result":"two words"}' zproc wait --any --json fast end
  zproc wait >all 3>&- &
  waiter=$!
  zproc set end 1
  wait "$waiter"
  [ "$(cat all)" = '{"n":1}
two words
null
null' ]
  run_end 0
  expect 0 "two words" zproc wait fast
}

@test "wait: the first failure ends it with its status, its reason and the end of its stderr" {
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  good: {run: "zproc watch --equal go=1 --timeout 20s >/dev/null; echo fine"}
  bad: {run: "printf 'one\\ntwo \\377\\n' >&2; exit 7", needs: {hold: ready}}
  killed: {run: "kill -KILL $$", needs: {bad: failed}}
  late: {run: sleep 100, timeout: 200ms, needs: {bad: failed}}
  after: {run: "true", needs: [bad]}
  hold: {run: sleep 100, service: true}
END
  run_start
  run -7 --separate-stderr zproc wait good bad
  [ "$output" = "" ]
  [[ $stderr == *"zproc: wait: bad: failed: exit status 7
  one
  two "* ]]
  [ "$(zproc ps --json bad | jq -r .tail)" = "$(printf 'one\ntwo \357\277\275')" ]
  run -137 zproc wait killed
  [[ $output == *SIGKILL* ]]
  run -124 zproc wait late
  run -1 zproc wait after
  [[ $output == *"after: skipped"* ]]
  zproc set go 1
  run -0 --separate-stderr zproc wait --safe good bad after
  [ "${lines[0]}" = '"fine"' ]
  [ "$(jq -r .error.worker,.error.exit,.error.reason,.error.status <<<"${lines[1]}" | xargs)" = "bad 7 exit status 7 failed" ]
  [ "$(jq -r .error.status <<<"${lines[2]}")" = skipped ]
  [ "${#lines[@]}" = 3 ]
  run -7 zproc wait --any bad
  run_end 7
  run -7 zproc wait bad
}

@test "wait: one deadline, then 124; bad usage is 2, what is unknown 125" {
  manifest <<'END'
version: 1
workers:
  a: {run: sleep 100}
  b: {run: echo done}
END
  run_start
  poll_until status_is b succeeded
  expect_error 124 "*1 of 2 had not ended in time*" zproc wait --timeout 100ms
  expect_error 124 "*1 of 1 had not ended*" zproc wait --timeout 0 a
  expect 0 "done" zproc wait --timeout 0 b
  expect 0 "done" zproc wait --any --timeout 5s
  run -124 --separate-stderr zproc wait --safe --timeout 100ms
  [ "$(jq -r .error.status <<<"${lines[0]}")" = ready ]
  [ "${lines[1]}" = '"done"' ]
  expect_error 2 "*'--all' goes without*" zproc wait --all a
  expect_error 2 "*--timeout*" zproc wait --timeout soon a
  expect_error 125 "*no worker 'c'*" zproc wait c
  expect_error 125 "*cannot reach*" zproc -a "ipc://$PWD/nobody" wait a
  kill "$RUN_PID"
  run_end 143
}

@test "wait: who waits when the run ends gets the answer" {
  manifest <<'END'
version: 1
workers:
  last: {run: "zproc watch --equal go=1 --timeout 20s >/dev/null; echo the end"}
  never: {run: "true", start: false}
END
  local i round
  for round in 1 2 3; do
    run_start
    local pids=()
    for i in 1 2 3 4; do
      # No folder to read the records from: only the server's answer counts.
      (cd / && exec zproc -a "$(cat "$OLDPWD/.zproc/address")" wait last) >"last.$i" 2>&1 3>&- &
      pids+=($!)
    done
    zproc wait never >never 2>&1 3>&- &
    local never=$!
    poll_until waits_are_at_least 6 # and the worker's own
    zproc set go 1
    run_end 0
    for i in 1 2 3 4; do
      wait "${pids[i - 1]}"
      [ "$(cat "last.$i")" = "the end" ]
    done
    local status=0
    wait "$never" || status=$?
    [ "$status" = 1 ]
    grep -q "never: skipped" never
    rm -f .zproc/address
  done
}

waits_are_at_least() {
  [ "$(zproc stats --json | jq .waits)" -ge "$1" ]
}

@test "wait: a worker that is restarted has not ended; of a run's own worker too" {
  manifest <<'END'
version: 1
workers:
  flaky: {run: '[ "$ZPROC_ATTEMPT" = 3 ] || exit 1; echo third', retry: {max: 5, delay: 50ms}}
  asks: {run: 'zproc wait flaky'}
END
  sed -i 's/, session: x//' zproc.yaml
  expect 0 "" zproc run --output quiet
  expect 0 third zproc wait asks
}

@test "wait: an instance that is scaled away has ended" {
  manifest <<'END'
version: 1
workers:
  pool: {run: sleep 100, replicas: 2}
END
  run_start
  poll_until status_is pool.1 ready
  zproc wait pool.1 >got 2>&1 3>&- &
  local waiter=$! status=0
  poll_until sh -c '[ "$(zproc stats --json | jq .waits)" -ge 1 ]'
  zproc scale pool=1
  wait "$waiter" || status=$?
  [ "$status" != 0 ]
  grep -q "pool.1: stopped" got
  zproc down
  run_end 0
}

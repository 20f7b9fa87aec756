#!/usr/bin/env bats
# Everything that the Python library of 2018 did, item by item; the names of the tests are the items.

load helper
load run-helper

# run_says STATUS OUTPUT [OPTIONS]: runs zproc.yaml; what workers print, in order.
run_says() {
  local want=$1 text=$2 status=0
  shift 2
  zproc run --output raw "$@" >said 2>err || status=$?
  [ "$status" = "$want" ] || {
    echo "status $status, expected $want"
    cat said err
    return 1
  }
  diff <(echo "$text") said
}

# ---- Context ----

@test 'Context() starts a server at a random address' {
  expect 0 1 zproc run -- sh -c 'zproc set a 1; zproc get a'
  [ "$(zproc run -- printenv ZPROC_ADDRESS)" != "$(zproc run -- printenv ZPROC_ADDRESS)" ]
}

@test 'Context(server_address), several contexts on one server' {
  server_start
  manifest <<END
version: 1
server: {address: "$ZPROC_ADDRESS", external: true}
workers: {w: {run: zproc set from_manifest 1}}
END
  zproc run -q
  zproc run --server "$ZPROC_ADDRESS" -- zproc set from_command 2
  expect 0 $'from_manifest\nfrom_command' zproc keys
}

@test 'Context(wait=True), wait_all(timeout, safe)' {
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  slow: {run: "zproc watch --truthy go >/dev/null; echo 1"}
  quick: {run: echo '"two"'}
  bad: {run: exit 3, needs: [slow]}
  hold: {run: zproc watch --truthy end, service: true}
  last: {run: zproc watch --truthy end >/dev/null, needs: {bad: failed}}
END
  run_start
  poll_until zproc wait --timeout 0.2 quick
  expect_error 124 "*" zproc wait slow quick --timeout 0.1
  zproc set go true
  expect 0 $'1\ntwo' zproc wait slow quick --timeout 10
  expect 3 '1' zproc wait slow bad
  run -0 zproc wait --safe slow bad quick
  [ "${lines[0]}" = 1 ]
  [ "${lines[1]}" = '"two"' ] # in the manifest's order
  [[ ${lines[2]} == '{"error":'*'exit status 3'* ]]
  zproc set end true
  run_end 3
}

@test 'Context(cleanup); close; SIGTERM handler, atexit' {
  manifest <<'END'
version: 1
workers:
  left: {run: "setsid sleep 97531 >/dev/null & echo $! >left.pid", cleanup: false}
  ended: {run: "setsid sleep 97531 >/dev/null & echo $! >ended.pid"}
  stays: {run: "echo $$ >stays.pid; exec sleep 97531", needs: [left, ended]}
END
  run_start
  poll_until test -s stays.pid
  kill -TERM "$RUN_PID"
  run_end 143
  dead "$(cat stays.pid)" "$(cat ended.pid)"
  kill "$(cat left.pid)" # it lives: its worker says so
}

@test 'Context(**process_kwargs)' {
  manifest <<'END'
version: 1
defaults: {env: {A: default}, retry: {max: 1, delay: 0}}
templates: {loud: {env: {B: loud}}}
workers:
  one: {run: 'echo "$A $ZPROC_ATTEMPT"; [ "$ZPROC_ATTEMPT" = 2 ]'}
  two: {run: 'echo "$A $B"', extends: loud, needs: [one]}
END
  run_says 0 $'default 1\ndefault 2\ndefault loud'
}

# ---- Processes ----

@test 'ctx.process, Process(target, args, kwargs)' {
  manifest <<'END'
version: 1
workers:
  shell: {run: 'echo "$0 $1 $2 $K"', args: [a, b c], env: {K: v}}
  argv: {run: [printf, '%s,%s\n'], args: [x, y z], needs: [shell]}
END
  run_says 0 $'shell a b c v\nx,y z'
}

@test 'start=False, start(), stop(), start_all, stop_all' {
  manifest <<'END'
version: 1
workers:
  a: {run: "exec sleep 97531", start: false}
  b: {run: "trap 'exit 5' TERM; zproc set b up; while :; do sleep 0.02; done", start: false}
  keeper: {run: zproc watch --truthy end}
END
  run_start
  poll_until zproc ps keeper
  run -1 zproc ps a
  run -0 zproc start a
  [[ $output =~ ^[0-9]+$ ]]
  run -1 zproc start a
  expect 0 143 zproc stop a
  run -0 zproc start a b
  [ "${#lines[@]}" = 2 ]
  zproc watch --equal b=up >/dev/null
  expect 0 $'143\n5' zproc stop a b
  zproc set end true
  run_end 0
}

@test 'process_factory(*targets, count)' {
  manifest <<'END'
version: 1
workers:
  many: {run: 'echo "r$ZPROC_REPLICA"', replicas: 3}
  mixed: {run: 'echo ${{ matrix.target }}${{ matrix.n }}', matrix: {target: [f, g], n: [1, 2]}, needs: [many]}
  pool: {run: 'zproc set "pool$ZPROC_REPLICA" 1; exec sleep 97531', service: true}
  grow: {run: "zproc scale pool=3 && zproc watch --truthy pool2 >/dev/null", needs: [mixed, pool]}
END
  zproc run --output raw >said 2>err
  diff <(printf '%s\n' f1 f2 g1 g2 r0 r1 r2) <(grep -v '^1$' said | sort)
}

@test 'process_map(map_iter, map_args, args, map_kwargs, kwargs, count, stateful, new)' {
  manifest <<'END'
version: 1
state: {numbers: [1, 2, 3, 4]}
workers:
  squares:
    map: {key: numbers, count: 2}
    run: echo $(( ZPROC_ITEM * ZPROC_ITEM ))
  all:
    map: {items: [1, 2, 3, 4], args: [[a], [b], [c]], env: [{E: x}, {E: y}, {E: z}], count: 2}
    run: [sh, -c, 'echo "\"$1 $2 $3 $E $F\""', sh]
    args: [last]
    env: {F: f}
    needs: [squares]
  show: {run: "zproc -n zproc get squares#/result; zproc -n zproc get all#/result", needs: [squares, all]}
END
  run_says 0 '[1,4,9,16]
["1 a last x f","2 b last y f","3 c last z f"]' --output quiet || :
  zproc run >said 2>err
  grep -F '[1,4,9,16]' said
  grep -F '["1 a last x f","2 b last y f","3 c last z f"]' said
  # shellcheck disable=SC2016
  expect 0 $'1\n4\n9' zproc map -- sh -c 'echo $(( ZPROC_ITEM * ZPROC_ITEM ))' ::: 1 2 3
  # shellcheck disable=SC2016
  expect 0 none zproc map -- sh -c 'echo "$ZPROC_ADDRESS"' ::: 1
  # shellcheck disable=SC2016
  [[ $(zproc map --stateful -- sh -c 'zproc incr n "$1"' sh ::: 5) == 5 ]]
}

@test 'generator of ordered results, computed in the background' {
  mkfifo turn
  # The second item is done first; the first one's output comes first all the same, and at once.
  # shellcheck disable=SC2016
  zproc map -j 2 -- sh -c '[ "$1" = 1 ] && { read -r _ <turn; echo first; } || { echo second; echo >turn; }' sh \
    ::: 1 2 >out
  [ "$(cat out)" = $'first\nsecond' ]
}

@test 'return_task, pull_results_for_task' {
  manifest <<'END'
version: 1
workers:
  main:
    run: |
      task=$(zproc map --task -- sh -c 'echo $(($1 * 2))' sh ::: 1 2 3)
      zproc set task "$task"
      zproc results "$task" >first
      zproc results "$task" >second
END
  zproc run -q
  diff first - <<<$'2\n4\n6'
  diff first second
}

@test 'worker_list reuse, new=True' {
  # One process serves many items within a map, and the next map has one of its own.
  # shellcheck disable=SC2016
  counter='n=0; while read -r _; do n=$((n + 1)); echo "$n"; done'
  expect 0 $'1\n2\n3' zproc map --lines -j 1 -- sh -c "$counter" ::: a b c
  expect 0 1 zproc map --lines -j 1 -- sh -c "$counter" ::: d
}

@test 'wait(timeout) returns the value, ProcessWaitError with exit code' {
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  good: {run: 'echo ''{"a": 1}'''}
  bad: {run: "echo why >&2; exit 9"}
  hold: {run: zproc watch --truthy end}
END
  run_start
  poll_until zproc wait --timeout 1 good
  expect 0 '{"a":1}' zproc wait good
  expect_error 9 "*bad*exit status 9*why*" zproc wait bad
  expect_error 124 "*" zproc wait hold --timeout 0.05
  zproc set end true
  run_end 9
}

@test 'is_alive, pid, exitcode (-N for a signal)' {
  manifest <<'END'
version: 1
run: {fail: keep-going}
workers:
  dies: {run: kill -KILL $$}
  lives: {run: "echo $$ >pid; zproc watch --truthy end"}
END
  run_start
  poll_until test -s pid
  poll_until zproc -n zproc eval --test 'dies.status == "failed"'
  run -0 zproc --json ps lives
  [[ $output == *'"pid":'"$(cat pid)"* ]]
  expect 0 9 zproc -n zproc get 'dies#/signal'
  run -1 zproc ps dies
  zproc set end true
  run_end 137
}

@test 'retry_for, retry_delay, max_retries, retry_args, retry_kwargs' {
  manifest <<'END'
version: 1
workers:
  w:
    run: 'echo "$1 $E"; exit 75'
    args: [first]
    env: {E: a}
    retry: {for: [75], max: 2, delay: 10ms, args: [again], env: {E: b}}
END
  run_says 75 $'first a\nagain b\nagain b'
}

@test 'stateful=False' {
  manifest <<'END'
version: 1
workers: {w: {run: 'echo "$ZPROC_ADDRESS"; zproc get x || echo "status $?"', stateful: false}}
END
  run_says 0 $'none\nstatus 3'
}

@test 'pass_context, nested processes on the same state' {
  manifest <<'END'
version: 1
workers:
  parent:
    run: |
      zproc spawn child -- sh -c 'zproc set child 1; echo spawned'
      zproc wait child
      zproc run --server "$ZPROC_ADDRESS" -- zproc incr child
      zproc get child
END
  zproc run --output raw >said 2>err
  grep -q spawned said
  [ "$(tail -n 1 said)" = 2 ]
}

@test 'namespace, State.fork(namespace=…)' {
  manifest <<'END'
version: 1
workers:
  a: {run: zproc set k a, namespace: one}
  b: {run: zproc set k b, namespace: two}
  c: {run: "zproc -n one get k; zproc -n two get k; zproc has k || echo none", needs: [a, b]}
END
  run_says 0 $'a\nb\nfalse\nnone'
}

@test 'secret_key="muchsecret"' {
  server_start --secret-key muchsecret
  expect 0 1 zproc --secret-key muchsecret incr n
  expect 4 "" zproc -q --secret-key suchsecret get n
  expect 0 5 zproc run -q --secret-key muchsecret -- sh -c 'zproc incr n 5'
}

@test 'backend' {
  manifest <<'END'
version: 1
launchers: {marked: {run: [env, LAUNCHED=yes]}}
workers: {w: {run: 'echo "$LAUNCHED"; exit 3', launcher: marked}}
END
  run_says 3 yes
}

# ---- State ----

@test 'dict API: in del == [] iter len != []= clear copy get items keys pop popitem setdefault update values, set' {
  server_start
  zproc set a 1
  expect 0 true zproc has a
  expect 0 true zproc eval 'state == {"a": 1}'
  expect 0 false zproc eval 'state != {"a": 1}'
  expect 0 1 zproc get a
  zproc update b=2 c=3
  expect 0 $'a\nb\nc' zproc keys
  expect 0 3 zproc len
  expect 0 '{"a":1,"b":2,"c":3}' zproc get
  expect 0 $'["a",1]\n["b",2]\n["c",3]' zproc items
  expect 0 $'1\n2\n3' zproc values
  expect 0 1 zproc pop a
  expect 0 '["c",3]' zproc popitem
  expect 0 9 zproc setdefault d 9
  expect 0 2 zproc setdefault b 9
  zproc del b
  expect 1 false zproc has b
  zproc clear
  expect 0 0 zproc len
  zproc replace '{"z": 1}'
  expect 0 '{"z":1}' zproc get
}

# after OUTPUT OPTIONS: the next event behind revision 1.
after() {
  local want=$1
  shift
  expect 0 "$want" zproc watch --after 1 --next --timeout 5 "$@"
}

@test 'get_when_change(*keys, exclude, live, timeout, duplicate_okay)' {
  server_start
  zproc update a=1 b=1
  zproc set a 2
  zproc set a 2
  zproc set b 2
  after 2 a
  expect 0 $'2\n2' zproc watch a --after 1 --duplicates --count 2
  run -0 zproc watch --exclude a --after 1
  [[ $output == *'"key":"b"'* ]]
  expect 124 "" zproc -q watch a b --live --timeout 0.05
}

@test 'get_when, _equal, _not_equal, _none, _not_none, _available' {
  server_start
  zproc set n 1
  zproc set n 2
  zproc set n null
  zproc set m 0
  after 2 --equal n=2
  after 2 --not-equal n=1
  after null --none n
  after 2 --not-none n
  after 0 --available m
  run -0 zproc watch --when 'n == 2' --after 1 --timeout 5
  [[ $output == *'"rev":2,'* ]]
}

@test 'call_when_* (a process that runs a function at each event with the snapshot)' {
  manifest <<'END'
version: 1
state: {n: 0}
workers:
  each: {trigger: {change: [n]}, run: 'echo "run $ZPROC_VALUE $(cat)"'}
  w: {run: "zproc incr n >/dev/null; zproc incr n >/dev/null"}
END
  run_says 0 $'run 1 {"n":1}\nrun 2 {"n":2}'
  server_start
  zproc set k 1
  zproc set k 2
  # shellcheck disable=SC2016
  expect 0 $'1 {"k":1}\n2 {"k":2}' zproc watch k --after 0 --count 2 -- sh -c 'echo "$ZPROC_VALUE $(cat)"'
}

@test 'get_raw_update → (old, new, identical)' {
  server_start
  zproc set k 1
  zproc set k 2
  zproc set k 2
  run -0 zproc events --after 1 --count 2 --duplicates
  [[ ${lines[0]} == *'"key":"k","old":1,"value":2'*'"identical":false'* ]]
  [[ ${lines[1]} == *'"identical":true'* ]]
}

@test 'snapshots' {
  server_start
  zproc set a 1
  zproc set b 2
  zproc set a 3
  expect 0 '{"a":1,"b":2}' zproc watch b --after 0 --print snapshot
  expect 0 '{"a":1}' zproc get --at 1
}

@test 'buffered and live, go_live()' {
  server_start
  expect_error 124 "*" zproc watch k --session s --timeout 0
  for i in 1 2 3; do zproc set k "$i"; done
  expect 0 1 zproc watch k --session s
  expect_error 124 "*" zproc watch k --session s --live --timeout 0
  zproc set k 4
  zproc set k 5
  zproc go-live --session s
  expect_error 124 "*" zproc watch k --session s --timeout 0
}

@test 'TimeoutError' {
  server_start
  expect 124 "" zproc -q watch k --timeout 0.05
}

@test 'KeyError-safe watchers' {
  server_start
  zproc watch --when 'missing.part == 1' --timeout 10 >out 2>err 3>&- &
  local pid=$!
  poll_until waits_are 1
  zproc set other 1
  zproc set missing 5
  zproc set missing '{"part": 1}'
  wait "$pid"
  [[ $(cat out) == *'"missing"'* ]]
}

@test 'atomic, its return value, no change on an error' {
  server_start
  zproc set a 1
  expect 0 2 zproc atomic 'a = a + 1'
  expect 1 "" zproc -q atomic 'a = 9; b = nothing + 1'
  expect 0 2 zproc get a
  # shellcheck disable=SC2016
  expect 0 result zproc atomic -- sh -c 'sed "s/2/3/"; echo result >&3'
  expect 0 3 zproc get a
  expect 7 "" zproc -q atomic -- sh -c 'echo "{}"; exit 7'
  expect 0 3 zproc get a
}

# ---- Server ----

@test 'ping(timeout, sent_payload)' {
  server_start
  expect 0 "$(pgrep -P "$SERVER_PID" -x zproc-server || echo "$SERVER_PID")" zproc ping --payload x --timeout 5
}

@test 'start_server(address)' {
  server_start --address "ipc://$PWD/socket"
  [ "$ZPROC_ADDRESS" = "ipc://$PWD/socket" ]
  expect 0 1 zproc incr n
}

@test 'ipc and tcp addresses; ipc by default' {
  server_start
  [[ $ZPROC_ADDRESS == ipc://* ]]
  expect 0 1 zproc incr n
  server_stop
  server_start --address 'tcp://127.0.0.1:0'
  [[ $ZPROC_ADDRESS == tcp://127.0.0.1:* ]]
  expect 0 1 zproc incr n
  server_stop
  server_start --address "ipc://@zproc-test-$$"
  expect 0 1 zproc incr n
}

# ---- Failures ----

@test 'signal_to_exception, SignalException' {
  manifest <<'END'
version: 1
workers:
  w: {run: '[ "$ZPROC_ATTEMPT" = 2 ] || kill -TERM $$; echo again', retry: {for: [SIGTERM], max: 1, delay: 0}}
END
  run_says 0 again
}

@test 'RemoteException' {
  manifest <<'END'
version: 1
workers: {w: {run: "echo 'Traceback: it went wrong' >&2; exit 4"}}
END
  zproc run >out 2>err && return 1
  grep -q "exit status 4" err
  grep -q "Traceback: it went wrong" err
}

# ---- Faults of the original that must not come back ----

@test 'fault: whole-state replace wakes nobody' {
  server_start
  zproc set k 1
  zproc watch k >out 3>&- &
  local pid=$!
  poll_until waits_are 1
  zproc replace '{"k": 2}'
  wait "$pid"
  [ "$(cat out)" = 2 ]
}

@test 'fault: a killed atomic holder hangs the server' {
  server_start
  zproc atomic -- sh -c 'echo $$ >holder; exec sleep 97531' 2>/dev/null 3>&- &
  local pid=$!
  poll_until test -s holder
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || :
  expect 0 1 timeout 10 zproc incr n
  poll_until dead "$(cat holder)" || kill "$(cat holder)"
}

@test 'fault: buffers drop the oldest events without a word' {
  server_start --log-limit 1MiB
  expect_error 124 "*" zproc watch --session s --timeout 0
  local big
  big=$(head -c 60000 /dev/zero | tr '\0' x)
  for i in $(seq 40); do zproc set -s k -- "$big$i"; done
  expect_error 5 "*revisions have fallen off the log*" zproc watch k --session s --timeout 5
}

@test 'fault: clients block forever on a dead server or a wrong key' {
  server_start
  kill -KILL "$SERVER_PID"
  wait "$SERVER_PID" 2>/dev/null || :
  pkill -KILL -f "zproc-server.*${ZPROC_ADDRESS#ipc://}" || :
  expect 3 "" timeout 10 zproc -q get k
}

@test 'fault: call_when_equal spins while the value stays true' {
  manifest <<'END'
version: 1
state: {k: 0}
workers:
  t: {trigger: {equal: {k: 1}}, run: echo hit}
  w: {run: "zproc set k 1; zproc set other 1; zproc set k 1; zproc set k 0; zproc set k 1"}
END
  run_says 0 $'hit\nhit'
}

@test "fault: a namespace that is another's prefix receives its events" {
  server_start
  zproc -n ab set k 1
  expect 124 "" zproc -q -n a watch --after 0 --timeout 0
  run -0 zproc -n ab watch --after 0 --timeout 0
}

@test 'fault: results lost in a shutdown race' {
  for i in 1 2 3 4 5; do
    expect 0 "$(seq 50)" zproc map -j 8 -- echo ::: $(seq 50)
  done
}

@test 'fault: socket files left behind' {
  export XDG_RUNTIME_DIR=$PWD/runtime
  mkdir -m 700 runtime
  zproc run -- true
  zproc run -q -- sh -c 'kill -KILL $PPID' || :
  zproc run -q -- false || :
  poll_until sh -c '[ -z "$(find runtime -type s)" ]'
}

@test 'fault: a second bind takes a live address over' {
  server_start --address "ipc://$PWD/socket"
  zproc set k first
  expect_error 1 "*a server is running at*" zproc server --address "$ZPROC_ADDRESS"
  expect 0 first zproc get k
}

@test 'fault: reads publish events' {
  server_start
  zproc set k 1
  zproc get k
  zproc keys
  zproc eval k
  expect 124 "" zproc -q watch --after 1 --duplicates --timeout 0
}

# ---- From its later versions ----

@test 'later: when_truthy/falsy' {
  server_start
  zproc set k 0
  zproc set k 3
  zproc set k '[]'
  after 3 --truthy k
  after '[]' --falsy k
}

@test 'later: iterating watchers with a count' {
  server_start
  for i in 1 2 3; do zproc set k "$i"; done
  expect 0 $'1\n2' zproc watch k --after 0 --count 2
}

@test 'later: start from revision 0 (time travel)' {
  server_start
  zproc set k 1
  zproc set k 2
  expect 0 $'1\n2' zproc watch k --after 0 --count 2
  expect 0 1 zproc get k --at 1
}

@test 'later: built-in increase' {
  server_start
  expect 0 5 zproc incr n 5
}

@test 'later: decrease and append' {
  server_start
  zproc set n 5
  expect 0 3 zproc incr n -2
  zproc set l '[1]'
  expect 0 '[1,2]' zproc append l 2
}

@test 'later: resizable pools' {
  manifest <<'END'
version: 1
workers:
  pool: {run: "exec sleep 97531", service: true, replicas: 2}
  hold: {run: zproc watch --truthy end}
END
  run_start
  poll_until zproc ps pool.1
  zproc scale pool=4
  poll_until zproc ps pool.3
  zproc scale pool=1
  poll_until sh -c '! zproc -q ps pool.1 >/dev/null 2>&1'
  zproc ps pool.0
  zproc set end true
  run_end 0
}

@test 'later: nested paths' {
  server_start
  zproc set config '{"db": {"host": "a"}}'
  expect 0 a zproc get config#/db/host
  zproc set config#/db/port 5432
  expect 0 '{"db":{"host":"a","port":5432}}' zproc get config
}

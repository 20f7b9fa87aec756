#!/usr/bin/env bats
# `zproc run`: what a user of a manifest can rely on, from the outside.

load helper
load run-helper

# ---- A command without manifest ----

@test "run -- CMD: its output unprefixed, the state is there, no summary" {
  expect 0 42 zproc run -- sh -c 'zproc set a 1; zproc incr a 41 >/dev/null; zproc get a'
  [ ! -s "$BATS_TEST_TMPDIR/stderr" ]
  [ ! -e .zproc ]
}

@test "run -- CMD: status and standard input are the command's" {
  expect 7 "" zproc run -- sh -c 'exit 7'
  grep -q "exit status 7" "$BATS_TEST_TMPDIR/stderr"
  [ "$(echo hello | zproc run -- cat)" = hello ]
  expect 143 "" zproc run -- sh -c 'kill -TERM $$'
}

@test "run -- CMD: a command that cannot run is 127 or 126" {
  expect_error 127 "*no-such-command*" zproc run -- no-such-command
  touch plain
  expect_error 126 "*plain*" zproc run -- ./plain
}

@test "run: bad usage is 2" {
  expect_error 2 "*no command behind*" zproc run --
  expect_error 2 "*fast, finish, keep-going*" zproc run --fail never
  expect_error 2 "*prefix, group*" zproc run --output loud
  expect_error 2 "*--var NAME=VALUE*" zproc run --var x
}

# ---- Manifests: problems ----

@test "check: says that it is fine, or what is wrong, with a caret; run does the same" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: "true"}
  b: {run: "true", nedes: [a]}
  c: {run: "true", needs: [nobody]}
EOF
  expect_error 2 "zproc.yaml:4:20: *'nedes'*did you mean 'needs'*^*zproc: zproc.yaml: 2 problems" zproc check
  expect_error 2 "*nobody*" zproc run
  sed -i 's/nedes/needs/; /nobody/d' zproc.yaml
  expect 0 "zproc.yaml: ok, 2 workers" zproc check
  expect_error 2 "*no-such-file*" zproc run -f no-such-file.yaml
}

@test "check: -q says nothing when all is well; what has no effect is refused" {
  manifest <<'EOF'
version: 1
workers: {w: {run: 'true'}}
EOF
  expect 0 "zproc.yaml: ok, 1 worker" zproc check
  expect 0 "" zproc check -q
  expect_error 2 "*'--verbose' is not supported yet*" zproc check -v
  expect_error 2 "*'--verbose' is not supported yet*" zproc run -v
  expect_error 2 "*'--json' is not supported yet*" zproc check --json
  expect_error 2 "*'--namespace' has no meaning here*" zproc run -n other
}

@test "a folder that cannot be written to is named, and what to do" {
  manifest <<'EOF'
version: 1
workers: {w: {run: 'true'}}
EOF
  touch .zproc
  expect_error 125 "*run.dir*'*/.zproc'*" zproc run
}

@test "--dry-run shows the order and starts nothing" {
  manifest <<'EOF'
version: 1
workers:
  second: {run: touch x, needs: [first]}
  first: {run: touch y}
EOF
  run -0 zproc run --dry-run
  [[ ${lines[0]} == first* ]]
  [[ ${lines[1]} == second*"after first succeeded"* ]]
  [ ! -e x ]
  [ ! -e y ]
}

# ---- Graphs ----

@test "needs are kept in order; a failure skips what needs it, with the chain of reasons" {
  manifest <<'EOF'
version: 1
workers:
  c: {run: echo c >>order, needs: [b]}
  b: {run: echo b >>order, needs: [a]}
  a: {run: echo a >>order}
EOF
  run -0 zproc run
  [ "$(cat order)" = $'a\nb\nc' ]
  manifest <<'EOF'
version: 1
workers:
  a: {run: exit 7}
  b: {run: touch never, needs: [a]}
  c: {run: touch never, needs: [b]}
EOF
  run -7 --separate-stderr zproc run
  [ ! -e never ]
  [[ $stderr == *"exit status 7"* ]]
  [[ $stderr == *c*skipped*b*a* ]]
  [[ $stderr == *"1 failed, 2 skipped in "* ]]
}

@test "a service is ready, is used, and is stopped last" {
  manifest <<'EOF'
version: 1
workers:
  oven:
    run: |
      trap 'zproc get cookies >at_end; exit 0' TERM
      zproc set temp 200
      while :; do sleep 0.05; done
    service: true
    ready: {when: temp >= 200, timeout: 10s}
  baker: {run: zproc set cookies 3, needs: {oven: ready}}
EOF
  run -0 zproc run
  [ "$(cat at_end)" = 3 ]
}

@test "readiness by command: who needs it waits until the command succeeds" {
  manifest <<'EOF'
version: 1
workers:
  web: {run: 'until test -e go; do zproc watch --timeout 0.05 || :; done; touch port; exec sleep 1000', service: true,
        ready: {exec: test -e port, every: 50ms, timeout: 20s}}
  go: {run: touch go}
  user: {run: test -e port, needs: [web]}
EOF
  run -0 zproc run
}

@test "readiness by tcp: who needs it can connect" {
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  manifest <<EOF
version: 1
workers:
  web: {run: [python3, -m, http.server, --bind, 127.0.0.1, "$port"], service: true,
        ready: {tcp: "127.0.0.1:$port", every: 50ms, timeout: 20s}}
  user:
    needs: [web]
    run: [python3, -c, "import socket; socket.create_connection(('127.0.0.1', $port))"]
EOF
  run -0 zproc run
}

@test "retries: ZPROC_ATTEMPT counts, a late success is flaky" {
  manifest <<'EOF'
version: 1
workers:
  luck: {run: 'echo attempt $ZPROC_ATTEMPT; test $ZPROC_ATTEMPT = 3', retry: {max: 5, delay: 0}}
EOF
  run -0 zproc run
  [ "$(log_of luck)" = $'attempt 1\nattempt 2\nattempt 3' ]
  [[ $output == *"3 (flaky)"* ]]
}

@test "args and env change from the first retry on" {
  manifest <<'EOF'
version: 1
workers:
  w:
    run: 'echo "$0 $1 $V"; test "$V" = late'
    args: [one]
    env: {V: early}
    retry: {max: 1, delay: 0, args: [two], env: {V: late}}
EOF
  run -0 zproc run
  [ "$(log_of w)" = $'w one early\nw two late' ]
}

@test "a timeout is 124" {
  manifest <<'EOF'
version: 1
workers:
  slow: {run: sleep 60, timeout: 100ms}
EOF
  run -124 zproc run
  [[ $output == *timeout* ]]
}

@test "a missing command of a worker is 127, one that cannot run 126, with its path" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: [./nothing-here]}
EOF
  run -127 zproc run
  [[ $output == *nothing-here* ]]
  touch nothing-here
  run -126 zproc run
}

@test "fail: fast stops the rest, finish lets it end, keep-going goes on" {
  manifest <<'EOF'
version: 1
workers:
  bad: {run: 'while [ ! -e long-runs ]; do sleep 0.01; done; exit 3'}
  long: {run: 'touch long-runs; zproc watch --when "end == true" --timeout 20s; touch long-ended'}
  after: {run: touch after-ran, needs: {bad: ended}}
  later: {run: touch later-ran; zproc set end true, needs: {bad: failed}}
EOF
  run -3 zproc run --fail fast
  [ ! -e long-ended ]
  [[ $output == *long*stopped* ]]
  rm -f ./*-ran ./*-ended long-runs
  run -3 zproc run --fail keep-going
  [ -e long-ended ]
  [ -e after-ran ]
  [ -e later-ran ]
  rm -f ./*-ran ./*-ended long-runs
  sed -i 's/--when "end == true" --timeout 20s/x --timeout 300ms || :/' zproc.yaml
  run -3 zproc run --fail finish
  [ -e long-ended ]
  [ ! -e after-ran ]
}

@test "-j limits the jobs that run at once" {
  manifest <<'EOF'
version: 1
defaults:
  run: |
    n=$(zproc incr running)
    test $n -le 2 || zproc set too_many true
    sleep 0.05
    zproc incr running -- -1
workers: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}}
EOF
  printf 'version: 1\nworkers:\n' >zproc.yaml
  for w in a b c d e f; do
    printf '  %s: {run: "n=$(zproc incr running); test $n -le 2; sleep 0.05; zproc incr running -- -1"}\n' $w
  done >>zproc.yaml
  run -0 zproc run -j 2
}

@test "only the workers that are named, and what they need" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: touch a}
  b: {run: touch b, needs: [a]}
  c: {run: touch c}
EOF
  run -0 zproc run b
  [ -e a ]
  [ -e b ]
  [ ! -e c ]
}

# ---- State ----

@test "the initial state is set before anything starts; namespaces" {
  manifest <<'EOF'
version: 1
state: {cookies: 5, name: "x"}
namespaces: {other: {deep: {a: 1}}}
workers:
  a: {run: 'test "$(zproc get cookies)" = 5'}
  b: {run: 'test "$(zproc get "deep#/a")" = 1', namespace: other}
EOF
  run -0 zproc run
}

@test "fifty workers increment: exactly 50" {
  printf 'version: 1\nworkers:\n' >zproc.yaml
  names=
  for i in $(seq 50); do
    printf '  w%d: {run: zproc incr count}\n' "$i"
    names="$names, w$i"
  done >>zproc.yaml
  printf '  end: {run: "test $(zproc get count) = 50", needs: [%s]}\n' "${names#, }" >>zproc.yaml
  run -0 zproc run
}

@test "slow read-modify-writes with cas lose nothing" {
  manifest <<'EOF'
version: 1
state: {n: 0}
workers:
  w:
    replicas: 10
    run: |
      until n=$(zproc get n); sleep 0.01; zproc cas n $n $((n + 1)) 2>/dev/null; do :; done
  end: {run: 'test $(zproc get n) = 10', needs: [w]}
EOF
  run -0 zproc run
}

@test "a loop over watch sees each of 1,000 increments of another worker" {
  manifest <<'EOF'
version: 1
workers:
  maker: {run: 'i=0; while [ $i -lt 1000 ]; do zproc incr peanuts >/dev/null; i=$((i + 1)); done'}
  eater:
    run: |
      seen=0
      while n=$(zproc watch peanuts --timeout 10s); do
        seen=$((seen + 1))
        test $n -eq $seen
        test $n -lt 1000 || exit 0
      done
      exit 9
EOF
  run -0 zproc run
}

@test "with --live a slow reader sees fewer, and the newest" {
  manifest <<'EOF'
version: 1
workers:
  maker: {run: 'i=0; until [ $i -ge 200 ] && [ -e seen ]; do zproc incr peanuts >/dev/null; i=$((i + 1)); done; touch over'}
  eater:
    run: |
      seen=0
      while [ ! -e over ]; do
        n=$(zproc watch peanuts --live --timeout 500ms) || continue
        seen=$((seen + 1)); last=$n
        touch seen; sleep 0.05
      done
      test $seen -gt 0
      test $seen -lt 200
      test $last -gt $seen
EOF
  run -0 zproc run
}

@test "a worker that is killed before it acknowledges gets the event again" {
  manifest <<'EOF'
version: 1
workers:
  eater:
    retry: {max: 1, delay: 0}
    run: |
      if [ $ZPROC_ATTEMPT = 1 ]; then
        zproc watch k >/dev/full && exit 1
        kill -KILL $$
      fi
      test "$(zproc watch k --timeout 20s)" = 1
  maker: {run: zproc set k 1}
EOF
  run -0 zproc run
}

@test "when: waits for a condition; records of what happens are in the namespace zproc" {
  manifest <<'EOF'
version: 1
workers:
  celebrate: {run: echo done, when: cookies >= 3}
  baker: {run: 'for i in 1 2 3; do zproc incr cookies >/dev/null; done; zproc watch -n zproc --when "celebrate.status == \"succeeded\"" --timeout 20s >/dev/null'}
EOF
  run -0 zproc run
  [ "$(log_of celebrate)" = done ]
}

@test "a when on a missing key is pointed out on a terminal" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: "true", when: cokies == 1}
  j: {run: "until grep -q 'waiting: no key .cokies. yet' terminal; do sleep 0.05; done; zproc set cokies 1", timeout: 20s}
EOF
  run -0 script -qfec "zproc run" terminal
}

@test "more conditions than a connection may wait for all come about" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: ["true"], replicas: 1200, when: go == 1}
  j: {run: 'zproc watch -n zproc --when "state[\"w.1023\"].status == \"waiting\"" >/dev/null; zproc set go 1'}
EOF
  run -0 zproc run
  [[ $output == *"1201 succeeded"* ]]
}

@test "a result is the last line of stdout, and needs can use it" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: 'echo noise; echo "{\"x\": [1, 2]}"'}
  b: {run: 'echo "${{ needs.a.result.x[1] }} ${{ needs.a.status }}"', needs: [a]}
  c: {run: 'printf "no newline"'}
  d: {run: 'test "$(zproc get -n zproc c#/result)" = "no newline"', needs: [c]}
EOF
  run -0 zproc run
  [ "$(log_of b)" = "2 succeeded" ]
}

@test "stateful: false has no server; names of the environment; precedence" {
  manifest <<'EOF'
version: 1
vars: {who: world}
env: {A: manifest, B: manifest, GONE: null}
workers:
  w:
    replicas: 2
    env: {B: worker, C: "${{ env.A }}-${{ vars.who }}"}
    run: 'echo "$A $B $C ${GONE-unset} $INHERITED $ZPROC_WORKER $ZPROC_REPLICA $ZPROC_NAMESPACE"; test -n "$ZPROC_SESSION"; test -n "$ZPROC_RUN"'
  free: {stateful: false, run: 'test "$ZPROC_ADDRESS" = none; test -z "${ZPROC_SESSION:-}"'}
EOF
  GONE=x INHERITED=yes run -0 zproc run --var who=moon
  [ "$(log_of w.1)" = "manifest worker manifest-moon unset yes w 1 default" ]
}

@test "--server uses a server that is there, and leaves it there" {
  server_start
  manifest <<'EOF'
version: 1
state: {a: 1}
workers:
  w: {run: zproc incr a}
EOF
  address=$ZPROC_ADDRESS
  unset ZPROC_ADDRESS
  run -0 zproc run --server "$address"
  [ "$(zproc -a "$address" get a)" = 2 ]
  [ "$(zproc -a "$address" get -n zproc w#/status)" = succeeded ]
}

@test "the address is recorded while it runs, and removed" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: zproc watch --when 'go == true'}
EOF
  run_start
  poll_until test -s .zproc/address
  socket=$(sed 's,ipc://,,' .zproc/address)
  [ -S "$socket" ]
  [ "$(stat -c %a "$socket")" = 600 ]
  poll_until zproc set go true
  run_end 0
  [ ! -e .zproc/address ]
  [ ! -e "$socket" ]
  [ "$(cat .zproc/.gitignore)" = "*" ]
}

@test "server.address: a stale socket is replaced, a live one and a file are refused" {
  manifest <<'EOF'
version: 1
server: {address: ipc://here.sock}
workers:
  w: {run: zproc set a 1}
EOF
  python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("here.sock")'
  run -0 zproc run
  [ ! -e here.sock ]
  echo precious >here.sock
  run zproc run
  [ "$status" -ne 0 ]
  [[ $output == *"not a socket"* ]]
  [ "$(cat here.sock)" = precious ]
  rm here.sock
  server_start --address "ipc://$PWD/here.sock"
  unset ZPROC_ADDRESS
  run zproc run
  [ "$status" -ne 0 ]
  [[ $output == *"running at"* ]]
  zproc -a "ipc://$PWD/here.sock" ping
}

# ---- Triggers ----

@test "a job that sets a trigger's key three times has had it run three times" {
  manifest <<'EOF'
version: 1
workers:
  want_pizza:
    trigger: {change: [num_pizza]}
    run: 'echo "$ZPROC_KEY $ZPROC_VALUE [$ZPROC_DELETED]"; cat'
  baker: {run: 'zproc set num_pizza 1; zproc set num_pizza "\"two\""; zproc del num_pizza'}
EOF
  run -0 zproc run
  [ "$(log_of want_pizza)" = $'num_pizza 1 []\n{"num_pizza":1}\nnum_pizza two []\n{"num_pizza":"two"}\nnum_pizza  [1]\n{}' ] || {
    log_of want_pizza
    return 1
  }
  [[ $output == *"3 runs"* ]]
  [ -z "$(find .zproc -name '*.snapshot')" ]
}

@test "triggers on a prefix, on truth and its contrary" {
  manifest <<'EOF'
version: 1
workers:
  a:
    run: |
      zproc set jobs 1; zproc set job.7 x; zproc set on 2; zproc set on 3; zproc set on '""'; zproc set on false
  b: {trigger: {prefix: job.}, run: 'echo "$ZPROC_KEY is $ZPROC_VALUE"'}
  c: {trigger: {truthy: on}, run: 'echo "on: $ZPROC_VALUE"'}
  d: {trigger: {falsy: on}, run: 'echo "off: $ZPROC_VALUE."'}
EOF
  run -0 zproc run
  [ "$(log_of b)" = "job.7 is x" ]
  [ "$(log_of c)" = "on: 2" ]
  [ "$(log_of d)" = "off: ." ]
}

@test "a trigger's long value comes as a file" {
  manifest <<'EOF'
version: 1
workers:
  t:
    trigger: {change: [big]}
    run: 'test -z "$ZPROC_VALUE"; wc -c <"$ZPROC_VALUE_FILE"'
  w: {run: 'head -c 100000 /dev/zero | tr "\0" x | zproc set big -'}
EOF
  run -0 zproc run
  [ "$(log_of t)" = 100000 ]
}

@test "what a trigger causes is worked off before the run ends" {
  manifest <<'EOF'
version: 1
workers:
  one: {trigger: {change: [a]}, run: zproc incr b}
  two: {trigger: {change: [b]}, run: zproc incr c}
  three: {trigger: {equal: {c: 2}}, run: touch reached}
  job: {run: zproc incr a; zproc incr a}
EOF
  run -0 zproc run
  [ -e reached ]
}

# ---- Output ----

@test "output: prefix, raw, quiet, failed, group, json" {
  manifest <<'EOF'
version: 1
workers:
  good: {run: 'echo one; printf two'}
  oven_bad: {run: 'echo three; exit 1', needs: [good]}
EOF
  expect 1 $'good     | one\ngood     | two\noven_bad | three' zproc run
  expect 1 $'one\ntwothree' zproc run --output raw
  expect 1 "" zproc run --output quiet
  expect 1 "oven_bad | three" zproc run --output failed
  expect 1 $'good     | one\ngood     | two\noven_bad | three' zproc run --output group
  zproc run --output json >lines 2>/dev/null || :
  [ "$(sed 's/,"time":[0-9]*//' lines)" = '{"worker":"good","stream":"stdout","line":"one"}
{"worker":"good","stream":"stdout","line":"two"}
{"worker":"oven_bad","stream":"stdout","line":"three"}' ]
  # Logs hold every byte as it came.
  [ "$(log_of good)" = $'one\ntwo' ]
}

@test "--json: the summary as JSON" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: echo 9007199254740993}
EOF
  zproc run --json >summary 2>err
  [[ $(cat summary) == *'"name":"w","status":"succeeded"'*'"result":9007199254740993'* ]]
}

@test "the logs of the last 20 runs are kept" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: echo hello}
EOF
  mkdir -p .zproc/logs/mine
  for _ in $(seq 60); do
    zproc run -q >out 2>err
    [ "$(log_of w)" = hello ] # runs of one second have no order
  done
  [ "$(find .zproc/logs -name w.log | wc -l)" = 20 ]
  [ -d .zproc/logs/mine ]
}

@test "a run is found from its folder also when shorter ones have run there meanwhile" {
  manifest <<'EOF'
version: 1
workers:
  w: {when: 'go == true', run: 'true'}
EOF
  run_start
  poll_until zproc set mine 1
  echo "version: 1
workers: {w: {run: 'zproc -a \"\$(cat .zproc/address)\" has mine'}}" >short.yaml
  run -1 zproc run -q -f short.yaml # newer, so that it is the one that is found
  expect 0 1 zproc get mine
  zproc run -- sh -c 'zproc -a "$(cat .zproc/address)" get mine' # a single command stays in the background
  expect 0 1 zproc get mine
  zproc set go true
  run_end 0
  [ ! -e .zproc/address ]
}

@test "a run whose server stands still for a while is found from its folder afterwards" {
  manifest <<'EOF'
version: 1
workers:
  w: {when: 'go == true', run: 'true'}
EOF
  run_start
  poll_until zproc set mine 1
  local server
  server=$(zproc ping)
  echo "version: 1
workers: {w: {run: 'true'}}" >short.yaml
  kill -STOP "$server"
  zproc run -q -f short.yaml
  kill -CONT "$server"
  expect 0 1 zproc get mine
  zproc set go true
  run_end 0
}

@test "the folder of a run stays while it goes on, whatever runs meanwhile" {
  manifest <<'EOF'
version: 1
workers:
  w: {when: ended, run: echo hello}
  big: {trigger: {change: [big]}, run: 'wc -c <"$ZPROC_VALUE_FILE"; zproc set ended true'}
EOF
  run_start
  poll_until test -s .zproc/address
  mine=$(readlink -f .zproc/logs/latest)
  echo "version: 1
workers: {w: {run: 'true'}}" >short.yaml
  for _ in $(seq 25); do
    zproc run -q -f short.yaml
  done
  [ -d "$mine" ]
  head -c 100000 /dev/zero | tr '\0' x | zproc set big -
  run_end 0
  grep -q "big | 100000" out
  [ "$(log_of w "$mine")" = hello ]
  zproc run -q -f short.yaml
  [ ! -e "$mine" ]
}

@test "bytes that are no UTF-8, NUL and a flood all arrive in the log" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'head -c 30000000 /dev/urandom | tee sent', log: {timestamps: false, max_size: 0}}
EOF
  run -0 zproc run --output quiet
  cmp sent .zproc/logs/latest/w.log
}

@test "a reader that stops reading does not stop a signal" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'yes; exit 0', stop: {grace: 1s}}
EOF
  mkfifo pipe
  exec 7<>pipe
  zproc run >pipe 2>err 3>&- 7>&- &
  RUN_PID=$!
  poll_until test -s .zproc/logs/latest/w.log
  kill -TERM "$RUN_PID"
  run_end 143
  exec 7>&-
}

@test "output of a closed reader is dropped, the run goes on" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'yes | head -n 100000; touch end'}
EOF
  zproc run 2>err | head -n 1 >out
  [ -e end ]
}

# ---- Signals and faults ----

stoppable() {
  manifest <<'EOF'
version: 1
workers:
  first: {service: true, run: 'trap "echo first >>order; exit 0" TERM; touch first.up; while :; do sleep 0.02; done', ready: {exec: test -e first.up, every: 20ms}}
  second: {run: 'trap "echo second >>order; exit 0" TERM; touch up; while :; do sleep 0.02; done', needs: [first]}
EOF
}

@test "SIGINT is 130, SIGTERM 143, in reverse order of needs" {
  stoppable
  run_start
  poll_until test -e up
  kill -INT "$RUN_PID"
  run_end 130
  [ "$(cat order)" = $'second\nfirst' ]
  rm first.up up order
  run_start
  poll_until test -e up
  kill -TERM "$RUN_PID"
  run_end 143
  [ "$(cat order)" = $'second\nfirst' ]
}

@test "grace, then SIGKILL; a second signal kills at once" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'trap ": >termed" TERM; touch up; while :; do sleep 0.02 || :; done', stop: {grace: 1s}}
EOF
  run_start
  poll_until test -e up
  kill -TERM "$RUN_PID"
  run_end 143
  [ -e termed ]
  rm up termed
  sed -i 's/grace: 1s/grace: 1h/' zproc.yaml
  run_start
  poll_until test -e up
  kill -TERM "$RUN_PID"
  poll_until test -e termed
  kill -TERM "$RUN_PID"
  run_end 143
}

@test "a stop command of one's own" {
  manifest <<'EOF'
version: 1
workers:
  w: {service: true, run: 'zproc watch --when "enough == true" >/dev/null; touch asked', stop: {run: zproc set enough true, grace: 10s}}
  j: {run: "true", needs: {w: started}}
EOF
  run -0 zproc run
  [ -e asked ]
}

daemons() {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'setsid sh -c "echo \$\$ >daemon; exec sleep 1000" & echo $$ >worker; wait', stop: {grace: 200ms}}
EOF
  run_start
  poll_until test -s daemon
  poll_until test -s worker
  LEFT="$(cat daemon) $(cat worker)"
}

@test "a daemon that a worker leaves is ended with it" {
  daemons
  kill -TERM "$RUN_PID"
  run_end 143
  # shellcheck disable=SC2086
  dead $LEFT
}

@test "kill -9 of the supervisor leaves nothing alive, not even daemons" {
  daemons
  socket=$(sed 's,ipc://,,' .zproc/address)
  kill -KILL "$(supervisor)"
  run_end 125
  # shellcheck disable=SC2086
  dead $LEFT
  grep -q "supervisor was killed by signal 9" err
  [ ! -e "$socket" ]
  [ ! -e .zproc/address ]
}

@test "kill -9 of the guardian stops the run in order" {
  stoppable
  run_start
  poll_until test -e up
  pid=$(supervisor)
  socket=$(sed 's,ipc://,,' .zproc/address)
  kill -KILL "$RUN_PID"
  run_end 137
  poll_until dead "$pid"
  [ "$(cat order)" = $'second\nfirst' ]
  [ ! -e "$socket" ]
  [ ! -e .zproc/address ]
}

@test "kill -9 of a state server in memory ends the run with 125 and says why" {
  stoppable
  sed -i '1a server: {persist: none}' zproc.yaml
  run_start
  poll_until test -e up
  kill -KILL "$(server_of "$(supervisor)")"
  run_end 125
  grep -q "state server was lost: it was killed by signal 9" err
}

@test "kill -9 of the state server: it is started again, and the run does not notice" {
  manifest <<'EOF'
version: 1
workers:
  count: {run: 'for i in $(seq 100); do zproc incr n || exit 9; done'}
  event: {run: 'echo got >>hits', trigger: {change: [done]}}
  loop: {run: 'while [ "$(zproc watch n --print value)" -lt 100 ]; do :; done; touch seen'}
  kill:
    run: |
      for i in 1 2 3; do
        pid=$(zproc ping)
        kill -9 "$pid"
        until [ "$(zproc ping)" != "$pid" ]; do :; done
      done
      zproc watch --when 'n >= 100'
      zproc set done true
EOF
  run -0 zproc run
  [[ $output == *"server was killed by signal 9"*"starting it again"* ]]
  [ "$(grep -c '^count *| ' <<<"$output")" = 100 ] # each number once
  [ "$(cat hits)" = got ]
  [ -e seen ]
  [ ! -e .zproc/state ]
}

@test "an ephemeral key ends with its worker also when the state server was killed meanwhile" {
  manifest <<'EOF'
version: 1
workers:
  holder: {run: 'zproc set --ephemeral leader me; zproc watch --equal go=true >/dev/null; zproc get leader'}
  kill:
    run: |
      zproc watch --available leader
      pid=$(zproc ping)
      kill -9 "$pid"
      until [ "$(zproc ping)" != "$pid" ]; do :; done
      zproc set go true
  after: {run: 'zproc has leader || :', needs: [holder]}
EOF
  run -0 zproc run
  [[ $output == *"holder | me"* ]]
  [[ $output == *"after  | false"* ]]
}

@test "a state server that dies again and again ends the run" {
  manifest <<'EOF'
version: 1
workers:
  kill: {run: 'while :; do kill -9 "$(zproc ping)"; done'}
EOF
  run -125 zproc run
  [[ $output == *"5 times within 10 s"* ]]
}

@test "server.persist: a folder keeps the state for the next run" {
  manifest <<'EOF'
version: 1
server: {persist: kept/state, durability: always}
workers:
  w: {run: 'zproc incr n; zproc stats --json | grep -q always'}
EOF
  run -0 zproc run -q
  run -0 zproc run -q
  [[ $output == *2* ]]
  [ "$(stat -c %a kept/state)" = 700 ]
  [ -s kept/state/meta ]
}

@test "nohup keeps its meaning" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'touch up; zproc watch --when "go == true"'}
EOF
  nohup zproc run >out 2>err 3>&- &
  RUN_PID=$!
  poll_until test -e up
  kill -HUP "$RUN_PID"
  poll_until zproc set go true
  run_end 0
}

@test "SIGQUIT stops in order too: nothing goes on in the background" {
  stoppable
  run_start
  poll_until test -e up
  pid=$(supervisor)
  kill -QUIT "$RUN_PID"
  run_end 131
  dead "$pid"
  [ "$(cat order)" = $'second\nfirst' ]
}

@test "a signal to guardian and supervisor at once counts once" {
  stoppable
  run_start
  poll_until test -e up
  kill -TERM "$RUN_PID" "$(supervisor)"
  run_end 143
  [ "$(cat order)" = $'second\nfirst' ]
}

@test "a worker starts a run of its own on the same state" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'zproc run --server "$ZPROC_ADDRESS" -- sh -c "zproc incr n" && test "$(zproc get n)" = 1'}
EOF
  run -0 zproc run
}

@test "a run and its commands work with closed standard descriptors" {
  manifest <<'EOT'
version: 1
workers:
  w: {run: 'zproc set a "$(zproc get b -d 5)" && echo hello && touch ended'}
EOT
  zproc run <&- >&- 2>err
  [ -e ended ]
  grep -q '^1 succeeded' err
  zproc run <&- >out 2>&-
  [ "$(cat out)" = "w | hello" ]
  run -2 zproc run -- sh -c 'zproc set b - <&-'
  [[ $output == *"standard input: reading failed: Bad file descriptor"* ]]
  run -125 zproc run -- sh -c 'zproc set a 1; zproc get a >&-'
  [[ $output == *"cannot write to standard output: Bad file descriptor"* ]]
}

@test "a full disk under the console is told, and the run goes on" {
  manifest <<'EOT'
version: 1
workers:
  w: {run: echo hello}
EOT
  zproc run >/dev/full 2>err
  grep -q "cannot print what workers print any more: No space left on device" err
  [ "$(log_of w)" = hello ]
}

# A reader of $1 that reads nothing; sets READER.
reader_start() {
  python3 -c 'import os, sys, signal; os.open(sys.argv[1], os.O_RDONLY); signal.pause()' "$1" 3>&- &
  READER=$!
}

@test "a signal ends a run that waits for a reader of its last output" {
  manifest <<'EOT'
version: 1
workers:
  w: {run: 'seq 50000; touch ended'}
EOT
  mkfifo pipe
  reader_start pipe
  zproc run >pipe 2>err 3>&- &
  RUN_PID=$!
  poll_until test -e ended
  kill -TERM "$RUN_PID"
  poll_until dead "$RUN_PID" || dead=no
  kill "$READER"
  [ "${dead:-yes}" = yes ]
  status=0
  wait "$RUN_PID" || status=$?
  RUN_PID=
  [ "$status" = 0 ] || [ "$status" = 143 ]
}

@test "a socket without a reader as standard output does not hold up signals" {
  manifest <<'EOT'
version: 1
workers:
  w: {run: 'seq 70000; touch up; seq 70001 3000000'}
EOT
  run -0 python3 - <<'EOT'
import os, signal, socket, subprocess, time
ours, theirs = socket.socketpair()
run = subprocess.Popen(["zproc", "run"], stdout=theirs, stderr=subprocess.DEVNULL)
theirs.close()
deadline = time.monotonic() + 20
while not os.path.exists("up"):
    assert time.monotonic() < deadline
    time.sleep(0.01)
run.send_signal(signal.SIGTERM)
assert run.wait(20) == 143
ours, theirs = socket.socketpair()
run = subprocess.Popen(["zproc", "run"], stdout=theirs, stderr=subprocess.DEVNULL)
theirs.close()
lines = ours.makefile().read().splitlines()
assert lines[-1] == "w | 3000000" and len(lines) == 3000000, len(lines)
assert run.wait(20) == 0
EOT
}

@test "cleanup: false leaves alone what a worker started" {
  manifest <<'END'
version: 1
workers:
  left: {run: "setsid sleep 97531 >/dev/null & echo $! >left.pid", cleanup: false}
  ended: {run: "setsid sleep 97531 >/dev/null & echo $! >ended.pid"}
END
  expect 0 "" zproc run -q
  dead "$(cat ended.pid)"
  kill "$(cat left.pid)" # it lives: its worker says so
}

@test "a service that is restarted too fast has failed, and its reason says what it ended with each time" {
  manifest <<'END'
version: 1
workers:
  s: {run: exit 7, service: true}
  j: {run: sleep 100}
END
  run --separate-stderr zproc run
  [ "$status" = 7 ]
  grep -q "^s .*failed .*exit status 7, restarting too fast" <<<"$stderr"
}

#!/usr/bin/env bats
# What workers wait for and what ends them: needs, `if`, probes, times, mutexes, from the outside.

load helper
load run-helper

# joined FILE: its lines, joined by commas.
joined() {
  paste -sd, "$1"
}

# ---- Needs ----

@test "a chain of 8 needs starts in order, and each once" {
  {
    echo 'version: 1'
    echo 'workers:'
    for i in 8 7 6 5 4 3 2; do echo "  w$i: {run: echo $i >> order, needs: [w$((i - 1))]}"; done
    echo '  w1: {run: echo 1 >> order}'
  } >zproc.yaml
  run -0 zproc run
  [ "$(joined order)" = 1,2,3,4,5,6,7,8 ]
}

@test "a diamond runs its tip once" {
  manifest <<'EOF'
version: 1
workers:
  tip: {run: echo tip >> order, needs: [left, right]}
  left: {run: echo side >> order, needs: [base]}
  right: {run: echo side >> order, needs: [base]}
  base: {run: echo base >> order}
EOF
  run -0 zproc run
  [ "$(joined order)" = base,side,side,tip ]
}

@test "a failed need skips what follows at once, with the chain of reasons" {
  manifest <<'EOF'
version: 1
run: {fail: keep-going}
workers:
  a: {run: exit 7}
  b: {run: touch ran, needs: [a]}
  c: {run: touch ran, needs: [b]}
  other: {run: sleep 0.2}
EOF
  run -7 zproc run
  [[ $output == *"c: skipped: needs b to succeed, which was skipped: needs a to succeed, which failed: exit status 7"* ]]
  [ ! -e ran ]
}

@test "who needs a worker, or is triggered by it, starts when its record is there to be read, however slow the server" {
  manifest <<'EOF'
version: 1
workers:
  first: {run: 'touch runs; until test -e stopped; do sleep 0.01; done; echo 7'}
  next: {run: 'touch next; zproc get -n zproc first#/status; zproc get -n zproc first#/result', needs: [first]}
  triggered: {run: 'touch triggered; zproc get -n zproc first#/result', trigger: {worker: {first: succeeded}}}
EOF
  run_start
  poll_until test -e runs
  local server early=
  server=$(server_of "$(supervisor)")
  kill -STOP "$server"
  touch stopped
  poll_until grep -q 7 .zproc/logs/latest/first.log
  timeout 0.5 sh -c 'until test -e next || test -e triggered; do sleep 0.01; done' && early=yes
  kill -CONT "$server"
  run_end 0
  [ -z "$early" ]
  [ "$(log_of next)" = $'succeeded\n7' ]
  [ "$(log_of triggered)" = 7 ]
}

# held_start [OPTIONS]: a run whose worker `next` waits for the record of `first` at a server that stands still;
# sets SERVER.
held_start() {
  manifest <<'EOF'
version: 1
server: {persist: none}
workers:
  first: {run: 'touch runs; until test -e stopped; do sleep 0.01; done; echo 7'}
  next: {run: 'touch next; sleep 60', needs: [first]}
EOF
  run_start "$@"
  poll_until test -e runs
  SERVER=$(server_of "$(supervisor)")
  kill -STOP "$SERVER"
  touch stopped
  poll_until grep -q 7 .zproc/logs/latest/first.log
  ! timeout 0.5 sh -c 'until test -e next; do sleep 0.01; done' || {
    kill -CONT "$SERVER"
    return 1
  }
}

@test "a start that waits for a server ends when the server is lost, or the run is stopped" {
  held_start
  kill -KILL "$SERVER"
  run_end 125
  [ ! -e next ]
  rm runs stopped
  held_start
  kill -INT "$RUN_PID"
  run_end 130
  [ ! -e next ]
}

@test "a start does not wait for ever for a server that stands still" {
  held_start
  poll_until test -e next
  grep -q "the state server does not take records" err
  kill -CONT "$SERVER"
  kill -INT "$RUN_PID"
  run_end 130
}

@test "needs.timeout: a need that is not met in time fails its worker with 124" {
  manifest <<'EOF'
version: 1
workers:
  slow: {run: sleep 30, service: true, ready: {exec: test -e never}}
  user: {run: touch ran, needs: {slow: {is: ready, timeout: 300ms}}}
EOF
  run -124 zproc run
  [[ $output == *"user: failed: needs slow to be ready, which did not come about within 300ms"* ]]
  [ ! -e ran ]
}

@test "needs.on_restart: restart starts it again when its needs hold, stop stops it, ignore does nothing" {
  manifest <<'EOF'
version: 1
workers:
  db:
    service: true
    run: |
      echo x >> starts; n=$(wc -l < starts)
      [ "$n" -lt 2 ] || sleep 0.3
      touch up
      [ "$n" -gt 1 ] || { until [ -e go ]; do sleep 0.02; done; rm up; exit 1; }
      sleep 60
    ready: {exec: test -e up, every: 20ms}
  again:
    run: "test -e up || echo down >> log; echo start >> log; sleep 60"
    service: true
    needs: {db: {is: ready, on_restart: restart}}
  cut:
    run: echo x >> cuts; sleep 60
    needs: {db: {is: ready, on_restart: stop}}
  calm:
    run: echo x >> calms; sleep 60
    service: true
    needs: {db: {is: ready, on_restart: ignore}}
  main:
    run: |
      until [ -e log ] && [ -e cuts ] && [ -e calms ]; do sleep 0.02; done
      touch go
      until [ "$(wc -l < log)" = 2 ]; do sleep 0.02; done
EOF
  run -0 zproc run
  [ "$(joined log)" = start,start ]
  [ "$(joined cuts)" = x ]
  [ "$(joined calms)" = x ]
}

@test "a service that is started again while somebody waits for it to be ready is judged anew" {
  manifest <<'EOF'
version: 1
workers:
  db:
    service: true
    run: |
      echo x >> starts
      [ "$(wc -l < starts)" -gt 1 ] || exit 3
      sleep 0.2; touch up; sleep 60
    ready: {exec: test -e up, every: 20ms}
  user: {run: test -e up && touch ran, needs: [db]}
EOF
  run -0 zproc run
  [ -e ran ]
  [ "$(wc -l <starts)" = 2 ]
}

@test "ready by tcp: the dependent starts when the port takes a connection" {
  local port
  port=$(free_port)
  manifest <<'EOF'
version: 1
workers:
  web:
    service: true
    run: |
      sleep 0.3; touch listening
      exec perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => PORT, ReuseAddr => 1)
          or die; 1 while $s->accept'
    ready: {tcp: "127.0.0.1:PORT", every: 20ms}
  user: {run: test -e listening, needs: [web]}
EOF
  sed -i "s/PORT/$port/" zproc.yaml
  run -0 zproc run
}

@test "success: other statuses than 0 can count as success, and 0 may not" {
  manifest <<'EOF'
version: 1
workers:
  server: {run: exit 130, success: [130]}
  next: {run: touch ran, needs: [server]}
EOF
  run -0 zproc run
  [ -e ran ]
  echo 'version: 1
workers: {a: {run: exit 0, success: [130]}}' >zproc.yaml
  run -1 zproc run
}

@test "a set-up job that is done does not end the run" {
  manifest <<'EOF'
version: 1
workers:
  setup: {run: touch made}
  main: {run: sleep 0.3; touch ran, needs: [setup]}
EOF
  run -0 zproc run
  [ -e ran ]
}

@test "fail: finish lets run what runs, starts nothing new, and the first failure decides" {
  manifest <<'EOF'
version: 1
run: {fail: finish, jobs: 2}
workers:
  first: {run: exit 3}
  second: {run: "until [ -e go ]; do sleep 0.02; done; touch ended; exit 4"}
  third: {run: touch started}
EOF
  run_start
  poll_until grep -qs "first: failed" err
  touch go
  run_end 3
  [ -e ended ]
  [ ! -e started ]
}

# ---- if ----

@test "if: over needs, env, vars and the state; false skips, an error fails" {
  manifest <<'EOF'
version: 1
run: {fail: keep-going}
vars: {target: release}
state: {cookies: 3}
workers:
  build: {run: "echo '{\"size\": 7}'"}
  broken: {run: exit 9, optional: true}
  by_result: {run: echo by_result >> ran, needs: [build], if: needs.build.result.size == 7}
  by_status: {run: echo by_status >> ran, needs: {broken: ended}, if: needs.broken.status == "failed" && needs.broken.exit == 9}
  by_state: {run: echo by_state >> ran, if: state.cookies >= 3 && cookies < 4}
  by_vars: {run: echo by_vars >> ran, if: 'vars.target == "release" && env.FLAG == "on"', env: {FLAG: "on"}}
  by_unset: {run: echo by_unset >> ran, if: env.NO_SUCH_VARIABLE == ""}
  not_now: {run: echo not_now >> ran, if: state.cookies > 3}
  never: {run: echo never >> ran, if: false}
  after: {run: echo after >> ran, needs: [never]}
EOF
  run -0 zproc run
  [ "$(sort ran | paste -sd,)" = by_result,by_state,by_status,by_unset,by_vars ]
  [[ $output == *"not_now: skipped: its 'if' is false"* ]]
  [[ $output == *"after: skipped: needs never to succeed, which was skipped: its 'if' is false"* ]]
  echo 'version: 1
workers: {a: {run: touch ran2, if: state.nothing > 1}}' >zproc.yaml
  run -1 zproc run
  [[ $output == *"a: failed: its 'if' cannot be evaluated: "*nothing* ]]
  echo 'version: 1
workers: {a: {run: touch ran2, if: 1 + 1}}' >zproc.yaml
  run -1 zproc run
  [[ $output == *"a: failed: its 'if' gives 2, not true or false"* ]]
  [ ! -e ran2 ]
}

@test "if: is asked when the needs hold, not before" {
  manifest <<'EOF'
version: 1
workers:
  first: {run: zproc set go 1}
  second: {run: touch ran, needs: [first], if: state.go == 1}
EOF
  run -0 zproc run
  [ -e ran ]
}

# ---- Times and probes ----

@test "total_timeout: all attempts and the delays between them" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: echo x >> tries; exit 1, retry: {max: null, delay: 100ms}, total_timeout: 1s}
EOF
  run -124 zproc run
  [[ $output == *"a: failed after "*" attempts: timed out after 1s in all"* ]]
  [ "$(wc -l <tries)" -ge 2 ]
  echo 'version: 1
workers: {a: {run: sleep 30, retry: 5, total_timeout: 200ms}}' >zproc.yaml
  run -124 zproc run
  [[ $output == *"a: failed: timed out after 200ms in all"* ]]
}

@test "silence: who writes goes on, who does not is stopped, and retried as for a timeout" {
  manifest <<'EOF'
version: 1
workers:
  talker: {run: "for i in 1 2 3 4 5; do sleep 0.4; echo $i; done", silence: 1500ms}
EOF
  run -0 zproc run
  manifest <<'EOF'
version: 1
workers:
  mute: {run: "echo hello; sleep 30", silence: 200ms, retry: {for: [timeout], max: 1, delay: 0s}}
EOF
  run -124 zproc run
  [[ $output == *"no output for 200ms, retry 1 of 1"* ]]
  [[ $output == *"mute: failed after 2 attempts: no output for 200ms"* ]]
}

@test "a supervisor that stood still itself looks at what has come meanwhile before it judges times" {
  manifest <<'EOF'
version: 1
workers:
  talker: {run: 'until test -e over; do echo x; zproc incr k >/dev/null; sleep 0.05; done', silence: 1s}
  short: {run: 'until test -e stopped; do sleep 0.01; done', timeout: 1s}
  eater: {run: "true", trigger: {change: [k], timeout: 1s}}
EOF
  run_start
  poll_until grep -qs x .zproc/logs/latest/talker.log
  local pid
  pid=$(supervisor)
  kill -STOP "$pid"
  touch stopped
  sleep 1.5
  kill -CONT "$pid"
  touch over
  run_end 0
}

@test "alive: after so many failures the attempt failed, and restart starts it again" {
  manifest <<'EOF'
version: 1
workers:
  web:
    service: true
    run: trap 'rm sick; exit' TERM; echo x >> starts; sleep 60 & wait
    alive: {exec: test ! -e sick, every: 50ms, failures: 2}
  main:
    run: |
      until [ -s starts ]; do sleep 0.02; done
      sleep 0.2
      touch sick
      until [ "$(wc -l < starts)" = 2 ]; do sleep 0.02; done
      sleep 0.3
      [ "$(wc -l < starts)" = 2 ]
EOF
  run -0 zproc run
  [[ $output == *"web: not alive: 'alive.exec' did not hold 2 times in a row, restart 1"* ]]
}

@test "alive: by a condition on the state; without restart the worker has failed" {
  manifest <<'EOF'
version: 1
state: {ok: true}
workers:
  job: {run: sleep 60, alive: {when: ok, every: 30ms, failures: 1}}
  main: {run: sleep 0.2; zproc set ok false; sleep 60}
EOF
  run -1 zproc run
  [[ $output == *"job: failed: not alive: 'alive.when' did not hold 1 time in a row"* ]]
}

# ---- mutex ----

@test "mutex: never two at a time, replicas too, and all come up" {
  manifest <<'EOF'
version: 1
defaults:
  run: "mkdir lock && sleep 0.05 && rmdir lock && echo $ZPROC_WORKER >> done"
workers:
  a: {mutex: [m, x], replicas: 3}
  b: {mutex: [m]}
  c: {mutex: [m, y]}
  free: {mutex: [z], run: touch other}
EOF
  run -0 zproc run
  [ "$(wc -l <done)" = 5 ]
  [ -e other ]
}

@test "mutex: together with jobs there is no deadlock" {
  {
    echo 'version: 1'
    echo 'run: {jobs: 2}'
    echo 'workers:'
    for i in 1 2 3 4 5 6; do
      echo "  p$i: {run: mkdir m && rmdir m, mutex: [m, n]}"
      echo "  q$i: {run: mkdir n && rmdir n, mutex: [n]}"
      echo "  r$i: {run: \"true\"}"
    done
  } >zproc.yaml
  run -0 zproc run
}

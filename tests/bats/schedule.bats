#!/usr/bin/env bats
# Workers that run by time or by what other workers do: every, cron, trigger.worker, trigger.timeout, overlap.

load helper
load run-helper

count() {
  [ "$(cat "$1" 2>/dev/null | wc -l)" "$2" "$3" ]
}

# ---- every, cron ----

@test "every: runs at once and again, and does not keep a run alive" {
  manifest <<'EOF'
version: 1
workers:
  tick: {run: echo x >> ticks, every: 100ms}
  main: {run: "until [ $(cat ticks | wc -l) -ge 10 ]; do sleep 0.02; done"}
EOF
  start=${EPOCHREALTIME/./}
  run -0 zproc run
  took=$(((${EPOCHREALTIME/./} - start) / 1000))
  count ticks -le $((took / 100 + 1))
  manifest <<'EOF'
version: 1
workers:
  never: {run: touch ran, every: 1h, needs: [main]}
  main: {run: "true"}
EOF
  run -0 zproc run
}

@test "every: is idle between its runs, and its failure is the run's" {
  manifest <<'EOF'
version: 1
workers:
  tick: {run: echo x >> ticks, every: 1h}
  main: {run: sleep 60}
EOF
  run_start
  poll_until test -e ticks
  poll_until sh -c 'zproc ps | grep -q "tick .*idle"'
  kill -INT "$RUN_PID"
  run_end 130
  echo 'version: 1
workers: {tick: {run: exit 5, every: 1h}, main: {run: sleep 60}}' >zproc.yaml
  run -5 zproc run
}

@test "cron: runs when its minute comes" {
  manifest <<'EOF'
version: 1
workers:
  each: {run: touch ran, cron: "* * * * *", timezone: Europe/Berlin}
  main: {run: "until [ -e ran ]; do sleep 0.2; done"}
EOF
  run -0 timeout 75 zproc run
}

@test "every, cron, timezone, overlap: mistakes are told with their place" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: x, cron: "61 * * * *"}
  b: {run: x, cron: "@daily", timezone: Europe/Berln}
  c: {run: x, every: 5m, cron: "@daily"}
  d: {run: x, timezone: UTC}
  e: {run: x, every: 1m, service: true}
  f: {run: x, overlap: skip}
EOF
  expect_error 2 "*3:21: 'cron': the minute: '61'*4:41: 'timezone': no time zone 'Europe/Berln'*5:26: *do not fit*6:15: *7:15: a service*8:15: 'overlap'*6 problems" zproc check
}

@test "overlap of a schedule: skip leaves times out, queue keeps one, parallel runs beside, restart stops" {
  manifest <<'EOF'
version: 1
workers:
  skip: {run: echo x >> skip; sleep 60, every: 50ms, overlap: skip}
  queue: {run: echo x >> queue; sleep 60, every: 50ms}
  parallel: {run: echo x >> parallel; sleep 60, every: 50ms, overlap: parallel}
  restart: {run: echo x >> restart; sleep 60, every: 50ms, overlap: restart}
  main: {run: "until [ $(cat parallel | wc -l) -ge 4 ] && [ $(cat restart | wc -l) -ge 4 ]; do sleep 0.02; done"}
EOF
  run -0 zproc run
  count skip = 1
  count queue = 1
}

# ---- trigger.worker ----

@test "trigger.worker: runs each time the worker comes to the state, and is told which" {
  manifest <<'EOF'
version: 1
workers:
  oven:
    service: true
    run: |
      echo x >> starts
      [ "$(cat starts | wc -l)" -ge 3 ] || { sleep 0.1; exit 0; }
      sleep 60
  on_ready: {trigger: {worker: {oven: ready}}, run: echo "$ZPROC_TRIGGER_WORKER is $ZPROC_TRIGGER_STATE" >> told}
  main: {run: "until [ $(cat told | wc -l) -ge 3 ]; do sleep 0.02; done"}
EOF
  run -0 zproc run
  count told = 3
  [ "$(sort -u told)" = "oven is ready" ]
}

@test "trigger.worker: failed, instances, and events of the last job are worked off before the end" {
  manifest <<'EOF'
version: 1
workers:
  job: {run: "exit $((ZPROC_REPLICA + 1))", replicas: 2, optional: true}
  good: {run: "true", needs: {job: ended}}
  on_failed: {trigger: {worker: {job: failed}}, run: echo "$ZPROC_TRIGGER_WORKER" >> told}
  on_end: {trigger: {worker: {good: succeeded}}, run: sleep 0.2; touch ended}
EOF
  run -0 zproc run
  [ "$(sort told | paste -sd,)" = job.0,job.1 ]
  [ -e ended ]
}

@test "trigger.worker: of a worker with a trigger its runs are meant" {
  manifest <<'EOF'
version: 1
workers:
  build: {trigger: {change: [source]}, run: echo "$ZPROC_VALUE" >> built}
  deploy: {trigger: {worker: {build: succeeded}}, run: echo x >> deployed}
  main: {run: zproc set source 1; zproc set source 2}
EOF
  run -0 zproc run
  count built = 2
  count deployed = 2
}

@test "trigger.worker: mistakes" {
  manifest <<'EOF'
version: 1
workers:
  a: {run: x, trigger: {worker: {b: ready}}}
  b: {run: x, trigger: {worker: {a: ready}}}
  c: {run: x, trigger: {worker: {a: redy}}}
  d: {run: x, trigger: {worker: {nobody: ready}}}
  e: {run: x, trigger: {worker: a}}
EOF
  expect_error 2 "*3:34: *goes round in a circle*4:34: *circle*5:37: *did you mean 'ready'*6:34: no worker 'nobody'*7:33: *like {oven: ready}*" zproc check
}

# ---- trigger.timeout, overlap ----

@test "trigger.timeout: no event for so long fails with 124" {
  manifest <<'EOF'
version: 1
workers:
  hungry: {trigger: {change: [food], timeout: 1500ms}, run: echo "$ZPROC_VALUE" >> eaten}
  main: {run: for i in 1 2 3 4; do sleep 0.4; zproc set food $i; done; sleep 60}
EOF
  run -124 zproc run
  [[ $output == *"hungry: failed: no event for 1.5s"* ]]
  count eaten = 4
}

@test "overlap of a trigger: queue, skip, restart and parallel" {
  for overlap in queue skip restart parallel; do
    manifest <<EOF
version: 1
workers:
  t: {trigger: {change: [k], overlap: $overlap}, run: "echo start \$ZPROC_VALUE >> $overlap; until [ -e $overlap.go ]; do sleep 0.02; done; echo end \$ZPROC_VALUE >> $overlap"}
  main:
    run: |
      zproc set k 1; until [ -e $overlap ]; do sleep 0.02; done
      zproc set k 2; zproc set k 3
      case $overlap in
        restart) until grep -q "start 3" $overlap; do sleep 0.02; done;;
        parallel) until grep -q "start 3" $overlap; do sleep 0.02; done;;
        *) sleep 0.2;;
      esac
      touch $overlap.go
EOF
    run -0 zproc run
  done
  [ "$(paste -sd, queue)" = "start 1,end 1,start 2,end 2,start 3,end 3" ]
  [ "$(paste -sd, skip)" = "start 1,end 1" ]
  [ "$(head -n 1 restart)" = "start 1" ]
  [ "$(tail -n 2 restart | paste -sd,)" = "start 3,end 3" ]
  ! grep -q "end 1" restart
  [ "$(head -n 3 parallel | sort | paste -sd,)" = "start 1,start 2,start 3" ]
}

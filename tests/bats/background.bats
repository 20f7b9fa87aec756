#!/usr/bin/env bats
# up: runs in the background, from their start to the last trace of them.

load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir work && cd work || return 1
}

# Whatever a failed test left behind must not outlive it.
teardown() {
  local folder pid
  for folder in "$BATS_TEST_TMPDIR"/*/; do
    pid=$(cd "$folder" && zproc get -n zproc 'run#/pid' 2>/dev/null) && kill -KILL "$pid"
  done
  server_stop
}

manifest() {
  cat >zproc.yaml
}

supervisor() {
  zproc get -n zproc 'run#/pid'
}

# run_down: ends the run of this folder, of which nothing is left then.
run_down() {
  local pid guardian address
  pid=$(supervisor)
  address=$(cat .zproc/address)
  guardian=$(awk '/^PPid/ {print $2}' "/proc/$pid/status")
  zproc down
  dead "$pid" "$guardian"
  [ ! -e .zproc/address ]
  [ ! -e "${address#ipc://}" ]
}

status_is() {
  [ "$(zproc ps --json "$1" | jq -r .status)" = "$2" ]
}

@test "up: prints id and address, is away from the terminal, holds nothing of ours" {
  manifest <<'END'
version: 1
workers:
  oven: {run: "echo hot; exec sleep 100", service: true}
END
  # Were its output held open by the run, this would wait for its end.
  zproc up 2>err | cat >out
  read -r id address <out
  [[ $id == 20??????-??????-* ]]
  [ "$address" = "$(cat .zproc/address)" ]
  [ -d ".zproc/logs/$id" ]
  grep -q "'zproc down' ends it" err
  poll_until status_is oven ready
  local pid guardian each
  pid=$(supervisor)
  guardian=$(awk '/^PPid/ {print $2}' "/proc/$pid/status")
  for each in "$pid" "$guardian"; do
    [ "$(ps -o tty= -p "$each")" = "?" ]
    [ "$(readlink "/proc/$each/cwd")" = "$PWD" ]
    [ "$(readlink "/proc/$each/fd/0")" = /dev/null ]
  done
  [ "$(readlink "/proc/$guardian/fd/2")" = /dev/null ]
  [ "$(readlink "/proc/$pid/fd/2")" = "$PWD/.zproc/logs/$id/run.log" ]
  poll_until grep -q hot ".zproc/logs/$id/oven.log"
  run_down
  [ ! -e .zproc/address ]
  [ ! -e "${address#ipc://}" ]
  grep -q '^oven ' ".zproc/logs/$id/run.log"
}

@test "up: JSON, quiet, options of run, only some workers" {
  manifest <<'END'
version: 1
vars: {what: nothing}
workers:
  a: {run: "echo ${{ vars.what }}; exec sleep 100"}
  b: {run: sleep 100}
END
  zproc up --json -q --var what=something a >out 2>err
  [ ! -s err ]
  [ "$(jq -r .address out)" = "$(cat .zproc/address)" ]
  [ "$(jq -r .run out)" = "$(zproc get -n zproc 'run#/id')" ]
  expect 0 a zproc ps -q
  poll_until grep -q something .zproc/logs/latest/a.log
  run_down
  grep -q "^a  *stopped" .zproc/logs/latest/run.log
  expect_error 2 "*only a manifest*" zproc up -- true
  expect_error 2 "*needs '--wait'*" zproc up --timeout 1s
  expect_error 2 "*no meaning here*" zproc up -n x
}

@test "up: a second one is refused and says what to do; another folder has its own" {
  manifest <<'END'
version: 1
workers: {a: {run: sleep 100}}
END
  zproc up -q >/dev/null
  poll_until status_is a ready
  local latest
  latest=$(readlink .zproc/logs/latest)
  expect_error 1 "*a run is going on in this folder already*'zproc ps'*'zproc down'*" zproc up
  [ "$(readlink .zproc/logs/latest)" = "$latest" ]
  mkdir ../other
  cp zproc.yaml ../other
  (
    cd ../other
    zproc up -q >/dev/null
    zproc set x other
    [ "$(zproc get x)" = other ]
    run_down
    [ ! -e .zproc/address ]
  )
  expect 1 "" zproc get x
  status_is a ready
  run_down
}

@test "up: what is wrong with the manifest is told at once" {
  manifest <<'END'
version: 1
workers: {a: {runn: x}}
END
  expect_error 2 "*did you mean 'run'*" zproc up
  expect_error 2 "*nope.yaml*" zproc up -f nope.yaml
  [ ! -e .zproc/address ]
}

@test "up: when the server cannot start it says where the reason stands" {
  manifest <<'END'
version: 1
server: {persist: /proc/here}
workers: {a: {run: echo}}
END
  expect_error 125 "*the state server ended while it was starting; $PWD/.zproc/logs/*/run.log has what it said" zproc up
  grep -q "cannot make the folder '/proc/here'" .zproc/logs/latest/run.log
}

@test "up --wait: services ready, jobs running or done" {
  manifest <<'END'
version: 1
workers:
  slow: {run: sleep 100, service: true, ready: {when: go == 1}}
  first: {run: "true", needs: [slow]}
  job: {run: sleep 100, needs: [first]}
  idle: {run: sleep 100, start: false}
  optional: {run: exit 3, optional: true}
  on_event: {trigger: {change: [x]}, run: "true"}
END
  zproc up -q >/dev/null
  run_down
  zproc up -q --wait --timeout 20s >out 3>&- &
  local pid=$!
  poll_until test -e .zproc/address
  poll_until status_is slow running
  status_is first waiting
  poll_until zproc set go 1
  wait "$pid"
  status_is slow ready
  status_is first succeeded
  status_is job ready
  run_down
}

@test "up --wait: the status of what failed; the time is up" {
  manifest <<'END'
version: 1
workers:
  hold: {run: sleep 100, service: true, ready: {when: go == 1}}
  bad: {run: "echo the reason >&2; exit 9", when: fail == 1}
END
  run -124 --separate-stderr zproc up --wait --timeout 300ms
  [[ $stderr == *"2 not ready in time; the run goes on"* ]]
  zproc set go 1
  run_down
  zproc up --wait >out 2>err 3>&- &
  local pid=$! status=0
  poll_until test -e .zproc/address
  poll_until zproc set fail 1
  wait "$pid" || status=$?
  [ "$status" = 9 ]
  grep -q "zproc: up: bad: failed: exit status 9" err
  grep -q "^  the reason" err
  poll_until test ! -e .zproc/address
  run -9 zproc wait bad
  sed -i "s/, when: fail == 1//" zproc.yaml
  run -9 zproc up -q --wait
}

@test "up --wait: a run that is over before it was looked at" {
  manifest <<'END'
version: 1
workers: {a: {run: "true"}}
END
  local i
  for i in 1 2 3 4 5; do
    zproc up -q --wait >/dev/null
    poll_until test ! -e .zproc/address
    expect 0 null zproc wait a
    run -3 zproc ps
  done
}

@test "a killed supervisor: nothing is left, and the log says it" {
  manifest <<'END'
version: 1
workers: {a: {run: "setsid sleep 100 & exec sleep 100"}}
END
  zproc up -q --wait >/dev/null
  local pid guardian worker
  pid=$(supervisor)
  worker=$(zproc ps --json a | jq .pid)
  guardian=$(awk '/^PPid/ {print $2}' "/proc/$pid/status")
  kill -KILL "$pid"
  poll_until dead "$guardian" "$worker"
  poll_until grep -q "the supervisor was killed by signal 9" .zproc/logs/latest/run.log
  [ ! -e .zproc/address ]
  local command
  for command in ps logs; do
    expect_error 3 "*the last one was killed or *what it printed is in .zproc/logs/latest" zproc "$command"
  done
  expect_error 3 "*no run is going on here; 'zproc up' starts one*" zproc ps --run nosuch
  zproc up -q --wait >/dev/null
  run_down
}

@test "commands that control a run say so when none goes on here, also after it was killed" {
  for command in down 'stop a' 'start a' 'scale a=1' reload 'spawn b -- true'; do
    # shellcheck disable=SC2086
    expect_error 3 "zproc: ${command%% *}: no run is going on here; 'zproc up' starts one*" zproc $command
  done
  mkdir -p .zproc
  echo "ipc://$PWD/nobody" >.zproc/address
  expect_error 3 "zproc: down: no run is going on here*" zproc down
  expect_error 3 "zproc: down: cannot reach the state server at *" zproc -a "ipc://$PWD/nobody" down
}

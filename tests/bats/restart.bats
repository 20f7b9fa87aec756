#!/usr/bin/env bats
# The supervisor goes on while its state server starts, or is started again; many waits at a time.

load helper

# Programs of our own, whose server takes its time, or never comes, when a file says so.
setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir bin
  cp "$ZPROC_BIN/zproc" "$ZPROC_BIN/zproc-run" bin
  cat >bin/zproc-server <<EOF
#!/bin/sh
cd "$BATS_TEST_TMPDIR"
if test -e never; then touch starting; exec sleep 1000; fi
if test -e late; then trap 'exec "$ZPROC_BIN/zproc-server" "\$@"' TERM; touch starting; while :; do sleep 0.02; done; fi
if test -e slow; then touch starting; until test -e go; do sleep 0.02; done; touch back; fi
exec "$ZPROC_BIN/zproc-server" "\$@"
EOF
  chmod +x bin/zproc-server
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
  RUN=
}

teardown() {
  [ -z "$RUN" ] || kill -9 "$RUN" 2>/dev/null || :
  [ -z "${SERVER_PID:-}" ] || kill "$SERVER_PID" 2>/dev/null || :
}

# run_start [ARGUMENT…]: zproc run in the background.
run_start() {
  zproc run "$@" >out 2>err 3>&- &
  RUN=$!
}

# run_end STATUS: how it ends, and that within some seconds.
run_end() {
  local status=0
  wait "$RUN" || status=$?
  RUN=
  [ "$status" = "$1" ] || {
    echo "status $status"
    cat out err
    return 1
  }
}

# server_hold: kills the server of the run; the next one waits for the file go.
server_hold() {
  touch slow
  kill -9 "$(zproc ping)"
  poll_until test -e starting
}

has_line() {
  grep -qs "$1" out
}

more_ticks() {
  [ "$(grep -c tick out)" -gt "$1" ]
}

manifest() {
  { printf 'version: 1\nserver: {persist: run}\nworkers:\n' && cat; } >zproc.yaml
}

@test "while the server is started again output flows, ends are noticed, timeouts fall due" {
  manifest <<'EOF'
  printer: {run: 'until test -e stop; do echo tick; sleep 0.02; done'}
  ender: {run: 'until test -e end; do sleep 0.02; done'}
  after: {needs: [ender], stateful: false, run: 'echo after'}
  late: {needs: [ender], stateful: false, run: 'echo tries; sleep 1000', timeout: 300ms, retry: {max: 2, for: [timeout], delay: 1s}}
  writer: {run: 'until test -e go; do sleep 0.02; done; zproc set seen 1; zproc get seen'}
EOF
  run_start
  poll_until has_line tick
  server_hold
  ticks=$(grep -c tick out)
  poll_until more_ticks $((ticks + 20))
  touch end
  poll_until has_line after
  poll_until grep -q "timed out" err
  test ! -e back
  touch go
  poll_until has_line "writer.*1"
  touch stop
  run_end 124
  grep -q "starting it again" err
}

@test "while the server is started again a signal ends the run" {
  manifest <<'EOF'
  printer: {run: 'echo tick; sleep 1000'}
EOF
  run_start
  poll_until has_line tick
  server_hold
  kill -INT "$RUN"
  run_end 130
  test ! -e back
}

@test "while the server is started again retries and services go on" {
  manifest <<'EOF'
  again: {run: 'until test -e end; do sleep 0.02; done; echo tick; exit 1', retry: {max: 3, delay: 10ms}}
EOF
  run_start
  poll_until zproc ping 2>ping
  server_hold
  touch end
  poll_until more_ticks 2
  test ! -e back
  touch go
  run_end 1
}

@test "a signal ends a run whose server does not come" {
  touch never
  manifest <<'EOF'
  worker: {run: 'true'}
EOF
  run_start
  poll_until test -e starting
  start=$EPOCHREALTIME
  kill -INT "$RUN"
  run_end 130
  [ $((${EPOCHREALTIME/./} - ${start/./})) -lt 3000000 ]
  grep -q "interrupted before anything was started" err
}

@test "a server that ends while it starts is the reason that is told, also when its connection breaks before" {
  cat >bin/zproc-server <<'EOF'
#!/usr/bin/env python3
import os, socket, sys, time
listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--listen-fd") + 1]))
os.write(int(sys.argv[sys.argv.index("--ready-fd") + 1]), b"ready\n")
listener.accept()[0].close()
listener.close()
time.sleep(0.2)
sys.exit(3)
EOF
  manifest <<'EOF'
  worker: {run: 'true'}
EOF
  run -125 zproc run
  [[ $output == *"the state server ended while it was starting"* ]]
}

@test "a server that comes only when the run is being ended is left alone" {
  touch late
  manifest <<'EOF'
  worker: {run: 'true'}
EOF
  run_start
  poll_until test -e starting
  kill -INT "$RUN"
  run_end 130
}

@test "a signal ends a run whose server does not answer, and time does" {
  /usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind("silent")
s.listen(8)
time.sleep(1000)' 3>&- &
  SERVER_PID=$!
  poll_until test -S silent
  manifest <<'EOF'
  worker: {run: 'true'}
EOF
  run_start --server "ipc://$PWD/silent"
  poll_until pgrep -P "$RUN" zproc-run
  kill -INT "$RUN"
  run_end 130
  run_start --server "ipc://$PWD/silent"
  run_end 125
  grep -q "does not answer" err
  expect 125 "" zproc run --server "ipc://$PWD/nothing"
}

@test "3,000 triggers and 1,200 conditions in one run" {
  manifest < <(
    for i in $(seq 0 2999); do echo "  t$i: {trigger: {change: [k$i]}, run: 'echo \"$i \$ZPROC_VALUE\" >>fired'}"; done
    for i in $(seq 1200); do echo "  w$i: {when: 'go == 1', run: ':'}"; done
    echo '  main: {run: "for i in 0 999 1500 2999; do zproc set k$i x$i; zproc set k$i y$i; done; zproc set go 1"}'
  )
  run_start
  run_end 0
  [ "$(sort -n fired)" = $'0 x0\n0 y0\n999 x999\n999 y999\n1500 x1500\n1500 y1500\n2999 x2999\n2999 y2999' ]
  ! grep -q refused err
}

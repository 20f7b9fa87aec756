#!/usr/bin/env bats
# The secret key: made, named, taken and refused, by every kind of command and by runs.

load helper
load run-helper

setup() {
  run_setup
  zproc keygen key
}

# keyed_start [OPTIONS]: a server with the key; only ZPROC_ADDRESS is set.
keyed_start() {
  server_start --key-file key "$@"
}

@test "keygen: a new key, for this user only, never over another file" {
  [ "$(stat -c %a key)" = 600 ]
  [[ $(cat key) =~ ^zpk1_[A-Za-z0-9_-]{48}$ ]]
  expect_error 1 "*'key' is there already*" zproc keygen key
  (umask 0; zproc keygen other)
  [ "$(stat -c %a other)" = 600 ]
  ! cmp -s key other
  run -0 zproc keygen
  [[ $output =~ ^zpk1_[A-Za-z0-9_-]{48}$ ]]
  expect_error 2 "*takes no FILE*" zproc keygen --curve --key-file key x
  expect_error 2 "*--curve needs a key*" zproc keygen --curve
  run -0 zproc keygen --curve --key-file key
  [ "${#lines[@]}" = 3 ]
}

@test "the key by file, by environment, by option" {
  keyed_start
  expect 0 1 zproc --key-file key incr n
  expect 0 2 env ZPROC_KEY_FILE=key zproc incr n
  expect 0 3 env ZPROC_SECRET_KEY="$(cat key)" zproc incr n
  expect 0 4 zproc --secret-key "$(cat key)" incr n
  expect_error 2 "*leave one out*" zproc --secret-key x --key-file key get n
  expect_error 2 "*both set*" env ZPROC_SECRET_KEY=x ZPROC_KEY_FILE=key zproc get n
}

@test "a wrong, missing or superfluous key is 4, by every kind of command" {
  zproc keygen wrong
  echo '{"ns":"default","key":"a","value":1}' >lines
  keyed_start
  local command commands=("get k" "set k 1" "watch k" "watch k -- true" "events" "atomic a=1" "atomic -- true"
    "txn --then a=1" ping stats dump "load lines" "go-live --session s"
    ps "wait w" "logs w" "logs -f w" "start w" "stop w" "restart w" "signal TERM w" "scale w=2" "spawn w -- true"
    down reload "attach w" "results w" "map --task -- true ::: 1" "run --server $ZPROC_ADDRESS -- true")
  local keyed=$ZPROC_ADDRESS
  for command in "${commands[@]}"; do
    # shellcheck disable=SC2086
    expect_error 4 "*secret key rejected by $ZPROC_ADDRESS*the server wants one*" zproc $command
    # shellcheck disable=SC2086
    expect_error 4 "*secret key rejected by $ZPROC_ADDRESS*the server has another one*" zproc --key-file wrong $command
  done
  expect_error 4 "*secret key rejected*wants one*" env ZPROC_RUN=r ZPROC_TASK=1 zproc return 1
  expect_error 4 "*secret key rejected*another one*" env ZPROC_RUN=r ZPROC_TASK=1 zproc --key-file wrong return 1
  server_stop
  server_start
  for command in "${commands[@]}"; do
    # shellcheck disable=SC2086
    expect_error 4 "*secret key rejected by $ZPROC_ADDRESS*the server has none*" zproc --key-file key ${command/"$keyed"/"$ZPROC_ADDRESS"}
  done
}

@test "a mistyped key and a key that others can read are refused before any connection" {
  sed -i 's/.$/=/' key
  expect_error 2 "*key file*mistyped*" zproc -a ipc://@nobody --key-file key get k
  zproc keygen open
  chmod 644 open
  expect_error 2 "*can be read by others (mode 0644)*chmod 600*" zproc -a ipc://@nobody --key-file open get k
  expect_error 2 "*cannot read the key file*'zproc keygen FILE' makes one" zproc -a ipc://@nobody --key-file missing get k
}

@test "a passphrase is the same key anywhere" {
  server_start --secret-key "open sesame"
  expect 0 1 zproc --secret-key "open sesame" incr n
  expect 4 "" zproc -q --secret-key "open sesam" get n
  (umask 077; echo "open sesame" >words)
  expect 0 2 zproc --key-file words incr n
}

@test "a key on the command line does not stay there" {
  local key="open sesame $BATS_TEST_TMPDIR" # in the command of no other process of the machine
  hidden() { [[ $(tr '\0' ' ' <"/proc/$1/cmdline") != *sesame* ]]; }
  server_start --secret-key "$key"
  zproc --secret-key "$key" watch --truthy end &
  local client=$! process
  poll_until zproc --secret-key "$key" eval true
  for process in "$client" "$SERVER_PID"; do
    poll_until grep -q zproc "/proc/$process/comm"
    poll_until hidden "$process"
    run ! grep -aq sesame "/proc/$process/environ"
  done
  zproc --secret-key="$key" set end true
  wait "$client"
  expect 0 "" zproc run --secret-key "$key" -- sh -c 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" " " | grep "[o]pen sesame $BATS_TEST_TMPDIR" || :'
}

@test "run: workers get the key's file and nothing else of it" {
  manifest <<'END'
version: 1
server: {secret_key_file: key}
workers:
  w: {run: 'zproc incr n; echo "$ZPROC_KEY_FILE"; echo "${ZPROC_SECRET_KEY-none}"; env -u ZPROC_KEY_FILE zproc -q get n || echo "status $?"'}
  none: {run: 'echo "${ZPROC_KEY_FILE-none}"', stateful: false, needs: [w]}
END
  zproc run --output raw >said 2>err
  diff said <(printf '%s\n' 1 "$PWD/key" none "status 4" none)
}

@test "run: a key that came as text is in a file for the time of the run" {
  expect 0 1 zproc run --secret-key "open sesame" -- sh -c 'stat -c %a "$ZPROC_KEY_FILE" >mode; echo "$ZPROC_KEY_FILE" >name; zproc incr n'
  [ "$(cat mode)" = 600 ]
  [ ! -e "$(cat name)" ]
}

@test "run: commands in its folder find the key" {
  manifest <<'END'
version: 1
server: {secret_key_file: key}
workers: {w: {run: "zproc watch --truthy end"}}
END
  run_start
  poll_until zproc -q ps w
  zproc set end true
  run_end 0
  [ ! -e .zproc/key ] && [ ! -L .zproc/key ]
}

@test "run: a key file that is no good is told before anything starts" {
  manifest <<'END'
version: 1
server: {secret_key_file: nowhere}
workers: {w: {run: touch started}}
END
  expect_error 2 "*server.secret_key_file*nowhere*" zproc run
  [ ! -e started ]
}

@test "tcp beyond loopback wants a key" {
  expect_error 2 "*no secret key*zproc keygen*" zproc server --address 'tcp://*:0'
  keyed_start --address 'tcp://*:0'
  expect 0 1 zproc -a "tcp://127.0.0.1:${ZPROC_ADDRESS##*:}" --key-file key incr n
}

@test "large values and many requests through one connection" {
  keyed_start
  export ZPROC_KEY_FILE=$PWD/key
  head -c 3000000 /dev/zero | tr '\0' x >big
  zproc set big @big
  [ "$(zproc get big | wc -c)" = 3000001 ]
  for i in $(seq 200); do zproc set k "$i"; done
  [ "$(zproc watch k --after 0 --count 200 | tail -n 1)" = 200 ]
}

#!/usr/bin/env bats
# Watches that go on: --follow, --count, --level, a command for every event, events.

load helper

setup() {
  server_start
}

teardown() {
  if [ -n "${FOLLOW_PID:-}" ]; then
    kill "$FOLLOW_PID" 2>/dev/null || :
    wait "$FOLLOW_PID" 2>/dev/null || :
  fi
  server_stop
}

# follow_start COMMAND…: in the background, until the server has its watch.
follow_start() {
  "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
  FOLLOW_PID=$!
  poll_until waits_are 1
}

# follow_end STATUS: how it ends.
follow_end() {
  local status=0
  wait "$FOLLOW_PID" || status=$?
  FOLLOW_PID=
  [ "$status" = "$1" ] || {
    echo "status $status"
    cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err"
    return 1
  }
}

out_is() {
  [ "$(cat "$BATS_TEST_TMPDIR/out")" = "$1" ]
}

sets() {
  local value
  for value in "${@:2}"; do zproc set "$1" "$value"; done
}

@test "a line for each event, as they come" {
  follow_start zproc watch k --follow
  zproc set k 1
  poll_until out_is 1
  zproc set other 1
  zproc set k "a b"
  poll_until out_is $'1\na b'
  zproc del k
  zproc set k 2
  poll_until out_is $'1\na b\n\n2'
}

@test "so many events" {
  sets k 1 2 3
  expect 0 $'1\n2' zproc watch k --after 0 --count 2
  zproc del k
  expect 0 $'3\n{"deleted":true}' zproc --json watch k --after 2 --count 2
  expect_error 2 "*--count*" zproc watch k --count 0
}

@test "more than fit at once" {
  for i in $(seq 300); do zproc incr k; done >/dev/null
  zproc watch k --count 300 --after 0 >"$BATS_TEST_TMPDIR/out"
  diff "$BATS_TEST_TMPDIR/out" <(seq 300)
}

@test "time is up, after all that is there" {
  sets k 1 2 3
  expect 124 $'1\n2\n3' zproc watch k --follow --after 0 --timeout 0
  expect 124 '' zproc watch k --follow --timeout 20ms
}

@test "lines: control characters as JSON, or NUL between" {
  sets k $'a\nb' '"c"' '{"d": [1]}'
  expect 124 $'"a\\nb"\nc\n{"d":[1]}' zproc watch k -f --after 0 -t 0
  zproc watch k -f0 --after 0 -t 0 >"$BATS_TEST_TMPDIR/out" 2>&1 || :
  [ "$(head -c 13 "$BATS_TEST_TMPDIR/out" | tr '\0\n' '|/')" = 'a/b|c|{"d":[1' ]
  expect_error 2 "*--follow*" zproc watch k -0
}

@test "what is printed" {
  sets a 1
  sets b 2
  expect 124 $'1\n2' zproc watch a b -f --after 0 -t 0 --print value
  expect 124 $'{"a":1}\n{"a":1,"b":2}' zproc watch -f --after 0 -t 0 --print snapshot
  [ "$(zproc watch k a -f --after 0 -t 0 2>/dev/null | cut -c 1-9)" = '{"rev":1,' ]
}

@test "edge and level" {
  sets n 1 5 6 0 9
  expect 124 $'5\n6\n0\n9' zproc watch --not-equal n=1 -f --after 1 --next --level -t 0
  expect 124 5 zproc watch --not-equal n=1 -f --after 1 --next -t 0
  [ "$(zproc watch --when 'n > 2' -f --after 0 -t 0 2>/dev/null | cut -c 8)" = $'2\n5' ]
  expect 124 9 zproc watch --truthy n -f -t 0
  expect 124 '' zproc watch --truthy n -f -t 0 --next
  expect_error 2 "*--follow*" zproc watch --level k
}

@test "a session goes on where it was acknowledged, from one call to the next" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  sets k 1 2 3 4
  expect 0 $'1\n2' zproc watch k --session s --count 2
  expect 0 3 zproc watch k --session s --count 1
  expect 124 4 zproc watch k --session s --follow --timeout 0
  expect 124 '' zproc watch k --session s --follow --timeout 0
}

@test "events that could not be printed come again" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  sets k 1 2
  local status=0
  zproc watch k --session s --count 2 >/dev/full 2>/dev/null || status=$?
  [ "$status" = 125 ]
  poll_until sh -c '[ "$(zproc watch k --session s --count 2 -t 1s 2>/dev/null | tr "\n" ,)" = 1,2, ]'
}

@test "a command for every event" {
  sets k 1 'a b'
  zproc del k
  # shellcheck disable=SC2016
  expect 0 $'k=1 rev 1 del [] {"k":1}\nk=a b rev 2 del [] {"k":"a b"}\nk= rev 3 del [1] {}' \
    zproc watch k --after 0 --count 3 -- \
    sh -c 'echo "$ZPROC_KEY=$ZPROC_VALUE rev $ZPROC_REVISION del [$ZPROC_DELETED] $(cat)"'
}

@test "a command's long value comes as a file" {
  head -c 100000 /dev/zero | tr '\0' x | zproc set k -
  # shellcheck disable=SC2016
  expect 0 "[] 100000" zproc watch k --after 0 --count 1 -- \
    sh -c 'echo "[$ZPROC_VALUE] $(wc -c <"$ZPROC_VALUE_FILE")"'
}

@test "a command's status ends it, and its event comes again" {
  expect_error 124 "*" zproc watch k --session s --timeout 0
  sets k 1 2 3
  # shellcheck disable=SC2016
  expect 7 $'1\n2' zproc watch k --session s -- sh -c 'echo "$ZPROC_VALUE"; [ "$ZPROC_VALUE" != 2 ] || exit 7'
  # shellcheck disable=SC2016
  expect 137 '' zproc watch k --session s -- sh -c 'kill -9 $$'
  expect_error 127 "*nonesuch*" zproc watch k --session s -- nonesuch
  expect_error 126 "*" zproc watch k --session s -- /dev/null
  # shellcheck disable=SC2016
  expect 124 $'2\n3' zproc watch k --session s --timeout 0 -- sh -c 'echo "$ZPROC_VALUE"'
}

@test "failures of zproc are told from the command's" {
  expect_error 2 "*" zproc watch --when 'a +' -- true
  expect_error 2 "*no command*" zproc watch k --
  expect_error 2 "*--print*" zproc watch k --print event -- true
  ZPROC_ADDRESS=ipc:///nonexistent expect_error 125 "*cannot reach*" zproc watch k -- true
  ZPROC_SESSION=unknown expect_error 125 "*session*" zproc watch k -- true
}

@test "signals end the command and the watch" {
  # shellcheck disable=SC2016
  follow_start zproc watch k -- sh -c 'trap "echo ended; exit 3" TERM; echo started; while :; do sleep 0.01; done'
  zproc set k 1
  poll_until out_is started
  kill -TERM "$FOLLOW_PID"
  local status=0
  wait "$FOLLOW_PID" || status=$?
  FOLLOW_PID=
  [ "$status" = 143 ] || [ "$status" = 3 ]
  poll_until out_is $'started\nended'
}

@test "events" {
  sets k 1
  sets other 2
  zproc del k
  zproc events --after 0 --timeout 0 2>/dev/null | sed 's/"time":[0-9]*/"time":0/' >"$BATS_TEST_TMPDIR/out" || :
  out_is '{"rev":1,"ns":"default","time":0,"changes":[{"key":"k","value":1}],"identical":false}
{"rev":2,"ns":"default","time":0,"changes":[{"key":"other","value":2}],"identical":false}
{"rev":3,"ns":"default","time":0,"changes":[{"key":"k","old":1,"deleted":true}],"identical":false}'
  [ "$(zproc events k --after 0 --count 2 | cut -c 1-9)" = $'{"rev":1,\n{"rev":3,' ]
  [ "$(zproc events --prefix o --after 0 --count 1 --print value)" = 2 ]
}

@test "within a run it outlives the server" {
  server_stop
  server_start --persist "$BATS_TEST_TMPDIR/state" --durability process --address "ipc://$BATS_TEST_TMPDIR/s"
  expect_error 124 "*" zproc watch k --session s --timeout 0
  ZPROC_RUN=x follow_start zproc watch k --session s --count 4
  sets k 1 2
  poll_until out_is $'1\n2'
  kill -9 "$SERVER_PID"
  wait "$SERVER_PID" || :
  server_start --persist "$BATS_TEST_TMPDIR/state" --durability process --address "ipc://$BATS_TEST_TMPDIR/s"
  sets k 3 4
  follow_end 0
  out_is $'1\n2\n3\n4'
  expect 124 '' zproc watch k --session s --follow --timeout 0
}

@test "within a run it outlives the server before its first event too, without a session" {
  server_stop
  local options=(--persist "$BATS_TEST_TMPDIR/state" --durability process --address "ipc://$BATS_TEST_TMPDIR/s")
  server_start "${options[@]}"
  zproc set k 0
  for command in "watch k --follow --count 2" "watch k --live --count 2" "events --print value --count 2"; do
    # shellcheck disable=SC2086
    ZPROC_RUN=x follow_start zproc $command
    kill -9 "$SERVER_PID"
    wait "$SERVER_PID" || :
    # It tries while nobody is there, and sees what is written before it is back.
    read -rt 0.3 <> <(:) || :
    kill -STOP "$FOLLOW_PID"
    server_start "${options[@]}"
    sets k 1 2
    kill -CONT "$FOLLOW_PID"
    follow_end 0
    out_is $'1\n2'
  done
  ZPROC_RUN=x expect 0 2 zproc watch --equal k=2 --count 1
}

@test "what fell off the log is told, and the rest follows" {
  server_stop
  server_start --log-limit 64k
  expect_error 124 "*" zproc watch k --session s --timeout 0
  for i in $(seq 40); do printf 'text %010000d' "$i" | zproc set k -; done
  local status=0
  zproc watch k --session s --count 2 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  [ "$status" = 5 ]
  [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 2 ]
  grep -q "revisions have fallen off" "$BATS_TEST_TMPDIR/err"
}

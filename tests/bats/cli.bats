#!/usr/bin/env bats
# The command line itself: options, help, messages. No server is needed.

load helper

@test "without a command: the list of commands" {
  run -0 zproc
  [[ $output == *"Read the state:"* ]]
  [[ $output == *"get [KEY]"* ]]
  [ "$output" = "$(zproc help)" ]
  [ "$output" = "$(zproc --help)" ]
}

@test "version" {
  run -0 zproc --version
  [[ $output == "zproc "[0-9]*.[0-9]*.[0-9]* ]]
}

@test "every command has a help of one screen" {
  zproc help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' >"$BATS_TEST_TMPDIR/commands"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -ge 20 ]
  while read -r command; do
    run -0 zproc "$command" --help
    [[ ${lines[0]} == "Usage: zproc $command"* ]]
    [ "${#lines[@]}" -le 40 ]
    [ "$output" = "$(zproc help "$command")" ]
  done <"$BATS_TEST_TMPDIR/commands"
}

@test "help on a terminal is broken at words to fit, and loses none" {
  on_terminal() { # COLUMNS COMMAND...
    python3 - "$@" <<'PYTHON'
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
text = b""
try:
    while part := os.read(fd, 65536):
        text += part
except OSError:
    pass
os.waitpid(pid, 0)
sys.stdout.write(text.replace(b"\r\n", b"\n").decode())
PYTHON
  }
  for command in help 'help watch' 'help map' 'help atomic'; do
    # shellcheck disable=SC2086
    on_terminal 60 zproc $command >"$BATS_TEST_TMPDIR/narrow"
    run -0 sed '/^Examples:/,$d' "$BATS_TEST_TMPDIR/narrow"
    for line in "${lines[@]}"; do [ "${#line}" -le 60 ]; done
    # shellcheck disable=SC2086
    [ "$(tr -s ' \n' '\n\n' <"$BATS_TEST_TMPDIR/narrow")" = "$(zproc $command | tr -s ' \n' '\n\n')" ]
  done
}

@test "unknown commands and options" {
  expect_error 2 "zproc: unknown command 'gte'; did you mean 'get'?" zproc gte
  expect_error 2 "zproc: unknown command 'frobnicate'; 'zproc help' lists them" zproc frobnicate
  expect_error 2 "zproc: unknown command 'gte'; *" zproc help gte
  expect_error 2 "zproc: unknown command 'status'; that is 'zproc ps' here" zproc status
  expect_error 2 "zproc: get: unknown option '--arg'" zproc get --arg N x k
  expect_error 2 "zproc: get: unknown option '--defalut'; did you mean '--default'?" zproc get --defalut 1 x
  expect_error 2 "zproc: get: unknown option '-Z'" zproc get -Z x
  expect_error 2 "zproc: unknown option '--addres'; did you mean '--address'?" zproc --addres x get
}

@test "long names are never cut short" {
  expect_error 2 "*unknown option '--def'*" zproc get --def 1 x
}

@test "what is not built is refused" {
  expect_error 2 "zproc: 'history' is not supported yet; .zproc/logs has the last runs*" zproc history
  expect_error 2 "*'--durability' needs a folder; add --persist DIR*" zproc server --durability always
  expect_error 2 "*'--repair' needs a folder*" zproc server --repair
  expect_error 2 "*'often' is none of always*" zproc server --durability often
  expect_error 2 "*keeps nothing*" zproc server --persist /tmp/x --durability none
}

@test "options need their values, flags take none" {
  expect_error 2 "*'--default' needs a value*" zproc get x --default
  expect_error 2 "*'--default' needs a value*" zproc get x -d
  expect_error 2 "*'--json' takes no value" zproc get x --json=1
  expect_error 2 "*'--at' needs a number*" zproc get x --at soon
  expect_error 2 "*'--at' needs a number*" zproc get x --at 99999999999999999999
}

@test "numbers of operands" {
  expect_error 2 "*too many operands; usage: zproc get \[KEY\]" zproc get a b
  expect_error 2 "*an operand is missing; usage: zproc set KEY VALUE" zproc set a
  expect_error 2 "*an operand is missing*" zproc del
  expect_error 2 "*without '--absent'*" zproc cas k a
  expect_error 2 "*with '--absent'*" zproc cas k a b --absent
}

@test "values" {
  expect_error 2 "*1e999*" zproc set k 1e999
  expect_error 2 "*9223372036854775808*" zproc set k 9223372036854775808
  expect_error 2 "*bad value*" zproc set -J k word
  expect_error 2 "*not valid UTF-8*" zproc set k $'\xff'
  expect_error 2 "*no-such-file*" zproc set k @no-such-file
  expect_error 2 "*exclude each other*" zproc set -s -J k v
  expect_error 2 "*not a number*" zproc incr k word
  expect_error 2 "*KEY=VALUE*" zproc update a
  expect_error 2 "*KEY=VALUE*" zproc update =a
}

@test "watch conditions" {
  expect_error 2 "*one condition*" zproc watch --when a --none b
  expect_error 2 "*one condition*" zproc watch --none a --none b
  expect_error 2 "*either KEYs*" zproc watch a --when b
  expect_error 2 "*--print*" zproc watch a --print colour
  expect_error 2 "*--print value*" zproc watch --when a --print value
  expect_error 2 "*--timeout*" zproc watch a --timeout soon
  expect_error 2 "*exclude each other*" zproc watch a --live --after 3
  expect_error 2 "*on its own*" zproc watch 'a#/b' c
}

@test "options that would do nothing are refused" {
  expect_error 2 "*--default*" zproc get x -s
  expect_error 2 "*--default*" zproc pop x -J
  for option in --namespace=x --session=x --json --quiet --verbose; do
    expect 2 "" zproc server "$option"
  done
  expect_error 2 "*'--json' has no meaning*" zproc server --json
}

@test "no server is known" {
  cd "$BATS_TEST_TMPDIR"
  expect_error 3 "zproc: get: no state server is known*--address*zproc server*" zproc get x
  ZPROC_ADDRESS=none expect_error 3 "*'none'*" zproc get x
}

@test "nobody listens" {
  expect_error 3 "*cannot reach the state server at ipc://$BATS_TEST_TMPDIR/none: there is no such socket" \
    zproc -a "ipc://$BATS_TEST_TMPDIR/none" get x
  expect_error 3 "*cannot reach*nobody listens there" zproc get x --address=ipc://@nobody-is-here
  expect_error 3 "*cannot reach*nobody listens there" zproc get x -atcp://127.0.0.1:1
  expect_error 2 "*an address is*" zproc -a nonsense get x
}

@test "the folder's run has the address" {
  cd "$BATS_TEST_TMPDIR"
  mkdir .zproc
  echo ipc://@nobody-is-here >.zproc/address
  expect_error 3 "*ipc://@nobody-is-here*" zproc get x
  ZPROC_ADDRESS=ipc://@another expect_error 3 "*ipc://@another*" zproc get x
}

@test "quiet says nothing" {
  expect_error 3 "" zproc -q -a ipc://@nobody-is-here get x
}

@test "output that cannot be written is an error" {
  local status=0
  zproc help >/dev/full 2>"$BATS_TEST_TMPDIR/stderr" || status=$?
  [ "$status" = 125 ]
  [[ $(cat "$BATS_TEST_TMPDIR/stderr") == *"cannot write to standard output"* ]]
}

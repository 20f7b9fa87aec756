#!/usr/bin/env bats
# attach, and workers with a terminal.

load helper
load run-helper

teardown() {
  [ ! -e .zproc/address ] || zproc down >/dev/null 2>&1 || :
}

@test "attach on a terminal: typing, size, several, detaching, the end" {
  python3 "$BATS_TEST_DIRNAME/attach.py" 3>&-
}

@test "attach: what cannot be attached to" {
  expect_error 3 "*'zproc up' starts one*" zproc attach x
  manifest <<'END'
version: 1
workers: {plain: {run: sleep 100}}
END
  zproc up -q >/dev/null
  expect_error 2 "*'plain' has no terminal; give it 'tty: true'*" zproc attach plain
  expect_error 1 "*no worker 'plan'; did you mean 'plain'?*" zproc attach plan
  expect_error 2 "*are no keys*" zproc attach --detach-keys ctrl-5 plain
  expect_error 2 "*are no keys*" zproc attach --detach-keys "" plain
  expect_error 2 "*an operand is missing*" zproc attach
  zproc down
}

@test "a worker with a terminal: result, log, typing from a pipe" {
  manifest <<'END'
version: 1
workers:
  asks: {run: 'test -t 0 && test -t 1 && test -t 2 || exit 3; read -r line; echo "got $line"', tty: true}
END
  zproc up -q --wait >/dev/null
  echo something | zproc attach asks >out
  grep -q "got something" out
  run zproc wait asks
  [ "$output" = "got something" ]
  zproc logs asks | grep -q "got something"
}

@test "tty and stdin exclude each other" {
  manifest <<'END'
version: 1
workers: {a: {run: cat, tty: true, stdin: {text: x}}}
END
  expect_error 2 "*'stdin' and 'tty: true' exclude each other*" zproc check
}

#!/usr/bin/env bats
# Completions as shells ask for them. The scripts are made from the command table.

load ../bats/helper

FOLDER=$BATS_TEST_DIRNAME/../../cmd/zproc/completions

teardown() {
  server_stop
}

# bash_complete WORD…: completes the last one; the proposals in one line.
bash_complete() {
  # shellcheck disable=SC2016
  bash --norc -c '. "$1/zproc.bash"; shift; COMP_WORDS=(zproc "$@"); COMP_CWORD=$#; _zproc; echo "${COMPREPLY[*]}"' \
    - "$FOLDER" "$@"
}

fish_complete() {
  fish --no-config -c "source $FOLDER/zproc.fish; complete -C '$1'" | cut -f 1 | tr '\n' ' '
}

@test "bash completes commands" {
  expect 0 "get go-live" bash_complete g
  expect 0 "setdefault" bash_complete setd
  expect 0 "pop popitem" bash_complete pop
  expect 0 "watch" bash_complete -n other --json wat
  expect 0 "setdefault" bash_complete help setd
}

@test "bash completes options of the command and global ones" {
  expect 0 "--default" bash_complete get --def
  expect 0 "--null --namespace --no-color" bash_complete keys --n
  expect 0 "--json" bash_complete --js
  expect 0 "" bash_complete get --default --js
}

@test "bash completes keys from the server, and nothing without one" {
  server_start --address "ipc://$BATS_TEST_TMPDIR/s"
  zproc update cookies=1 cake=2 pizza=3
  expect 0 "cookies cake" bash_complete get c
  expect 0 "pizza" bash_complete watch --timeout 5s --truthy p
  expect 0 "" bash_complete get --at c
  expect 0 "cookies" bash_complete incr coo
  server_stop
  expect 0 "" bash_complete get c
}

@test "bash proposes nothing it does not know" {
  export ZPROC_ADDRESS=none
  expect 0 "" bash_complete frobnicate x
  expect 0 "" bash_complete len x
}

@test "bash completes a command after --" {
  [[ $(bash_complete watch -- prin) == *printf* ]]
}

@test "fish completes commands, options and keys" {
  command -v fish >/dev/null || skip "fish is not installed"
  server_start --address "ipc://$BATS_TEST_TMPDIR/s"
  zproc update cookies=1 cake=2 pizza=3
  expect 0 "get go-live " fish_complete "zproc g"
  expect 0 "--default " fish_complete "zproc get --def"
  expect 0 "cake cookies " fish_complete "zproc get c"
}

@test "the script for zsh is well-formed and defines its function" {
  command -v zsh >/dev/null || skip "zsh is not installed"
  zsh -f -n "$FOLDER/zproc.zsh"
  # shellcheck disable=SC2016
  expect 0 "_zproc" zsh -f -c 'autoload -U compinit; compinit -D -u; fpath=('"$BATS_TEST_TMPDIR"' $fpath)
    cp '"$FOLDER"'/zproc.zsh '"$BATS_TEST_TMPDIR"'/_zproc; compinit -D -u; print ${_comps[zproc]}'
}

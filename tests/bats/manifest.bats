#!/usr/bin/env bats
# The manifest from outside: files that lie over one another, and what workers get.
load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  mkdir work && cd work || return 1
}

@test "of several -f the later lies over the earlier; null takes a worker out" {
  cat > a.yaml <<'Y'
version: 1
vars: {who: you}
workers:
  hello: {run: 'echo hello ${{ vars.who }}'}
  noise: {run: 'exit 3'}
Y
  cat > b.yaml <<'Y'
vars: {who: world}
workers: {noise: null}
Y
  run --separate-stderr zproc run -f a.yaml -f b.yaml
  [ "$status" = 0 ]
  [ "$output" = "hello | hello world" ]
  run --separate-stderr zproc run -f a.yaml -f b.yaml --var who=all
  [ "$output" = "hello | hello all" ]
  run zproc check -f a.yaml -f b.yaml
  [ "$output" = "a.yaml: ok, 1 worker" ]
}

@test "a problem names the file that it stands in" {
  printf 'version: 1\nworkers:\n  a: {run: x}\n' > a.yaml
  printf 'workers:\n  a: {timout: 5s}\n' > b.yaml
  run zproc check -f a.yaml -f b.yaml
  [ "$status" = 2 ]
  [ "${lines[0]}" = "b.yaml:2:7: unknown key 'timout'; did you mean 'timeout'?" ]
}

@test "an included file's workers run in its folder, under its prefix" {
  mkdir sub
  cat > zproc.yaml <<'Y'
version: 1
include: [{file: sub/part.yaml, prefix: p.}]
workers:
  top: {run: pwd, needs: [p.second]}
Y
  cat > sub/part.yaml <<'Y'
workers:
  first: {run: 'pwd'}
  second: {run: 'echo ${{ needs.first.result }}', needs: [first]}
Y
  run --separate-stderr zproc run --output raw
  [ "$status" = 0 ]
  [ "${lines[*]}" = "$PWD/sub $PWD/sub $PWD" ]
}

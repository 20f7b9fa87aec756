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

@test "variables come from files, the worker's over the manifest's, env over files" {
  printf 'A=file\nB=file\nC=file\nD=file\nexport E="two\\nlines"\n' > one.env
  printf 'C=worker file\nD=worker file\n' > two.env
  cat > zproc.yaml <<'Y'
version: 1
env_file: one.env
env: {B: env, C: env}
workers:
  w:
    env_file: {file: two.env, required: true}
    env: {D: worker env}
    run: echo "$A,$B,$C,$D,$E,$F"
Y
  export A=outer F=outer
  run --separate-stderr zproc run --output raw
  [ "$output" = $'file,env,worker file,worker env,two\nlines,outer' ]
  printf 'A=1\nB\x27=2\n' > two.env
  run zproc check
  [ "$status" = 2 ]
  [ "${lines[0]}" = "two.env:2:2: a '=' is missing behind the name 'B'" ]
}

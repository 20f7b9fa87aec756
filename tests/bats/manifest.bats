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

@test "who names a worker that is not there is told what there is" {
  printf 'version: 1\nworkers:\n  build: {run: x}\n' > zproc.yaml
  expect_error 2 "zproc.yaml: no worker 'biuld'; did you mean 'build'?*" zproc run biuld
  expect_error 2 "zproc.yaml: no worker 'other'; 'zproc run --dry-run' lists them*" zproc run other
}

@test "a problem names the file that it stands in" {
  printf 'version: 1\nworkers:\n  a: {run: x}\n' > a.yaml
  printf 'workers:\n  a: {timout: 5s}\n' > b.yaml
  run zproc check -f a.yaml -f b.yaml
  [ "$status" = 2 ]
  [ "${lines[0]}" = "b.yaml:2:7: unknown key 'timout'; did you mean 'timeout'?" ]
}

@test "a manifest can come from standard input or another pipe: its folder is the current one" {
  local text='{version: 1, workers: {a: {run: pwd}}}'
  run --separate-stderr zproc run -f - <<<"$text"
  [ "$status" = 0 ]
  [ "$output" = "a | $PWD" ]
  run --separate-stderr zproc run -f <(echo "$text")
  [ "$output" = "a | $PWD" ]
  expect_error 2 "-:1:1: *'version'*" zproc check -f - <<<'{workers: {a: {run: x}}}'
  expect_error 2 "-: standard input has nothing more; name a manifest with -f FILE*" zproc check -f - </dev/null
  expect 2 "" zproc check -f .
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

@test "standard input: nothing, a text, a file, that of zproc" {
  printf 'of the file\n' > input
  cat > zproc.yaml <<'Y'
version: 1
run: {jobs: 1}
workers:
  nothing: {run: 'wc -c'}
  text: {run: cat, stdin: {text: "worker ${{ worker }}\n"}, needs: [nothing]}
  file: {run: cat, stdin: {file: input}, needs: [text]}
  outer: {run: cat, stdin: inherit, needs: [file]}
Y
  run --separate-stderr zproc run --output raw <<< "of zproc"
  [ "$status" = 0 ]
  [ "$output" = $'0\nworker text\nof the file\nof zproc' ]
  [ -z "$(ls .zproc/logs/latest/ | grep stdin)" ]
  sed -i 's/file: input/file: gone/' zproc.yaml
  run -127 zproc run
  [[ $output == *"cannot open the input '$PWD/gone'"* ]]
}

@test "a trigger reads the snapshot, or nothing when it says null" {
  cat > zproc.yaml <<'Y'
version: 1
workers:
  set: {run: zproc set a 1}
  default: {trigger: {change: [a], max: 1}, run: cat}
  empty: {trigger: {change: [a], max: 1}, run: 'wc -c', stdin: null}
Y
  run --separate-stderr zproc run
  [ "$status" = 0 ]
  [[ $output == *'default | {"a":1}'* ]]
  [[ $output == *'empty   | 0'* ]]
}

@test "limits hold in the worker" {
  cat > zproc.yaml <<'Y'
version: 1
run: {fail: keep-going}
workers:
  shown:
    limits: {nofile: 77, core: 0, cpu_time: 1h, address_space: 4GiB, nice: 7}
    run: echo "$(ulimit -n) $(ulimit -c) $(ulimit -t) $(ulimit -v) $(nice)"
Y
  run --separate-stderr zproc run --output raw
  [ "$output" = "77 0 3600 4194304 7" ]
  cat > zproc.yaml <<'Y'
version: 1
workers: {spin: {limits: {cpu_time: 1}, run: 'while :; do :; done'}}
Y
  run zproc run
  [ "$status" = $((128 + 24)) ]
  [[ $output == *SIGXCPU* ]]
}

@test "a launcher goes in front of the command, and its status is the worker's" {
  cat > zproc.yaml <<'Y'
version: 1
run: {fail: keep-going}
launchers: {slow: {run: [nice, -n, 5]}, says: {run: [sh, -c, 'echo "${{ worker }}: $*"; exit 3', launcher]}}
workers:
  shell: {run: 'echo "$(nice) $0 $1"', args: [x], launcher: slow}
  list: {run: [nice], launcher: slow, needs: {shell: ended}}
  says: {run: [a, b], args: [c], launcher: says, needs: {list: ended}}
Y
  run --separate-stderr zproc run --output raw
  [ "$status" = 3 ]
  [ "$output" = "$(($(nice) + 5)) shell x
$(($(nice) + 5))
says: a b c" ]
}

@test "a worker runs as another user, with its groups and home, and who is not root is told early" {
  [ "$(id -u)" = 0 ] || skip "needs root"
  cat > zproc.yaml <<'Y'
version: 1
defaults: {stateful: false, dir: /, env: {LOGNAME: mine}}
workers:
  a: {user: nobody, run: 'echo "$(id -u) $(id -g) $HOME $USER $LOGNAME"'}
  b: {user: "4711:4712", run: 'echo "$(id -u) $(id -g) $(id -G) $HOME"', needs: [a]}
  c: {user: "nobody:daemon", run: 'id -gn', needs: [b]}
Y
  run --separate-stderr zproc run --output raw
  home=$(getent passwd nobody | cut -d: -f6)
  [ "$status" = 0 ]
  [ "${lines[0]}" = "$(id -u nobody) $(id -g nobody) $home nobody mine" ]
  [ "${lines[1]}" = "4711 4712 4712 /" ]
  [ "${lines[2]}" = "daemon" ]
  printf 'version: 1\nworkers: {a: {run: x, user: nobdoy}}\n' > zproc.yaml
  run zproc run
  [ "$status" != 0 ]
  [[ $output == *"zproc.yaml:2: the worker 'a' has 'user: nobdoy': there is no user 'nobdoy'"* ]]
  printf 'version: 1\nworkers: {a: {run: x, user: nobody}}\n' > zproc.yaml
  run zproc run
  [ "$status" = 2 ]
  [[ $output == *"this user cannot reach the state"*"stateful: false"* ]]
}

@test "run.keep says how many runs' logs are kept" {
  printf 'version: 1\nrun: {keep: 2}\nworkers: {a: {run: "true"}}\n' > zproc.yaml
  for _ in 1 2 3 4; do zproc run -q; done
  [ "$(ls .zproc/logs | grep -c '^2')" = 2 ]
  [ -e .zproc/logs/latest/a.log ]
}

@test "a matrix runs every combination; names keep their spelling, and log files are apart" {
  cat > zproc.yaml <<'Y'
version: 1
run: {jobs: 1}
workers:
  test:
    matrix: {os: [a/b, a_b, "../x"], py: [3.10], include: [{os: c, py: "3.9", extra: true}], exclude: [{os: a_b}]}
    run: printf '%s %s %s\n' ${{ quote(matrix.os) }} ${{ quote(matrix.py) }} "$A"
    env: {A: '${{ has(matrix.extra) ? "more" : "" }}'}
  after: {needs: [test], run: "echo ${{ size(needs.test) }} ${{ needs.test[0].status }}"}
Y
  sed -i 's/, exclude: \[{os: a_b}\]//' zproc.yaml
  run --separate-stderr zproc run --output raw
  [ "$status" = 0 ]
  [ "${lines[0]}" = "a/b 3.10 " ]
  [ "${lines[1]}" = "a_b 3.10 " ]
  [ "${lines[2]}" = "../x 3.10 " ]
  [ "${lines[3]}" = "c 3.9 more" ]
  [ "${lines[4]}" = "4 succeeded" ]
  cd .zproc/logs/latest/
  [[ $(cat 'test[a%2Fb,3.10].log') == *"a/b 3.10"* ]]
  [[ $(cat 'test[a_b,3.10].log') == *"a_b 3.10"* ]]
  [[ $(cat 'test[..%2Fx,3.10].log') == *"../x 3.10"* ]]
}

@test "the first instance of a matrix that fails stops the others, and only them" {
  cat > zproc.yaml <<'Y'
version: 1
run: {fail: keep-going}
workers:
  test: {matrix: {n: [1, 2, 3]}, run: 'test ${{ matrix.n }} != 2 || exit 7; sleep 60'}
  other: {run: 'echo went on', needs: {test: ended}}
Y
  run zproc run
  [ "$status" = 7 ]
  [[ $output == *"other   | went on"* ]]
  [[ $output == *"test[1]  stopped"*"stopped because test[2] failed"* ]]
}

@test "an instance of a matrix is controlled by its name" {
  cat > zproc.yaml <<'Y'
version: 1
workers:
  test: {matrix: {n: [1, 2.0]}, run: 'sleep 60', service: true}
  other: {run: 'zproc stop "test[2.0]"; zproc ps; zproc scale test=2 || echo "status $?"', needs: {test: ready}}
Y
  run zproc run --output raw
  [ "$status" = 0 ]
  [[ $output == *"test[1] "*"ready"* ]]
  [[ $output == *"test[2.0] "*"stopped"* ]]
  [[ $output == *"'test' has a matrix"* ]]
}

@test "--dry-run shows every instance, with what is known filled in" {
  cat > zproc.yaml <<'Y'
version: 1
vars: {x: 1}
workers:
  a: {matrix: {n: [1, 2]}, run: 'a ${{ matrix.n }} ${{ vars.x }}', needs: [b]}
  b: {run: 'b ${{ env.HOME }} ${{ run.id }}', replicas: 2}
Y
  run zproc run --dry-run --var x=9
  [ "${lines[0]}" = 'b x2  job  at once            b ${{ env.HOME }} ${{ run.id }}' ]
  [ "${lines[1]}" = 'a[1]  job  after b succeeded  a 1 9' ]
  [ "${lines[2]}" = 'a[2]  job  after b succeeded  a 2 9' ]
}

@test "args come behind the command, in both forms; others and more variables from the first retry on" {
  cat > zproc.yaml <<'Y'
version: 1
run: {jobs: 1}
templates:
  again: {retry: {max: 1, delay: 0s, args: [third, "3.10"], env: {MODE: careful}}}
  both: {extends: again, args: [first, '${{ worker }}'], env: {MODE: fast}}
defaults: {timeout: 1m, args: [nobody]}
workers:
  list: {extends: both, run: [sh, -c, 'echo "$0 $1 $MODE"; test "$MODE" = careful']}
  shell: {extends: both, run: 'echo "$0 $1 $2 $MODE"; test "$MODE" = careful', needs: [list]}
  none: {run: 'echo "$# $*"', args: null, needs: [shell]}
  default: {run: 'echo "$# $*"', needs: [none]}
Y
  run --separate-stderr zproc run --output raw
  [ "$status" = 0 ]
  [ "${lines[0]}" = "first list fast" ]
  [ "${lines[1]}" = "third 3.10 careful" ]
  [ "${lines[2]}" = "shell first shell fast" ]
  [ "${lines[3]}" = "shell third 3.10 careful" ]
  [ "${lines[4]}" = "0 " ]
  [ "${lines[5]}" = "1 nobody" ]
}

@test "YAML anchors stand for what they name; names that are not defined fail the worker that uses them" {
  cat > zproc.yaml <<'Y'
version: 1
x-env: &env {A: 3.10}
workers:
  a: {run: 'echo "$A [${{ env.NOTHING }}]"', env: *env}
  b: {run: 'echo ${{ quote(env.B) }}', env: {B: "it's $A"}, needs: [a]}
  c: {run: 'echo ${{ vars[env.NOTHING] }}', needs: [b]}
Y
  run zproc run --output raw
  [ "$status" != 0 ]
  [ "${lines[0]}" = "3.10 []" ]
  [ "${lines[1]}" = "it's \$A" ]
  [[ $output == *"cannot fill in"*"vars[env.NOTHING]"* ]]
}

@test "check names all problems at once" {
  cat > zproc.yaml <<'Y'
version: 1
workers:
  a: {run: x, needs: [bb], timeout: soon}
  b: {run: 'x ${{ vars.y }} ${{ needs.a.result }}', matrix: {n: []}, limits: {nice: 99}}
Y
  run zproc check
  [ "$status" = 2 ]
  [ "${lines[-1]}" = "zproc: zproc.yaml: 6 problems" ]
}

#!/usr/bin/env bats
# `zproc map`: a command for each item, the results in order.

load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
  if [ -n "${MAP_PID:-}" ]; then
    kill -KILL "$MAP_PID" 2>/dev/null || :
    wait "$MAP_PID" 2>/dev/null || :
  fi
  server_stop
}

# map_start ARGUMENTS…: in the background; sets MAP_PID.
map_start() {
  setsid zproc map "$@" >out 2>err 3>&- &
  MAP_PID=$!
}

# map_end STATUS
map_end() {
  local status=0
  wait "$MAP_PID" || status=$?
  MAP_PID=
  [ "$status" = "$1" ] || {
    echo "status $status, expected $1"
    cat out err
    return 1
  }
}

stderr_is() {
  [ "$(cat stderr)" = "$1" ] || {
    cat stderr
    return 1
  }
}

nothing_runs() {
  # shellcheck disable=SC2046
  dead $(cat pids)
}

# ---- Items ----

@test "items behind ':::', from standard input, from a file, with NUL characters, as JSON" {
  expect 0 $'<a>\n<b c>' zproc map -- printf '<%s>\n' ::: a 'b c'
  [ "$(printf 'a\n\n b \nlast' | zproc map -- printf '<%s>\n')" = $'<a>\n<>\n< b >\n<last>' ]
  printf 'x\ny\n' >items
  expect 0 $'x\ny' zproc map -a items -- echo
  [ "$(printf 'a\nb\0c\0' | zproc map -0 -- printf '<%s>\n')" = $'<a\nb>\n<c>' ]
  printf '"two words"\n\n{"a": 1.10}\n "\\u00e9\\n" \nnull\n' >json
  expect 0 $'<two words>\n<{"a":1.10}>\n<é\n>\n<null>' zproc map --json-lines -a json -- printf '<%s>\n'
  expect 0 "" zproc map -a /dev/null -- echo
  expect 0 "" zproc map -- echo :::
}

@test "the item is the last argument, or stands where {} is, and in the environment with its number" {
  expect 0 $'a b\na c' zproc map -- echo a ::: b c
  expect 0 $'b.txt-b a' zproc map -- echo '{}.txt-{}' a ::: b
  expect 0 $'0 x\n1 y' zproc map -- sh -c 'echo $ZPROC_INDEX $ZPROC_ITEM' ::: x y
  expect 0 $'x y' zproc map -- sh -c 'echo "$1"' sh ::: 'x y'
}

@test "an item longer than a variable comes as a file; one longer than an argument fails" {
  head -c 100000 /dev/zero | tr '\0' x >long
  [ "$(zproc map -a long -- sh -c 'echo "<$ZPROC_ITEM>"; wc -c <"$ZPROC_ITEM_FILE"')" = $'<>\n100000' ]
  head -c 200000 /dev/zero | tr '\0' x >long
  expect_error 126 "*item 0 'xxx*...'*128 KiB*--lines*" zproc map -a long -- true
  [ "$(zproc map --lines -a long -- cat | wc -c)" = 200001 ]
}

@test "a command that is no program: 127 or 126, and nothing more is tried" {
  expect_error 127 "*item 0 'a'*no-such-command*PATH*" zproc map -k -- no-such-command ::: a b
  [ "$(grep -c "no-such-command" stderr)" = 1 ]
  touch plain
  expect_error 126 "*item 0 'a'*plain*" zproc map -- ./plain ::: a
  expect_error 127 "*item 1 './none'*" zproc map -k -- {} ::: true ./none true
  expect_error 127 "*no-such-command*" zproc map --lines -- no-such-command ::: a b
}

@test "bad usage is 2" {
  expect_error 2 "*no command behind '--'*" zproc map
  expect_error 2 "*behind '--'*" zproc map echo ::: a
  expect_error 2 "*no command before ':::'*" zproc map -- ::: a
  expect_error 2 "*not supported yet*" zproc map -- echo ::: a ::: b
  expect_error 2 "*from 1 to*" zproc map -j 0 -- echo ::: a
  expect_error 2 "*'--null' and '--json-lines'*" zproc map -0 --json-lines -- echo
  expect_error 2 "*'--arg-file' has no meaning*" zproc map -a x -- echo ::: a
  expect_error 2 "*no-such-file*" zproc map -a no-such-file -- echo
  expect_error 2 "*'--namespace' needs '--stateful'*" zproc map -n x -- echo ::: a
  expect_error 2 "*--json-lines*" zproc map --json -- echo ::: a
  expect_error 125 "*item 1 is no JSON*" zproc map --json-lines -a <(printf '1\n{') -- true
}

# ---- Order and streams ----

@test "results come in order, whatever takes how long" {
  expect 0 $'0\n1\n2\n3' zproc map -j4 -- sh -c 'sleep 0.$((3 - $1)); echo $1' sh ::: 0 1 2 3
}

@test "an item's output is printed as it comes once its turn has come, and items are read as they come" {
  mkfifo in
  map_start -j2 -a in -- sh -c 'echo "begin $1"; until [ -e "go.$1" ]; do sleep 0.02; done; echo "end $1"' sh
  exec 7>in
  echo a >&7
  poll_until grep -qx "begin a" out
  echo b >&7
  touch go.b
  touch go.a
  poll_until grep -qx "end b" out
  [ "$(cat out)" = $'begin a\nend a\nbegin b\nend b' ]
  exec 7>&-
  map_end 0
}

@test "no more processes than -j, and all of these at once" {
  zproc map -j3 -- sh -c 'echo + >>count; sleep 0.1; echo - >>count' ::: 1 2 3 4 5 6 7 8 9
  [ "$(awk '/\+/ { n++ } /-/ { n-- } n > most { most = n } END { print most }' count)" = 3 ]
}

@test "much output of a later item waits in a file, not in memory" {
  zproc map -j2 -- sh -c '
    if [ "$1" = 0 ]; then until [ -e done ]; do sleep 0.05; done; grep VmHWM "/proc/$PPID/status" >peak; echo first
    else head -c 300000000 /dev/zero; touch done; fi' sh ::: 0 1 >out
  [ "$(stat -c %s out)" = 300000006 ]
  [ "$(head -n 1 out)" = first ]
  # Sanitizers keep what was freed.
  grep -q __asan_init "$(command -v zproc)" || [ "$(tr -dc 0-9 <peak)" -lt 200000 ]
}

@test "output without a newline and bytes that are no text stay as they are; a held pipe does not hang" {
  [ "$(zproc map -- printf 'a\0\377' ::: x y | od -An -tx1 | tr -d ' \n')" = 6100ff6100ff ]
  expect 0 $'1\n2' zproc map -- sh -c 'sleep 5 & echo $1' sh ::: 1 2
}

@test "standard error passes through in whole lines" {
  expect 0 "" zproc map -j4 -- sh -c 'for i in 1 2 3 4 5; do printf "%s-" $1 >&2; printf "%s\n" $1 >&2; done; printf last >&2' sh ::: a b c d
  [ "$(sort stderr | uniq -c | tr -s ' ')" = $' 5 a-a\n 5 b-b\n 5 c-c\n 5 d-d\n 4 last' ]
}

@test "standard input of the command is empty" {
  [ "$(printf '1\n2\n' | zproc map -j1 -- sh -c 'cat; echo $1' sh)" = $'1\n2' ]
}

@test "input without end: head ends it" {
  [ "$(yes | timeout 20 zproc map -j2 -- echo 2>err | head -n 3)" = $'y\ny\ny' ]
  [ "$(yes | timeout 20 zproc map -j2 --lines -- cat 2>err | head -n 3)" = $'y\ny\ny' ]
  [ ! -s err ]
}

@test "a full disk is an error" {
  expect_error 125 "*cannot write to standard output: No space*" sh -c 'zproc map -- echo ::: a >/dev/full'
}

# ---- Failures ----

@test "after a failure nothing new is begun, what runs ends; the lowest item decides the status" {
  expect 3 $'0\n1' zproc map -j1 -- sh -c 'echo $ZPROC_INDEX; exit $1' sh ::: 0 3 0 4
  stderr_is $'zproc: map: item 1 \'3\': exit status 3\nzproc: map: stopped after a failure; --keep-going does the rest too'
  expect 4 $'0\n1' zproc map -j2 -- sh -c 'if [ $1 = 4 ]; then until [ -e ended ]; do sleep 0.02; done; else touch ended; fi; echo $ZPROC_INDEX; exit $1' sh ::: 4 5 0
}

@test "--keep-going does all items" {
  expect 3 $'0\n1\n2\n3' zproc map -k -j2 -- sh -c 'echo $ZPROC_INDEX; exit $1' sh ::: 0 3 0 4
  grep -q "item 1 '3': exit status 3" stderr
  grep -q "item 3 '4': exit status 4" stderr
  grep -q "2 of 4 items failed" stderr
  expect 143 "" zproc map -- sh -c 'kill -TERM $$' ::: x
  grep -q "item 0 'x': signal 15 (Terminated)" stderr
  expect 3 "" zproc map -q -- sh -c 'exit 3' ::: x
  [ ! -s stderr ]
}

@test "--retry tries an item again, and only its last output counts" {
  expect 0 $'a 3\nb 1' zproc map -j1 --retry 2 -- sh -c '
    n=$(($(cat "n.$1" 2>/dev/null || echo 0) + 1)); echo $n >"n.$1"; echo "$1 $n"; [ "$1" = b ] || [ $n = 3 ]' sh ::: a b
  grep -q "item 0 'a': exit status 1; trying again (1 of 2)" stderr
  grep -q "(2 of 2)" stderr
  expect 1 "b" zproc map --retry 1 -k -- sh -c 'echo $1 >>tries; [ $1 = b ] && echo b' sh ::: a b
  [ "$(grep -c a tries)" = 2 ]
}

@test "a line of shell in one argument is told how to be one" {
  expect_error 127 "*cannot run 'echo a x': no such command in PATH; for a line of shell write sh -c 'LINE'*" \
    zproc map -- 'echo {} x' ::: a
  expect 127 "" zproc run -- './prog --option'
  grep -q "cannot run './prog --option': it does not exist; for a line of shell write sh -c" "$BATS_TEST_TMPDIR/stderr"
  expect 127 "" zproc run -- 'no such' command
  ! grep -q "line of shell" "$BATS_TEST_TMPDIR/stderr"
}

# ---- Signals ----

@test "SIGINT and SIGTERM reach what runs, and nothing is left behind" {
  local signal
  for signal in INT:130 TERM:143; do
    rm -f pids seen
    env -u BASH_ENV bash -c 'trap - INT; exec setsid zproc map -j2 -- sh -c "
      trap \"echo \$1 >>seen; exit 9\" INT TERM; echo \$\$ >>pids; sleep 100 & echo \$! >>pids; (setsid sleep 100 & echo \$! >>pids); wait" sh ::: a b c' >out 2>err 3>&- &
    MAP_PID=$!
    poll_until sh -c 'test "$(cat pids 2>/dev/null | wc -l)" = 6'
    # A shell in the background ignores SIGINT for what it starts.
    if [ "${signal%:*}" = INT ] && ! grep -q "^SigIgn:.*0$" "/proc/$MAP_PID/status"; then
      kill -TERM "$MAP_PID"
      map_end 143
      continue
    fi
    kill "-${signal%:*}" "$MAP_PID"
    map_end "${signal#*:}"
    [ "$(sort seen)" = $'a\nb' ]
    poll_until nothing_runs
  done
}

@test "a second signal kills what does not want to end" {
  map_start -- sh -c 'trap "touch seen" TERM; echo $$ >>pids; while :; do sleep 0.05; done' ::: a
  poll_until test -s pids
  kill -TERM "$MAP_PID"
  poll_until test -e seen
  kill -0 "$MAP_PID"
  kill -TERM "$MAP_PID"
  map_end 143
  grep -qx "zproc: map: stopped by SIGTERM" err
  poll_until nothing_runs
}

@test "when the map is killed its processes end with it" {
  map_start -j2 -- sh -c 'echo $$ >>pids; exec sleep 100' ::: a b
  poll_until sh -c 'test "$(cat pids 2>/dev/null | wc -l)" = 2'
  kill -KILL "$MAP_PID"
  wait "$MAP_PID" || :
  MAP_PID=
  poll_until nothing_runs
}

# ---- Lines ----

@test "--lines: one line in, one line out, in order, by processes that stay" {
  seq 50000 >items
  zproc map --lines -j3 -a items -- sh -c 'echo $$ >>pids; exec cat' >out
  cmp items out
  [ "$(wc -l <pids)" -le 3 ]
  [ "$(printf 'a\nb' | zproc map --lines -- sed 's/$/!/')" = $'a!\nb!' ]
  expect 0 $'"a\\n"\n1' zproc map --lines --json-lines -a <(printf '"a\\n"\n 1\n') -- cat
}

@test "--lines: long lines in both directions do not block" {
  for i in 1 2 3 4; do head -c 3000000 /dev/zero | tr '\0' "$i"; echo; done >items
  timeout 60 zproc map --lines -j2 -a items -- cat >out
  cmp items out
}

@test "--lines: a process that closes its output before it has answered is ended" {
  run -143 --separate-stderr timeout 20 zproc map --lines -- sh -c 'exec >&-; exec sleep 1000' ::: a
  [[ $stderr == *"item 0 'a': signal 15"* ]]
  expect 0 a timeout 20 zproc map --lines -- sh -c 'read -r x; echo "$x"; exec >&-; read -r x; exit 0' ::: a
}

@test "--lines: a command that keeps its answers in a buffer is given more" {
  seq 20000 >items
  timeout 60 zproc map --lines -j2 -a items -- awk '{ print $1 }' >out
  cmp items out
}

@test "--lines: slow items are not piled up on one process" {
  mkfifo in
  map_start --lines -j2 -a in -- sh -c 'while read -r x; do while [ -e "hold.$x" ]; do sleep 0.02; done; echo $x >>seen; echo $x; done'
  touch hold.0
  exec 7>in
  printf '0\n1\n2\n3\n4\n5\n' >&7
  poll_until sh -c 'test "$(cat seen 2>/dev/null | wc -l)" = 5'
  rm hold.0
  exec 7>&-
  map_end 0
  [ "$(cat out)" = $'0\n1\n2\n3\n4\n5' ]
}

@test "--lines: the item that a process dies of has failed; --retry gives it to a new one" {
  expect 3 "1" zproc map --lines -j1 -- sh -c 'while read -r x; do [ $x != 2 ] || exit 3; echo $x; done' ::: 1 2 3
  grep -q "item 1 '2': exit status 3" stderr
  expect 3 $'1\n3' zproc map --lines -k -j1 -- sh -c 'while read -r x; do [ $x != 2 ] || exit 3; echo $x; done' ::: 1 2 3
  expect 0 $'1\n2\n3' zproc map --lines --retry 1 -j1 -- sh -c '
    while read -r x; do [ $x != 2 ] || [ -e tried ] || { touch tried; exit 3; }; echo $x; done' ::: 1 2 3
}

@test "--lines: more or fewer lines than items are errors" {
  run -125 --separate-stderr zproc map --lines -j1 -- sh -c 'while read -r x; do echo $x; echo more; done' ::: 1 2 3
  [ "${lines[0]}" = 1 ]
  [[ $stderr == *"printed a line that no item asked for ("* ]]
  expect 1 "" zproc map --lines -j1 -- sh -c 'read -r x' ::: 1 2 3
  grep -q "item 0 '1': exit status 0, without a line for this item" stderr
  expect_error 125 "*item 0 has a line break*" zproc map --lines -- cat ::: $'a\nb'
  expect_error 2 "*'{}' has no meaning*" zproc map --lines -- cat {} ::: a
  expect 5 $'1\n2' zproc map --lines -j1 -- sh -c 'while read -r x; do echo $x; done; exit 5' ::: 1 2
  grep -q "failed after its last item: exit status 5" stderr
}

# ---- State ----

@test "without --stateful there is no server; with it that of the run, or one for the map" {
  expect 0 none zproc map -- sh -c 'echo $ZPROC_ADDRESS' ::: x
  expect_error 3 "*address is 'none'*" zproc map -- sh -c 'zproc get a || exit' ::: x
  expect 0 $'1\n2\n3' zproc map --stateful -j1 -- zproc incr n ::: 1 1 1
  [ "$(printf 'a\nb\n' | zproc map --stateful -- echo)" = $'a\nb' ]
  expect 7 "" zproc map --stateful -- sh -c 'exit 7' ::: 1
  server_start
  expect 0 $'1\n2' zproc map --stateful -j1 -- zproc incr n ::: 1 1
  expect 0 1 zproc map --stateful -n other -- zproc incr n ::: 1
  expect 0 2 zproc get n
  expect 0 none zproc map -- sh -c 'echo $ZPROC_ADDRESS' ::: x
}

# ---- Maps of a manifest ----

manifest() {
  cat >zproc.yaml
}

@test "map: results of items in order are the worker's result, whoever ends first" {
  manifest <<'EOF'
version: 1
state: {numbers: [1, 2, 3, 4]}
workers:
  squares:
    map: {key: numbers, count: 4}
    run: |
      until [ $ZPROC_ITEM = 4 ] || [ -e ended.$((ZPROC_ITEM + 1)) ]; do sleep 0.01; done
      echo $(( ZPROC_ITEM * ZPROC_ITEM )); touch ended.$ZPROC_ITEM
  show: {run: zproc get -n zproc squares#/result >result, needs: [squares]}
EOF
  zproc run
  [ "$(cat result)" = "[1,4,9,16]" ]
}

@test "map: every source of items" {
  printf 'x\ny z' >lines
  touch b.txt a.txt
  manifest <<'EOF'
version: 1
workers:
  items: {map: {items: [a b, 3.10, {x: [1]}, ""]}, run: [printf, "<%s>"]}
  range: {map: {range: 3}, run: [printf, "<%s>"]}
  lines: {map: {lines: lines}, run: [printf, "<%s>"]}
  glob: {map: {glob: "*.txt"}, run: [printf, "<%s>"]}
  run: {map: {run: [seq, 2]}, run: [printf, "<%s>"]}
  none: {map: {glob: "*.none"}, run: [printf, "<%s>"]}
  show:
    run: for w in items range lines glob run none; do zproc get -n zproc $w#/result; done >result
    needs: [items, range, lines, glob, run, none]
EOF
  sed -i 's/^  run:/  cmd:/; s/run none/cmd none/; s/glob, run, none/glob, cmd, none/' zproc.yaml
  zproc run
  [ "$(cat result)" = '["<a b>","<3.10>","<{\"x\":[1]}>","<>"]
["<0>","<1>","<2>"]
["<x>","<y z>"]
["<a.txt>","<b.txt>"]
["<1>","<2>"]
[]' ]
}

@test "map: a list of words gets item, map.args, args; the shortest cuts off; each has its variables" {
  manifest <<'EOF'
version: 1
workers:
  words: {map: {items: [a, b, c], args: [[1], [2, 3]], env: [{V: x}, {V: y}, {V: z}]}, run: [sh, -c, 'echo $V $ZPROC_INDEX $*', sh], args: [last]}
  script: {map: {items: [a, b], args: [[1], [2]]}, run: echo $ZPROC_ITEM $*, args: [last]}
  show: {run: zproc get -n zproc words#/result >result; zproc get -n zproc script#/result >>result, needs: [words, script]}
EOF
  zproc run
  [ "$(cat result)" = '["x 0 a 1 last","y 1 b 2 3 last"]
["a 1 last","b 2 last"]' ]
}

@test "map: count and run.jobs bound how many run at once" {
  manifest <<'EOF'
version: 1
run: {jobs: 2}
workers:
  one: {map: {range: 6, count: 3}, run: 'echo + >>one; sleep 0.1; echo - >>one'}
  two: {map: {range: 6, count: 1}, run: 'echo + >>two; sleep 0.05; echo - >>two', needs: [one]}
EOF
  zproc run
  [ "$(awk '/\+/ { n++ } /-/ { n-- } n > m { m = n } END { print m }' one)" = 2 ]
  [ "$(awk '/\+/ { n++ } /-/ { n-- } n > m { m = n } END { print m }' two)" = 1 ]
  [ "$(grep -c + one)" = 6 ]
}

@test "map: a failed item ends the map and says which; keep_going does the rest; retries are an item's" {
  manifest <<'EOF'
version: 1
workers: {m: {map: {items: [0, 3, 0, 4], count: 1}, run: 'echo $ZPROC_INDEX >>seen; exit $ZPROC_ITEM'}}
EOF
  run -3 --separate-stderr zproc run
  [ "$(cat seen)" = $'0\n1' ]
  [[ $stderr == *"m: item 1: failed: exit status 3"*"m: failed: item 1: exit status 3"* ]]
  rm seen
  sed -i 's/count: 1/count: 1, keep_going: true/' zproc.yaml
  run -3 --separate-stderr zproc run
  [ "$(cat seen)" = $'0\n1\n2\n3' ]
  [[ $stderr == *"item 1: exit status 3 (2 items failed)"* ]]
  manifest <<'EOF'
version: 1
workers:
  m: {map: {items: [a, b], count: 2}, run: '[ "$ZPROC_ATTEMPT" = 2 ] || [ $ZPROC_ITEM = a ]; echo $ZPROC_ATTEMPT', retry: {max: 1, delay: 0}}
  t: {map: {items: [0, 100]}, run: [sleep], timeout: 200ms, optional: true}
  show: {run: zproc get -n zproc m#/result >result, needs: {m: succeeded, t: failed}}
EOF
  zproc run
  [ "$(cat result)" = "[1,2]" ]
}

@test "map, mode lines: processes stay; a line in, a line out; results in order" {
  manifest <<'EOF'
version: 1
workers:
  m: {map: {range: 500, count: 3, mode: lines}, run: 'echo "$$ ${ZPROC_SESSION-none} ${ZPROC_ITEM-none}" >>pids; sed -u s/$/x/; echo ended >>ended'}
  values: {map: {items: [1, {a: 2}, "x y", ""], count: 1, mode: lines}, run: [cat]}
  none: {map: {items: [], mode: lines}, run: [no-such-command]}
  show: {run: 'zproc get -n zproc m#/result >result; zproc get -n zproc values#/result >values; cp ended seen', needs: [m, values, none]}
EOF
  zproc run -q
  [ "$(tr -d '[]"' <result | tr , '\n')" = "$(seq 0 499 | sed s/$/x/)" ]
  [ "$(cat values)" = '[1,{"a":2},"x y",""]' ]
  [ "$(wc -l <pids)" = 3 ]
  [ "$(cut -d' ' -f2- pids | sort -u)" = "none none" ]
  [ "$(wc -l <seen)" = 3 ]
}

@test "map, mode lines: a process that closes its output before it has answered is ended" {
  manifest <<'EOF'
version: 1
workers: {m: {map: {items: [1, 2], count: 1, mode: lines}, run: 'exec >&-; exec sleep 1000'}}
EOF
  run -143 --separate-stderr timeout 20 zproc run
  [[ $stderr == *"m: failed: item 0: killed by SIGTERM"* ]]
}

@test "map, mode lines: the item that a process dies of has failed; retries and timeouts are an item's" {
  manifest <<'EOF'
version: 1
workers: {m: {map: {items: [1, 2, 3], count: 1, mode: lines}, run: 'while read -r x; do [ $x != 2 ] || exit 3; echo $x; done'}}
EOF
  run -3 --separate-stderr zproc run
  [[ $stderr == *"m: failed: item 1: exit status 3"* ]]
  sed -i 's/exit 3/exit 0/; s/mode/keep_going: true, mode/' zproc.yaml
  run -1 --separate-stderr zproc run
  [[ $stderr == *"m: failed: item 1: exit status 0, without a line for this item"* ]]
  [[ $output == *"m | 3"* ]]
  manifest <<'EOF'
version: 1
workers:
  m: {map: {items: [1, 2, 3], count: 1, mode: lines}, retry: {max: 1, delay: 0}, run: 'while read -r x; do [ $x != 2 ] || [ -e tried ] || { touch tried; exit 3; }; echo $x; done'}
  t: {map: {items: [0, 100, 0], count: 1, keep_going: true, mode: lines}, timeout: 2s, optional: true, run: 'while read -r x; do sleep $x; echo $x; done'}
  show: {run: 'zproc get -n zproc m#/result >result; zproc get -n zproc t#/result >>result', needs: {m: succeeded, t: failed}}
EOF
  run -0 --separate-stderr zproc run
  [ "$(cat result)" = $'[1,2,3]\n[0,null,0]' ]
  [[ $stderr == *"t: failed: item 1: timed out after 2s"* ]]
}

@test "map, mode lines: lines too many, line breaks, a failure at the end, answers kept back" {
  manifest <<'EOF'
version: 1
workers:
  more: {map: {items: [1, 2], count: 1, mode: lines}, optional: true, run: 'while read -r x; do printf "%s\nmore\n" "$x"; done'}
  late: {map: {items: [1], mode: lines}, optional: true, run: 'cat; echo late'}
  break: {map: {items: ["a\nb"], mode: lines}, optional: true, run: cat}
  fails: {map: {items: [1, 2], mode: lines}, optional: true, run: 'cat; exit 5'}
  buffer: {map: {items: [1], mode: lines}, optional: true, timeout: 4s, run: [awk, '{ print }']}
EOF
  run -0 --separate-stderr zproc run
  [[ $stderr == *"more: failed: a process printed a line that no item asked for ('more')"* ]]
  [[ $stderr == *"late: failed: a process printed a line that no item asked for ('late')"* ]]
  [[ $stderr == *"break: item 0: failed: the item has a line break"* ]]
  [[ $stderr == *"fails: failed: a process failed after its last item: exit status 5"* ]]
  [[ $stderr == *"buffer: a process has read its item and waits for more"*"buffer: failed: item 0: timed out"* ]]
}

@test "map, mode lines: processes that do not end by themselves are stopped; stop, restart and the run's end" {
  manifest <<'EOF'
version: 1
workers:
  stays: {map: {range: 2, count: 2, mode: lines}, stop: {grace: 200ms}, run: 'trap "" TERM; cat; while :; do sleep 0.05; done'}
EOF
  zproc run -q
  manifest <<'EOF'
version: 1
workers:
  m: {map: {range: 100, count: 2, mode: lines}, run: 'echo $$ >>pids; while read -r x; do echo $x >>seen; until [ $x -lt 3 ] || [ -e go ]; do sleep 0.02; done; echo $x; done'}
  holds: {run: 'until [ -e end ]; do sleep 0.02; done'}
EOF
  zproc run >out 2>err 3>&- &
  MAP_PID=$!
  held() { [ "$(wc -l <seen)" = "$1" ]; } 2>/dev/null
  poll_until held 5
  zproc stop m
  poll_until nothing_runs
  expect 0 stopped zproc get -n zproc m#/status
  rm pids seen
  zproc start m
  poll_until held 5
  touch go
  poll_until held 100
  rm go seen
  zproc restart m
  poll_until held 5
  touch end
  kill -TERM "$MAP_PID"
  map_end 143
  poll_until nothing_runs
}

@test "map: items that cannot be read fail the worker, and say why" {
  manifest <<'EOF'
version: 1
state: {n: 1}
workers: {m: {map: {run: "echo oops >&2; exit 3"}, run: "true"}}
EOF
  expect_error 125 "*m: failed: no items: the command's exit status is 3: oops*" zproc run
  sed -i 's/map: {.*}, run/map: {key: n}, run/' zproc.yaml
  expect_error 125 "*no items: key 'n' is no list*" zproc run
  sed -i 's/key: n/key: nix/' zproc.yaml
  expect_error 125 "*no items: key 'nix': no such key*" zproc run
  sed -i 's/key: nix/lines: no-such-file/' zproc.yaml
  expect_error 125 "*no items:*no-such-file*" zproc run
}

@test "map: results can be read while they grow; a stop ends items in the middle" {
  manifest <<'EOF'
version: 1
workers:
  m: {map: {range: 5, count: 1}, run: 'echo $ZPROC_ITEM; until [ -e go.$ZPROC_ITEM ]; do sleep 0.01; done'}
EOF
  touch go.0 go.1
  zproc run >out 2>err 3>&- &
  MAP_PID=$!
  result_is() { [ "$(zproc get -n zproc m#/result)" = "$1" ]; }
  poll_until result_is "[0,1]"
  touch go.2
  poll_until result_is "[0,1,2]"
  kill -TERM "$MAP_PID"
  map_end 143
}

@test "results: those of a map in order, while it runs and afterwards, for several clients" {
  manifest <<'EOF'
version: 1
workers:
  m: {map: {items: [a, 1, "2"], count: 1}, run: 'until [ -e go.$ZPROC_INDEX ]; do sleep 0.01; done; echo $ZPROC_ITEM'}
  fails: {map: {items: [0, 3, 4], keep_going: true, count: 1}, run: 'echo $ZPROC_INDEX; exit $ZPROC_ITEM', optional: true}
  other: {run: sleep 1000, service: true}
EOF
  zproc run >run.out 2>err 3>&- &
  MAP_PID=$!
  known() { zproc get -n zproc m >/dev/null 2>&1; }
  poll_until known
  touch go.0 out
  zproc results m >first 3>&- &
  local first=$!
  poll_until grep -qx a first
  zproc results --json m >second 3>&- &
  local second=$!
  expect_error 2 "*'other' is no map*zproc wait*" zproc results other
  expect_error 125 "*mm*" zproc results mm
  run -3 --separate-stderr zproc results fails
  [ "$output" = $'0\nnull\nnull' ]
  [[ $stderr == *"item 1: exit status 3 (2 items failed)"* ]]
  run -124 zproc results --timeout 0.1 m
  touch go.1 go.2
  wait "$first"
  wait "$second"
  [ "$(cat first)" = $'a\n1\n2' ]
  [ "$(cat second)" = $'"a"\n1\n2' ]
  map_end 0
  expect 0 $'a\n1\n2' zproc results m
}

@test "map --task: the run's supervisor does it; results from any client; its failure is that of the map alone" {
  manifest <<'EOF'
version: 1
workers: {holds: {run: 'zproc watch --available done >/dev/null'}}
EOF
  zproc run >out 2>err 3>&- &
  MAP_PID=$!
  known() { zproc get -n zproc holds >/dev/null 2>&1; }
  poll_until known
  local task
  task=$(printf 'a b\nc\n' | zproc map --task -j2 -- sh -c 'zproc incr n >/dev/null; pwd; echo "$1 $ZPROC_INDEX"' sh)
  [[ $task == map-* ]]
  expect 0 $'a b 0\nc 1' zproc results "$task"
  expect 0 $'a b 0\nc 1' zproc results "$task"
  expect 0 2 zproc get n
  task=$(zproc map --task --keep-going --retry 1 -j1 -- sh -c 'echo $1; exit $1' sh ::: 0 3 0)
  expect 3 $'0\nnull\n0' zproc results "$task"
  task=$(zproc map --task -- echo :::)
  expect 0 "" zproc results "$task"
  expect_error 2 "*'{}'*not supported yet*" zproc map --task -- echo {} ::: a
  task=$(seq 100 | zproc map --task --lines -j2 -- sh -c 'echo $$ >>pids; exec sed -u s/$/x/')
  [ "$(zproc results "$task")" = "$(seq 100 | sed s/$/x/)" ]
  [ "$(wc -l <pids)" -le 2 ]
  expect_error 2 "*item 1 has a line break*" zproc map --task --lines -- cat ::: a $'b\nc'
  expect_error 2 "*valid UTF-8*" zproc map --task -- echo ::: $'\xff'
  expect_error 2 "*'--run' needs '--task'*" zproc map --run x -- echo ::: a
  zproc set done true
  map_end 0
  expect_error 3 "*" zproc map --task -- echo ::: a
}

# ---- A terminal ----

@test "a progress bar on a terminal: count, rate, failures; erased at the end; not with -q or CI" {
  local at="script -qec"
  $at "TERM=xterm zproc map -k -j1 -- sh -c 'sleep 0.3; exit \$1' sh ::: 0 1 0 0" /dev/null >screen </dev/null || :
  grep -q "50%  2/4" screen
  grep -q "/s" screen
  grep -q "left" screen
  grep -q "1 failed" screen
  [[ $(tail -c 20 screen) == *$'\r\033[K'* ]] || grep -q $'\033\\[K' screen
  $at "TERM=xterm CI=1 zproc map -j1 -- sleep ::: 0.4 0.4" /dev/null >screen </dev/null
  [ ! -s screen ]
  $at "TERM=xterm zproc map -q -j1 -- sleep ::: 0.4 0.4" /dev/null >screen </dev/null
  [ ! -s screen ]
  zproc map -j1 -- sleep ::: 0.4 0.4 2>err
  [ ! -s err ]
  $at "TERM=xterm zproc map -q -- sh -c 'echo oops >&2' ::: it" /dev/null >screen </dev/null
  [[ $(cat screen) == "it | oops"* ]]
}

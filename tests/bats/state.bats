#!/usr/bin/env bats
# Every command that reads or writes the state, against a server.

load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  server_start
}

teardown() {
  server_stop
}

@test "set and get" {
  expect 0 "" zproc set name pizza
  expect 0 "pizza" zproc get name
  expect 0 '"pizza"' zproc get name --json
  expect 0 "" zproc set count 5
  expect 0 "5" zproc get count
  expect 0 "" zproc set map '{"b": [1, 2.50, null], "a": "x"}'
  expect 0 '{"b":[1,2.50,null],"a":"x"}' zproc get map
  expect 0 '{"name":"pizza","count":5,"map":{"b":[1,2.50,null],"a":"x"}}' zproc get
}

@test "a key that does not exist" {
  expect_error 1 "zproc: get: *'nothing'*" zproc get nothing
  expect 0 "else" zproc get nothing --default else
  expect 0 "[1]" zproc get nothing -d '[1]'
  expect 0 '"5"' zproc get -s --json -d x nothing --default=5
}

@test "numbers keep their spelling and their value" {
  for number in 0 -5 1.10 1e3 9007199254740993 9223372036854775807 -9223372036854775808; do
    zproc set n "$number"
    expect 0 "$number" zproc get n --json
  done
  # An operand, but no JSON: a string.
  zproc set n -.5
  expect 0 '"-.5"' zproc get n --json
}

@test "strings: literal, strict, from standard input, from a file" {
  expect 0 '"5"' sh -c 'zproc set -s n 5 && zproc get n --json'
  expect 0 '"-"' sh -c 'zproc set -s n - && zproc get n --json'
  expect 0 '"@x"' sh -c 'zproc set n -s @x && zproc get n --json'
  expect 0 '""' sh -c 'zproc set n "" && zproc get n --json'
  expect 0 '"a\nb"' sh -c 'printf "a\nb\n" | zproc set n - && zproc get n --json'
  expect 0 '{"a":1}' sh -c 'printf "{\"a\":\n1}\n" | zproc set -J n - && zproc get n'
  printf 'text\n\n' >"$BATS_TEST_TMPDIR/file"
  expect 0 '"text\n"' sh -c "zproc set n @$BATS_TEST_TMPDIR/file && zproc get n --json"
  expect 0 '"-x"' sh -c 'zproc set -s n -- -x && zproc get n --json'
  expect_error 2 "*bad value*" sh -c 'echo word | zproc set -J n -'
}

@test "unicode, NUL and control characters" {
  expect 0 'pizza 🍕' sh -c 'zproc set n "pizza 🍕" && zproc get n'
  expect 0 '"a\u0000b"' sh -c 'zproc set n "\"a\\u0000b\"" && zproc get n --json'
  [ "$(zproc get n | od -An -tx1 | tr -d ' \n')" = "6100620a" ]
}

@test "large values" {
  head -c 3000000 /dev/zero | tr '\0' x | zproc set big -
  [ "$(zproc get big | wc -c)" = 3000001 ]
  head -c 17000000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/big"
  expect_error 2 "*" zproc set big @"$BATS_TEST_TMPDIR/big"
  [ "$(zproc get big | wc -c)" = 3000001 ]
}

@test "inside a value" {
  zproc set config '{"db": {"host": "a"}, "list": [1, 2]}'
  expect 0 "a" zproc get 'config#/db/host'
  expect 0 "" zproc set 'config#/db/host' b
  expect 0 "" zproc set 'config#/list/-' 3
  expect 0 '{"db":{"host":"b"},"list":[1,2,3]}' zproc get config
  expect 0 "" zproc del 'config#/list/0'
  expect 0 "3" zproc pop 'config#/list/1'
  expect 0 '[2]' zproc get 'config#/list'
  expect 0 "true" zproc has 'config#/db'
  expect 1 "false" zproc has 'config#/cache'
  expect_error 1 "*" zproc get 'config#/cache'
  expect_error 1 "*" zproc set 'config#/cache/size' 1
  expect_error 2 "*on its own*" zproc del 'config#/db' config
}

@test "has" {
  zproc set k null
  expect 0 true zproc has k
  expect 1 false zproc has other
}

@test "keys, values, items, len" {
  expect 0 "" zproc keys
  expect 0 0 zproc len
  zproc update b=1 a=text c='[1]' d='"two\nlines"'
  expect 0 $'b\na\nc\nd' zproc keys
  expect 0 $'1\ntext\n[1]\n"two\\nlines"' zproc values
  expect 0 $'["b",1]\n["a","text"]\n["c",[1]]\n["d","two\\nlines"]' zproc items
  expect 0 4 zproc len
  expect 0 '["b","a","c","d"]' zproc keys --json
  expect 0 '[1,"text",[1],"two\nlines"]' zproc values --json
  [ "$(zproc values -0 | tr '\0' ';')" = $'1;text;[1];two\nlines;' ]
  [ "$(zproc keys -0 | tr '\0' ';')" = 'b;a;c;d;' ]
}

@test "as of a revision" {
  zproc set k 1
  zproc set k 2
  zproc del k
  expect 0 1 zproc get k --at 1
  expect 0 2 zproc get k --at 2
  expect_error 1 "*" zproc get k --at 3
  expect 0 '{}' zproc get --at 0
  expect 0 true zproc has k --at 2
  expect 0 k zproc keys --at 2
  expect 0 1 zproc len --at 1
  expect_error 2 "*" zproc get k --at 99
}

@test "del" {
  zproc update a=1 b=2 c=3
  expect 0 "" zproc del a b
  expect 0 c zproc keys
  expect_error 1 "*'a'*" zproc del c a
  expect 0 c zproc keys
  expect 0 "" zproc del c
  expect 0 0 zproc len
}

@test "update, replace, clear" {
  expect 0 "" zproc update a=1 b=x a=2
  expect 0 '{"a":2,"b":"x"}' zproc get
  expect 0 "" zproc update 'c=a=b'
  expect 0 'a=b' zproc get c
  expect 0 "" zproc replace '{"z": 1}'
  expect 0 '{"z":1}' zproc get
  expect_error 1 "*" zproc replace '[1]'
  expect 0 "" zproc clear
  expect 0 '{}' zproc get
}

@test "setdefault" {
  expect 0 1 zproc setdefault k 1
  expect 0 1 zproc setdefault k 2
  expect 0 x zproc setdefault s x
  expect 0 '"x"' zproc setdefault s y --json
}

@test "pop and popitem" {
  zproc update a=1 b=x
  expect 0 x zproc pop b
  expect_error 1 "*'b'*" zproc pop b
  expect 0 none zproc pop b --default none
  expect 0 '["a",1]' zproc popitem
  expect_error 1 "*" zproc popitem
}

@test "incr" {
  expect 0 1 zproc incr n
  expect 0 6 zproc incr n 5
  expect 0 1 zproc incr n -5
  expect 0 1.5 zproc incr n 0.5
  zproc set n 9223372036854775807
  expect_error 1 "*" zproc incr n
  expect 0 9223372036854775807 zproc get n
  zproc set s text
  expect_error 1 "*'s'*" zproc incr s
}

@test "append" {
  expect 0 '[1]' zproc append l 1
  expect 0 '[1,"x"]' zproc append l x
  zproc set s text
  expect_error 1 "*'s'*" zproc append s 1
}

@test "extend and remove" {
  expect 0 '[1,2]' zproc extend l '[1, 2]'
  expect 0 '[1,2,2,"x"]' zproc extend l '[2, "x"]'
  expect 0 '[1,2,"x"]' zproc remove l 2
  expect_error 1 "*'l'*" zproc remove l 7
  expect_error 1 "*'none'*" zproc remove none 7
  expect_error 1 "*'l'*list*" zproc extend l 1
}

@test "patch applies all operations or none" {
  zproc replace '{"a": 1, "jobs": []}'
  expect 0 '' zproc patch '[{"op": "test", "path": "/a", "value": 1}, {"op": "add", "path": "/jobs/-", "value": 7}]'
  expect_error 1 "*operation 1*'/a' is 1*" \
    zproc patch '[{"op": "remove", "path": "/jobs"}, {"op": "test", "path": "/a", "value": 2}]'
  expect 0 '{"a":1,"jobs":[7]}' zproc get
  expect 0 '' zproc patch --merge '{"a": null, "b": {"c": 1}}'
  expect 0 '{"jobs":[7],"b":{"c":1}}' zproc get
  expect_error 1 "*list*" zproc patch '{}'
  expect_error 1 "*object*" zproc patch --merge '[]'
}

@test "atomic assigns all or nothing" {
  zproc replace '{"count": 1, "numbers": [], "jobs": [{"id": 7}]}'
  expect 0 2 zproc atomic 'count = count + 1'
  expect 0 '{"count":3,"numbers":[3]}' zproc atomic 'count = count + 1; numbers = numbers + [count]'
  expect 0 done zproc atomic 'jobs[0].state = "done"'
  expect 0 '{"jobs#/0/id":8,"a/b":1}' zproc atomic 'jobs[0].id = 8; state["a/b"] = 1'
  expect_error 1 "*assignment 2*no such key 'missing'*" zproc atomic 'count = 0; numbers = missing'
  expect_error 1 "*overflow*" zproc atomic 'count = 9223372036854775807 + count'
  expect_error 1 "*'count'*type int*" zproc atomic 'count.a = 1'
  expect_error 1 "*'jobs'*index 5*" zproc atomic 'jobs[5] = 1'
  expect_error 1 "*'jobs'*type list*" zproc atomic 'jobs["0"] = 1'
  expect_error 2 "*column 9*" zproc atomic 'count = '
  expect_error 2 "*no assignment*" zproc atomic 'count == 1'
  expect 0 '{"count":3,"numbers":[3],"jobs":[{"id":8,"state":"done"}],"a/b":1}' zproc get
}

@test "named values go into expressions as they are" {
  zproc set owners '{}'
  expect 0 'a" + "b' zproc eval --arg x 'a" + "b' x
  expect 0 '{"n":[1]}' zproc eval --argjson x '{"n": [1]}' x
  expect 0 "it's" zproc atomic --arg who "a'b" --arg how "it's" 'owners[who] = how'
  expect 0 '{"a'"'"'b":"it'"'"'s"}' zproc get owners
  expect_error 2 "*two values*" zproc eval 'x' --arg x
  expect_error 2 "*x*JSON*" zproc eval --argjson x '{' x
  expect_error 2 "*'a-b'*" zproc eval --arg a-b 1 1
  expect_error 2 "*'state'*" zproc eval --arg state 1 1
  expect_error 2 "*--when*" zproc watch count --arg a 1
  expect 0 '{"rev":2,"ns":"default","first":true,"changes":[]}' zproc watch --when 'size(owners) == n' --argjson n 1
}

@test "txn tests conditions and assigns in one step" {
  zproc replace '{"n": 5, "l": []}'
  expect 0 3 zproc txn --if 'n > 4' --if 'size(l) == 0' --then 'n = n - by' --argjson by 2
  expect_error 1 "*do not hold*" zproc txn --if 'n > 4' --then 'n = 0'
  expect_error 1 "*do not hold*" zproc txn --if 'missing' --then 'n = 0'
  expect 1 '["n was 3"]' zproc txn --if 'n > 4' --then 'n = 0' --else 'l = l + ["n was " + string(n)]'
  expect 0 '' zproc txn --if 'n == 3'
  expect 0 '{"n":3,"l":["n was 3"]}' zproc get
  expect_error 2 "*--if*--then*" zproc txn
  expect_error 2 "*--wait*" zproc txn --timeout 1 --then 'n = 1'
  expect_error 2 "*--else*" zproc txn --wait --if n --then 'n = 1' --else 'n = 2'
  expect_error 2 "*condition 1*column*" zproc txn --if 'n +'
  expect_error 124 "*in time*" zproc txn --wait --timeout 10ms --if 'n == 7'
  expect_error 124 "*" zproc txn --wait --timeout 0 --if 'n == 7'
}

@test "txn waits until its conditions hold" {
  zproc txn --wait --timeout 30 --if 'size(queue) > 0' --then 'got = queue[0]' >out &
  until [ "$(zproc stats | grep -o '"waits":[0-9]*')" = '"waits":1' ]; do :; done
  zproc append queue first
  wait $!
  [ "$(cat out)" = first ]
}

@test "an ephemeral key goes with its session" {
  expect 0 '' zproc --session s set -e here 1
  expect 0 '2' zproc --session s txn --if 'here == 1' --then 'too = 2' --ephemeral
  expect 0 '{"here":1,"too":2}' zproc get
  expect_error 2 "*session*" zproc set -e here 1
}

@test "dump and load move a state" {
  zproc update a=1 b=1.10 'c={"x": [null, "ä"]}'
  zproc -n other set 'k"ey' text
  zproc -n empty set k 1
  zproc -n empty clear
  zproc dump >dump
  expect 0 '{"ns":"default","key":"a","value":1}
{"ns":"default","key":"b","value":1.10}
{"ns":"default","key":"c","value":{"x":[null,"ä"]}}
{"ns":"other","key":"k\"ey","value":"text"}' cat dump
  zproc update a=2 d=4
  zproc -n other set more 1
  expect 0 '' zproc load dump
  expect 0 '{"a":1,"b":1.10,"c":{"x":[null,"ä"]}}' zproc get
  expect 0 '{"k\"ey":"text"}' zproc -n other get
  zproc set a 5
  zproc -n other clear
  expect 0 '' zproc -n other load - <dump
  expect 0 5 zproc get a
  expect 0 1 zproc -n other len
  expect 0 '{"ns":"other","key":"k\"ey","value":"text"}' zproc -n other dump
  expect_error 2 "*line 2*" zproc load - <<<'{"ns":"x","key":"a","value":1}
{"ns":"x","key":"a"}'
  expect_error 2 "*line 1*byte*" zproc load - <<<'{'
  expect_error 2 "*none*" zproc load none
}

@test "more than fits in one answer comes in pages of one revision" {
  python3 -c '
import json
for i in range(3000):
    print(json.dumps({"ns": "big", "key": "k%d" % i, "value": "x" * 10000}))' | zproc load
  expect 0 3000 zproc -n big len
  zproc -n big get | python3 -c '
import json, sys
state = json.load(sys.stdin)
assert list(state) == ["k%d" % i for i in range(3000)] and all(len(v) == 10000 for v in state.values())'
  [ "$(zproc -n big values | wc -lc | tr -s ' ')" = " 3000 30003000" ]
  [ "$(zproc -n big dump | md5sum)" = "$(zproc -n big dump | md5sum)" ]
  zproc -n big dump >dump
  zproc -n big clear
  zproc load dump
  [ "$(zproc -n big dump | md5sum)" = "$(md5sum <dump)" ]
}

@test "cas" {
  expect 0 a zproc cas k a --absent
  expect_error 1 "*" zproc cas k b --absent
  expect 0 b zproc cas k a b
  expect_error 1 "*" zproc cas k a c
  expect 0 b zproc get k
  expect 0 c zproc cas k c --at 2
  expect_error 1 "*" zproc cas k d --at 2
  expect 0 c zproc get k
}

@test "eval" {
  zproc update n=5 'my-key=2' list='[1,2,3]'
  expect 0 7 zproc eval 'n + state["my-key"]'
  expect 0 text zproc eval '"text"'
  expect 0 '"text"' zproc eval '"text"' --json
  expect 0 '[2,4,6]' zproc eval 'list.map(x, x * 2)'
  expect 0 "" zproc eval --test 'n == 5'
  expect 1 "" zproc eval --test 'n == 6'
  expect_error 1 "*neither true nor false*" zproc eval --test n
  expect_error 2 "*" zproc eval 'n +'
}

@test "what is not valid UTF-8 is refused" {
  expect_error 2 "*valid UTF-8*" zproc get $'\xff'
  expect_error 2 "*valid UTF-8*" zproc eval $'\xff'
  expect_error 2 "*valid UTF-8*" zproc del a $'\xff'
  expect_error 2 "*valid UTF-8*" zproc update $'\xff'=1
  expect_error 2 "*valid UTF-8*" zproc watch $'\xff'
  expect_error 2 "*valid UTF-8*" zproc watch --none $'\xff'
}

@test "namespaces" {
  zproc set k 1
  zproc -n other set k 2
  expect 0 1 zproc get k
  expect 0 2 zproc get k --namespace other
  ZPROC_NAMESPACE=other expect 0 2 zproc get k
  ZPROC_NAMESPACE=other expect 0 1 zproc get k -n default
  zproc clear -n other
  expect 0 1 zproc get k
  expect_error 2 "*" zproc get k -n ''
}

@test "the reserved namespace is not for clients" {
  expect_error 2 "*" zproc -n zproc set k 1
  expect_error 2 "*" zproc -n zproc.x set k 1
  expect 0 '{}' zproc -n zproc get
}

@test "ping and stats" {
  expect 0 "$SERVER_PID" zproc ping
  expect 0 "$SERVER_PID" zproc ping --payload '{"a": [1]}' --timeout 10s
  zproc set k 1
  [[ $(zproc stats) == '{'*'"revision":1'* ]]
}

@test "a server that does not answer" {
  kill -STOP "$SERVER_PID"
  local status=0
  zproc ping --timeout 100ms 2>/dev/null || status=$?
  kill -CONT "$SERVER_PID"
  [ "$status" = 124 ]
}

@test "verbose tells revision and time" {
  zproc -v set k 1 2>"$BATS_TEST_TMPDIR/stderr"
  [[ $(cat "$BATS_TEST_TMPDIR/stderr") == "zproc: set: revision 1, "*" us" ]]
}

@test "a server over tcp" {
  server_stop
  server_start --address tcp://127.0.0.1:0
  [[ $ZPROC_ADDRESS == tcp://127.0.0.1:* ]]
  expect 0 "" zproc set k 1
  expect 0 1 zproc get k
  expect 0 1 zproc get k -a "tcp://localhost:${ZPROC_ADDRESS##*:}"
}

@test "a server at a path and at an abstract name" {
  server_stop
  server_start -a "ipc://$BATS_TEST_TMPDIR/s"
  [ "$ZPROC_ADDRESS" = "ipc://$BATS_TEST_TMPDIR/s" ]
  expect 0 "" zproc set k 1
  server_stop
  server_start --address "ipc://@zproc-bats-$$"
  expect 0 "" zproc set k 1
}

@test "a live address is not taken over" {
  run zproc server --address "$ZPROC_ADDRESS"
  [ "$status" -ne 0 ]
  expect 0 "$SERVER_PID" zproc ping
}

@test "50 processes increment one counter" {
  for i in $(seq 50); do
    zproc incr n >/dev/null 3>&- &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid"; done
  expect 0 50 zproc get n
}

#!/usr/bin/env bats
# The examples in configs/: each prints what it says.

load helper

CONFIGS="$BATS_TEST_DIRNAME/../../configs"

setup() {
  cp -r "$CONFIGS" "$BATS_TEST_TMPDIR/configs"
  cd "$BATS_TEST_TMPDIR" || return 1
}

# example NAME: runs it; standard output, in lines sorted where workers run side by side, in `out`.
example() {
  local status=0
  zproc run -f "configs/$1.yaml" >out 2>err || status=$?
  sed 's/^[^|]*| //' out >said
  [ "$status" = 0 ] || {
    echo "status $status"
    cat out err
    return 1
  }
}

# said LINES: exactly these lines, in any order.
said() {
  diff <(sort <<<"$1") <(sort said)
}

@test "atomicity: fifty slow increments, none lost" {
  example atomicity
  said "count is 50"
}

@test "atomicity by a lock: fifty slow programs, none overwrites another" {
  example atomicity-lock
  said "count is 50"
}

@test "chain reaction: one change sets off the next" {
  example chain-reaction
  said "num1 is 1
num2 is 2
num3 is 3, the chain ends here"
}

@test "cookie eater: five cookies are baked and eaten" {
  example cookie-eater
  [ "$(grep -c "Here's a cookie!" said)" = 5 ]
  [ "$(grep -c "nom nom nom" said)" = 5 ]
  [ "$(tail -n 1 said)" = "0 cookies are left" ]
}

@test "peanut processor: buffered, live and hybrid consumers" {
  example peanut-processor
  said "buffered: saw 20 peanuts
live: saw fewer
hybrid: saw only those after the fifth"
}

@test "state watchers: each kind of condition" {
  example state-watchers
  said "foo changed
something else than foo changed
price fell below 40
foo is bar
foo is not foobar
owner is null
foo is not null
spam is there"
}

@test "gold price: every change, the first low, each high" {
  example gold-price
  said "prices: 45 41 38 36 44 52 61 63 58 66 
buy
sold: 2"
}

@test "iterate: so many events, a command for each, the past" {
  example iterate
  said "$(printf 'cookie %d\ncookies is %d\n' 1 1 2 2 3 3 4 4 5 5)
last: 5
beyond none: 4"
}

@test "pizza trigger: one run for every event, in order" {
  example pizza-trigger
  [ "$(cat said)" = "pizza number 1 be tasty!
pizza number 2 be tasty!
pizza number 3 be tasty!" ]
}

@test "button press: short and long are told apart" {
  example button-press
  [ "$(cat said)" = "SHORT press
LONG press" ]
}

@test "work queue: eight workers, each job once" {
  example work-queue
  said "20 jobs done, true"
}

@test "semaphore: ten visitors, never more than three inside" {
  example semaphore
  said "10 visits, at most 3 inside"
}

@test "barrier: nobody goes on before all have arrived" {
  example barrier
  said "laps [1,1,1,1,1,2,2,2,2,2]"
}

@test "leader election: each candidate leads once" {
  example leader-election
  said "candidate 0
candidate 1
candidate 2
3 terms"
}

@test "demo: every file is counted once, the retry is flaky, the service is stopped" {
  mkdir -p cmd lib man
  for i in $(seq 20); do echo "one two three" >"lib/$i.c"; done
  example demo
  grep -qx "20 files, 60 words" said
  grep -q "^index *succeeded *3 (flaky)" err
  grep -q "^add *stopped *20 runs" err
  grep -q "^progress *stopped" err
}

@test "ci: the project's own pipeline is a sound manifest" {
  expect 0 "configs/ci.yaml: ok, 7 workers" zproc check -f configs/ci.yaml
  zproc run -f configs/ci.yaml --dry-run | grep -q '^build '
}

@test "luck test: the right number ends both" {
  example luck-test
  said "a number between 0.2 and 0.4
stop was set, the generator ends"
}

@test "remote exceptions: another worker learns why" {
  example remote-exceptions
  grep -qx "caught it: exit status 3" said
  grep -q "ValueError: hello" out err
}

@test "retries: other arguments from the first retry on" {
  example retries
  said "attempt 1 at the main server
attempt 2 at the mirror
attempt 3 at the mirror"
}

@test "namespaces: the same key twice" {
  example namespaces
  said "red: 1
blue: 2
default: nothing"
}

@test "secret key: who does not have it gets nothing" {
  zproc keygen configs/secret.key
  example secret-key
  said "with the key: 100
without it: status 4"
}

@test "bakery: the manifest that shows most kinds of workers" {
  example bakery
  said "1
4
9
16
done
pizza be tasty! 1
--os a --py 3.9
--os b --py 3.9
--os b --py 3.10
--os c --py 3.12"
}

@test "process map: items, arguments for all, arguments of each, variables of each" {
  example process-map
  [ "$(tail -n 4 said)" = 'squares: [1,4,9,16]
cubes: [0,1,8,27,64]
sums: [26,101]
greetings: ["hello, alice","good morning, bob!"]' ]
}

@test "nested processes: a child of the same run, and runs below it" {
  example nested-processes
  said '["parent","child","nested child","child of the nested child"]'
}

#!/usr/bin/env bats
# What a run leaves for CI and other programs: --junit, --events, lines for GitHub Actions.
load helper

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
  cat >zproc.yaml <<'Y'
version: 1
name: suite
run: {fail: keep-going}
env: {TOKEN: hunter2hunter2}
defaults: {secrets: [TOKEN]}
workers:
  good: {run: 'echo fine; echo 42'}
  bad: {run: 'echo "<oops> & $TOKEN" >&2; exit 7', retry: {for: [7], max: 1, delay: 10ms}}
  after: {run: 'true', needs: [bad]}
  maybe: {run: 'exit 3', optional: true}
  bell: {run: 'echo ding', trigger: {change: [x], live: true}}
  ringer: {run: 'zproc set x 1'}
Y
}

@test "--junit writes a report that XML parsers read" {
  run zproc run --junit report.xml
  [ "$status" = 7 ]
  ! grep hunter2 report.xml
  run python3 - <<'P'
import xml.etree.ElementTree as tree
root = tree.parse("report.xml").getroot()
suite = root.find("testsuite")
cases = {case.get("name"): case for case in suite}
print(suite.get("name"), suite.get("tests"), suite.get("failures"), *cases)
print(cases["bad"].find("failure").get("message"), repr(cases["bad"].find("system-err").text))
print(cases["after"].find("skipped").get("message"))
print(cases["maybe"].find("skipped").get("message"))
print(len(cases["good"]), float(cases["good"].get("time")) >= 0)
P
  [ "${lines[0]}" = "suite 6 1 good bad after maybe bell ringer" ]
  [ "${lines[1]}" = "exit status 7 '<oops> & ***\\n'" ]
  [[ ${lines[2]} == "skipped: "*bad* ]]
  [ "${lines[3]}" = "failed (optional): exit status 3" ]
  [ "${lines[4]}" = "0 True" ]
}

@test "--events writes every change as a line of JSON, in order" {
  run zproc run --events events.jsonl
  [ "$status" = 7 ]
  ! grep hunter2 events.jsonl
  run python3 - <<'P'
import json
events = [json.loads(line) for line in open("events.jsonl")]
assert all(a["time"] <= b["time"] for a, b in zip(events, events[1:]))
print(*[event["record"]["status"] for event in events if event["name"] == "good"])
print(*[event["record"]["status"] for event in events if event["name"] == "bad"])
print(*[event["record"]["status"] for event in events if event["name"] == "run"][-1:], events[-1]["record"]["exit"])
bell = next(event["task"] for event in events if event["name"] == "bell" and "of" not in event)
print(*[event["record"]["status"] for event in events if event.get("of") == bell][-1:])
P
  [[ ${lines[0]} == *"running"*"succeeded" || ${lines[0]} == *"ready"*"succeeded" ]]
  [[ ${lines[1]} == *retrying*failed ]]
  [ "${lines[2]}" = "failed 7" ]
  [ "${lines[3]}" = "succeeded" ]
}

@test "a file that cannot be written is told before anything runs" {
  expect_error 2 "zproc: cannot write 'no/where' (--junit): *" zproc run --junit no/where
  expect_error 2 "zproc: cannot write '.' (--events): *" zproc run --events .
  expect_error 2 "zproc: run: option '--resume' is not supported yet*" zproc run --resume
}

@test "in GitHub Actions the output is grouped and failures are errors" {
  export GITHUB_ACTIONS=true
  run --separate-stderr zproc run good bad maybe
  [ "$status" = 7 ]
  [[ $output == *$'::group::good\ngood  | fine\ngood  | 42\n::endgroup::'* ]]
  [[ $stderr == *$'\n::error title=bad failed::exit status 7%0A<oops> & ***'* ]]
  [[ $stderr == *$'\n::warning title=maybe failed::exit status 3'* ]]
  run --separate-stderr zproc run --output prefix good
  [ "$output" = $'good | fine\ngood | 42' ]
  run --separate-stderr zproc run --json good
  [[ $stderr != *::* && $output != *::group* ]]
}

#!/usr/bin/env bats
# limits.memory: real control groups, where they can be made.
load helper
load run-helper

memory_group() {
  local line path
  line=$(grep '^[0-9]*:memory:' /proc/self/cgroup) || return 1
  path=/sys/fs/cgroup/memory${line#*:memory:}
  mkdir "$path/zproc-test.$$" 2>/dev/null && rmdir "$path/zproc-test.$$" && echo "$path"
}

no_groups() {
  [ -z "$(find "$1" -mindepth 1 -maxdepth 1 -name "zproc-$2*")" ]
}

@test "a worker that takes more memory than its limit is killed, and the reason says so" {
  cat > zproc.yaml <<'Y'
version: 1
run: {fail: keep-going}
workers:
  big: {limits: {memory: 48MiB}, run: [python3, -c, 'bytearray(200 << 20)']}
  below: {limits: {memory: {max: 48MiB}}, run: 'python3 -c "bytearray(200 << 20)" || exit 3', retry: {for: [3], max: 1, delay: 0}}
  small: {limits: {memory: 48MiB}, run: 'echo fine'}
  free: {run: [python3, -c, 'bytearray(200 << 20)']}
Y
  group=$(memory_group) || skip "no control group for memory can be made here (version 1)"
  run zproc run --json
  [ "$status" = 137 ]
  [[ $output == *'"big"'*'"reason":"killed by SIGKILL: out of memory, its limit is 48MiB"'* ]]
  [[ $output == *'"below"'*'"reason":"exit status 3: out of memory, its limit is 48MiB"'* ]]
  zproc run --json small free
  no_groups "$group" "$(basename "$(readlink .zproc/logs/latest)")"
}

@test "groups of a supervisor that was killed are removed" {
  group=$(memory_group) || skip "no control group for memory can be made here (version 1)"
  cat > zproc.yaml <<'Y'
version: 1
workers: {a: {limits: {memory: 48MiB}, run: 'echo up; exec sleep 1000'}}
Y
  run_start
  poll_until grep -q up out
  id=$(basename "$(readlink .zproc/logs/latest)")
  [ -d "$group/zproc-$id/1" ]
  kill -KILL "$(supervisor)"
  run_end 125
  no_groups "$group" "$id"
}

@test "where no group can be made the memory limit is an error, unless it is optional" {
  command -v unshare >/dev/null && [ "$(id -u)" = 0 ] || skip "needs unshare and root"
  cat > zproc.yaml <<'Y'
version: 1
run: {fail: keep-going}
workers:
  must: {limits: {memory: 48MiB}, run: echo never}
  may: {limits: {memory: {max: 48MiB, optional: true}}, run: echo ran}
Y
  unshare -m true 2>/dev/null || skip "no mount namespaces here"
  run unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec zproc run'
  [ "$status" = 125 ]
  [[ $output == *"may  | ran"* ]]
  [[ $output == *"must: failed: cannot set the limit 'memory': "* ]]
  [[ $output == *"may: runs without its limit 'memory': "* ]]
}

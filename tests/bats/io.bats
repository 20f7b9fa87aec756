#!/usr/bin/env bats
# What goes in and out of workers: logs, secrets, probes that look at output and sockets, files that are watched.

load helper
load run-helper

# ---- Logs ----

@test "each line of a log begins with the time; partial lines are put together, none is lost" {
  manifest <<'EOF'
version: 1
workers:
  w:
    run: |
      printf 'one, '; echo err >&2
      until grep -q err .zproc/logs/latest/w.log; do sleep 0.01; done
      echo two; printf 'b\377d\000\n\n'
      head -c 200000 /dev/zero | tr '\0' x; echo y; printf 'no newline'
EOF
  before=$(date -u +%Y-%m-%dT%H:%M:%S)
  run -0 zproc run --output quiet
  log=.zproc/logs/latest/w.log
  [ "$(LC_ALL=C grep -acvE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z ' $log)" = 0 ]
  [[ ! "$(head -c 19 $log)" < "$before" ]]
  {
    printf 'err\none, two\nb\377d\000\n\n'
    head -c 200000 /dev/zero | tr '\0' x
    printf 'y\nno newline\n'
  } >expected
  log_of w | cmp - expected
}

@test "timestamps: false keeps the bytes as they are" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'printf "a\nb"', log: {timestamps: false}}
EOF
  run -0 zproc run --output quiet
  [ "$(od -An -c .zproc/logs/latest/w.log | tr -d ' ')" = 'a\nb' ]
}

@test "a log is rotated at the end of a line; of older files as many stay as keep says" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'seq 1000 3000', log: {file: logs/w.log, max_size: 10KiB, keep: 3, timestamps: false}}
EOF
  run -0 zproc run --output quiet
  [ "$(ls logs)" = "w.log" ]
  [ "$(cat logs/w.log)" = "$(seq 1000 3000)" ] # 10005 bytes
  zproc run --output quiet
  [ "$(ls logs | tr '\n' ' ')" = "w.log w.log.1 " ]
  sed -i 's/3000/6000/' zproc.yaml
  zproc run --output quiet
  [ "$(ls logs | tr '\n' ' ')" = "w.log w.log.1 w.log.2 w.log.3 " ]
  for file in logs/*; do
    [ "$(stat -c %s "$file")" -le 10240 ]
    [ "$(grep -vcE '^[0-9]{4}$' "$file")" = 0 ]
  done
  [ "$(cat logs/w.log.3 logs/w.log.2 logs/w.log.1 logs/w.log | tail -n 5001)" = "$(seq 1000 6000)" ]
}

@test "a line without end does not fill the disk" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'head -c 10000000 /dev/zero | tr "\0" x; echo; echo last', log: {file: w.log, max_size: 100KiB, keep: 2}}
EOF
  run -0 zproc run --output quiet
  for file in w.log w.log.1 w.log.2; do
    [ "$(stat -c %s $file)" -lt 300000 ]
  done
  [ ! -e w.log.3 ]
  [ "$(tail -n 1 w.log | cut -b 26-)" = last ]
}

@test "instances that share a log take turns line by line, over restarts and rotations" {
  manifest <<'EOF'
version: 1
workers:
  w:
    run: |
      for i in $(seq 500); do printf '%s' "$ZPROC_REPLICA.$ZPROC_ATTEMPT."; echo "$i"; done
      test $ZPROC_ATTEMPT = 2
    replicas: 3
    retry: {max: 1, delay: 0}
    log: {file: all.log, max_size: 10KiB, keep: 100}
EOF
  run -0 zproc run --output quiet
  cat all.log* | cut -b 26- | sort >got
  for r in 0 1 2; do for a in 1 2; do seq -f "$r.$a.%.0f" 500; done; done | sort >expected
  cmp got expected
  [ -e all.log.5 ]
}

@test "a log that cannot be written: one warning, and the worker goes on" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'for i in $(seq 200); do echo $i; done; echo last', log: {file: /dev/full}}
  x: {run: 'echo x', log: {file: /proc/no/such}}
EOF
  run -0 --separate-stderr zproc run
  [ "$(grep -c "cannot be written, output is lost until it can: No space left on device" <<<"$stderr")" = 1 ]
  grep -q "x: no log: cannot write '/proc/no/such'" <<<"$stderr"
  [ "$(grep -c '^w' <<<"$output")" = 201 ]
}

@test "a log on a disk that was full says what is missing" {
  [ "$(id -u)" = 0 ] || skip "needs root for a small disk"
  mkdir small
  mount -t tmpfs -o size=64k none small || skip "cannot mount"
  manifest <<'EOF'
version: 1
workers:
  w:
    run: |
      seq 50000; echo end
      until grep -q '^w | end' out; do sleep 0.02; done # so that all of it has met the full disk
      rm small/filler; echo back
    log: {file: small/w.log}
EOF
  head -c 32000 /dev/zero >small/filler
  run_start
  run_end 0
  cp small/w.log got
  umount small
  grep -qaE '^\[zproc: [0-9]+ bytes are missing here\]$' got
  [ "$(cut -b 26- got | tail -n 1)" = back ]
}

@test "hide: not on the terminal, but in the log" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'echo hidden; echo oops >&2; exit 3', log: {hide: true}}
EOF
  for mode in prefix raw json group failed; do
    run -3 zproc run --output $mode
    [[ $output != *hidden* && $output != *oops* ]]
    [ "$(log_of w | sort)" = $'hidden\noops' ]
  done
}

# ---- Readiness ----

@test "ready.http: a service is ready when its address answers as it should" {
  local port
  port=$(free_port)
  mkdir site
  manifest <<EOF
version: 1
env: {PORT: "$port"}
workers:
  web:
    run: [python3, -m, http.server, --bind, 127.0.0.1, -d, site, "$port"]
    service: true
    ready: {http: "http://127.0.0.1:\${{ env.PORT }}/up", every: 30ms, timeout: 20s}
    log: {hide: true}
  maker: {run: 'until grep -q 404 .zproc/logs/latest/web.log; do sleep 0.02; done; touch site/up'}
  user: {run: test -e site/up, needs: [web]}
EOF
  run -0 zproc run
  sed -i 's|http: .*|http: {url: "http://localhost:'"$port"'/up", status: 404}, every: 30ms, timeout: 300ms}|; /maker/d' zproc.yaml
  run -124 zproc run
  [[ $output == *"not ready within 300ms"* ]]
}

@test "ready.http: https is refused with a word on what to do" {
  manifest <<'EOF'
version: 1
workers: {w: {run: x, ready: {http: "https://localhost/"}}}
EOF
  expect_error 2 "*https is not supported in 'http'; use http://, or 'exec' with a command like curl*" zproc check
}

@test "ready.log: a line of this attempt's output" {
  manifest <<'EOF'
version: 1
workers:
  s:
    run: |
      if [ $ZPROC_ATTEMPT = 1 ]; then printf listening; exit 1; fi
      echo " on 80"; echo "not listening on 80" >&2
      until test -e go; do sleep 0.02; done
      touch late; printf 'listening'; echo "!" >&2; printf ' on 80\r\n'; exec sleep 1000
    service: true
    retry: {max: 1, delay: 0}
    ready: {log: '^listening on \d+$', timeout: 20s}
  eye:
    run: |
      until grep -q not .zproc/logs/latest/s.log; do sleep 0.02; done
      until zproc get -n zproc s | grep -Eq '"status":"(running|ready)"'; do sleep 0.02; done
      zproc get -n zproc s | grep -q '"status":"running"'
      touch go
  user: {run: test -e late, needs: [s]}
EOF
  run -0 zproc run
  [[ $output == *"s    | listening on 80"* ]]
}

@test "ready.notify: READY=1 from the worker or below it, not from others; STATUS is in the record" {
  cat >notify.py <<'EOF'
import os, socket, sys
name = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(sys.argv[1].encode().decode("unicode_escape").encode(), "\0" + name[1:] if name[0] == "@" else name)
EOF
  manifest <<'EOF'
version: 1
workers:
  s:
    run: |
      echo "$NOTIFY_SOCKET" >name
      python3 notify.py 'STATUS=warming up\n'
      until test -e go; do sleep 0.02; done
      touch ready
      (setsid python3 notify.py 'X=1\nREADY=1\nSTATUS=serving')
      exec sleep 1000
    service: true
    ready: {notify: true, timeout: 20s}
  thief:
    run: |
      test -z "${NOTIFY_SOCKET:-}"
      until zproc get -n zproc s | grep -q '"note":"warming up"'; do sleep 0.02; done
      NOTIFY_SOCKET=$(cat name) python3 notify.py READY=1
      sleep 0.3
      zproc get -n zproc s | grep -q '"status":"running"'
      touch go
  user:
    needs: [s]
    run: test -e ready; until zproc get -n zproc s | grep -q '"note":"serving"'; do sleep 0.02; done
EOF
  NOTIFY_SOCKET=@outer run -0 zproc run
}

# ---- Secrets ----

@test "secrets are masked on the terminal, in logs, results, reasons, records, tails and the summary" {
  manifest <<'EOF'
version: 1
env: {OTHER: "line one of it\nline \"two\" of it\n"}
workers:
  w:
    run: |
      echo "token $TOKEN."; printf hunter; sleep 0.05; echo 22; echo "hunter2 alone"
      printf '%s' "$OTHER" >&2
      printf '{"a":"%s","n":123456789,"u":"\\u0068unter22"}\n' 'line one of it\nline \"two\" of it'
      exit 9
    secrets: [TOKEN, OTHER, PIN, EMPTY, NUMBER]
    env: {PIN: 12, EMPTY: "", NUMBER: 123456789}
  late: {run: 'echo my hunter22; zproc get -n zproc w', needs: {w: ended}}
  gone: {run: [./hunter22/x], needs: {w: ended}}
EOF
  for mode in prefix json group raw; do
    TOKEN=hunter22 run -9 zproc run --fail keep-going --output $mode
    [[ $output != *hunter22* && $output != *"line one"* && $output != *'\"two\"'* && $output != *123456789* ]]
    [[ $output == *"token ***."* && $output == *"hunter2 alone"* && $output == *"my ***"* ]]
  done
  [[ $output == *'the value of the secret '"'PIN'"' has fewer than 4 bytes'* ]]
  [[ $output == *'gone'*'./***/x'* ]]
  [ "$(log_of w | grep -vxF '***')" = $'token ***.\nhunter2 alone\n{"a":"***","n":***,"u":"\\u0068unter22"}' ]
  [ "$(log_of w | grep -cxF '***')" = 2 ] # from standard error, and the one in two pieces
  log_of late >record
  grep -q '"result":"{\\"a\\":\\"\*\*\*\\",\\"n\\":\*\*\*,\\"u\\"' record
  grep -q '"tail":"\*\*\*' record
  ! grep -rqa -e hunter22 -e 'line one' .zproc
}

@test "a JSON result stays JSON, and an unescaped secret is found in it" {
  manifest <<'EOF'
version: 1
workers:
  w:
    run: 'printf "{\"u\":\"\\\\u0068unter22\",\"n\":1}\n"'
    secrets: [TOKEN]
    env: {TOKEN: hunter22}
  late: {run: 'zproc get -n zproc w', needs: [w]}
EOF
  run -0 zproc run
  [[ $output == *'"result":{"u":"***","n":1}'* ]]
}

@test "secrets are masked with --dry-run" {
  manifest <<'EOF'
version: 1
vars: {base: hunter}
workers:
  w: {run: 'curl -H hunter22 $TOKEN', secrets: [TOKEN], env: {TOKEN: '${{ vars.base }}22'}}
EOF
  run -0 zproc run --dry-run
  [[ $output == *'curl -H *** $TOKEN'* ]]
}

@test "a flood with secrets in it is masked throughout" {
  manifest <<'EOF'
version: 1
workers:
  w: {run: 'yes "a secret hunter22 in a line" | head -n 300000', secrets: [TOKEN], log: {max_size: 0}}
EOF
  TOKEN=hunter22 run -0 zproc run --output quiet
  [ "$(log_of w | sort | uniq -c | tr -s ' ')" = ' 300000 a secret *** in a line' ]
}

# ---- Files ----

@test "files: a change starts the worker again, many at once do so once, ignored ones do not" {
  mkdir -p src/deep
  manifest <<'EOF'
version: 1
workers:
  s:
    run: 'echo start >>starts; echo "$(cat src/a 2>/dev/null || :)"; exec sleep 1000'
    service: true
    files: {watch: [src/**], ignore: ["*.tmp"], debounce: 500ms}
  editor:
    needs: [s]
    run: |
      lines() { test "$(wc -l <starts)" -ge $1; }
      echo no >src/x.tmp; echo no >src/x~; echo no >other
      for i in 1 2 3 4 5; do echo $i >src/f$i; done
      until lines 2; do sleep 0.02; done
      echo late >src/a.new; mv src/a.new src/a
      until lines 3; do sleep 0.02; done
      mkdir src/fresh; echo x >src/fresh/y
      until lines 4; do sleep 0.02; done
      until zproc get -n zproc s | grep -q '"status":"ready"'; do sleep 0.02; done
EOF
  run -0 zproc run
  [ "$(wc -l <starts)" = 4 ]
  [[ $output == *"s: 'src/f1' has changed"* ]]
  [[ $output == *"s      | late"* ]]
  [[ $output != *"too fast"* ]]
}

@test "files: what has failed starts again too, what was not started does not" {
  mkdir src
  manifest <<'EOF'
version: 1
run: {fail: keep-going}
workers:
  build: {run: 'echo x >>builds; test -e src/fixed', files: {watch: [src], debounce: 500ms}}
  later: {run: touch oops, start: false, files: {watch: [src], debounce: 50ms}}
  editor:
    needs: {build: failed}
    run: |
      touch src/fixed
      until zproc get -n zproc build | grep -q '"status":"succeeded"'; do sleep 0.02; done
EOF
  run -1 zproc run # for the first failure
  [ "$(wc -l <builds)" = 2 ]
  [ ! -e oops ]
}

@test "secrets are masked for who is attached to a terminal" {
  cat >attach.py <<'EOT'
import os, pty
pid, fd = pty.fork()
if pid == 0:
    os.execvp("zproc", ["zproc", "attach", "w"])
seen = b""
while b"end of it" not in seen:
    seen += os.read(fd, 4096)
os.close(fd)
open("seen", "wb").write(seen)
EOT
  manifest <<'EOT'
version: 1
workers:
  w:
    run: 'echo "it is hunter22"; echo "$KEY"; echo "end of it"; exec sleep 1000'
    tty: true
    service: true
    secrets: [TOKEN, KEY]
    env: {TERM: xterm, KEY: "ab\ncd\nef"}
  eye: {run: TERM=xterm /usr/bin/python3 attach.py, needs: [w]}
EOT
  TOKEN=hunter22 run -0 zproc run
  [[ $(cat seen) == *"it is ***"*$'\r\n***\r\nend of it'* ]]
  [[ $(cat seen) != *hunter22* ]]
}

#compdef zproc
# Completion of zproc for zsh. Made from the tables of the program by the target 'docs'; do not edit.

_zproc_keys() {
  local -a keys
  keys=(${(f)"$(ZPROC_RUN='' command zproc keys 2>/dev/null)"})
  compadd -a keys
}

_zproc_commands() {
  local -a commands
  commands=(
    'get:Print the value of KEY, or of all keys as a JSON object'
    'has:Whether KEY exists\: true with status 0, or false with status 1'
    'keys:Print the keys, in the order in which they were added'
    'values:Print the values, in the order of their keys'
    'items:Print keys and values, each pair as a JSON list'
    'len:Print the number of keys'
    'eval:Print the value of an expression (CEL) over the keys of the namespace'
    'set:Set KEY to VALUE'
    'del:Delete keys; when one of them does not exist, none is deleted'
    'update:Set several keys in one step'
    'replace:Make the namespace equal to VALUE, a JSON object'
    'clear:Delete every key of the namespace'
    'setdefault:Set KEY to VALUE unless it exists; print its value'
    'pop:Delete KEY and print its value'
    'popitem:Delete the key added last and print \[KEY, VALUE\]'
    'incr:Add N (1) to a number (0 when KEY is absent); print the sum'
    'append:Append VALUE to the list KEY (made when absent); print the list'
    'extend:Append the items of LIST to the list KEY (made when absent); print the list'
    'remove:Remove the first item that equals VALUE from the list KEY; print the list'
    'cas:Set KEY to NEW if it equals OLD, and print NEW; else status 1'
    'patch:Apply a JSON Patch (RFC 6902) to the namespace\: all of it or nothing'
    'atomic:Assign values of expressions to keys, all or none; print the value, or an object of several'
    'txn:Test conditions and assign in one step; status 1 when the conditions do not hold'
    'dump:Print all namespaces, or that of -n, as lines of JSON for zproc load'
    'load:Make namespaces equal to what zproc dump printed, from FILE or standard input'
    'watch:Wait until a KEY changes (none\: anything), or for one of the conditions below'
    'events:Print every change (of a KEY, or that fits) as a line of JSON, until it is ended'
    'go-live:Move the session'\''s cursor to now\: what happened until here is not watched any more'
    'server:Run a state server; its address is the line that it prints'
    'ping:Print the server'\''s pid; with -v the time of the round trip too'
    'stats:Print figures of the server\: a table on a terminal, else JSON'
    'keygen:Make a secret key\: into FILE, which only you can read, or print it'
    'run:Run a manifest, or one command with a state of its own, until it ends'
    'check:Read a manifest and say what is wrong with it'
    'map:Run CMD for each ITEM (or line of input), several at once, and print the results in order'
    'ps:Show the workers of a run'
    'wait:Wait until workers have ended, and print their results'
    'results:Print the results of a map, in order, while it runs too'
    'start:Start workers that have ended, were stopped, or have '\''start\: false'\'''
    'stop:Stop workers, in reverse order of needs, and print their exit statuses'
    'restart:Stop workers, in reverse order of needs, and start them again'
    'signal:Send a signal to the processes of workers'
    'scale:Give a worker N instances'
    'down:End the run\: stop everything in order'
    'up:Run a manifest in the background'
    'logs:Print what workers have printed'
    'spawn:Add a worker to the run that goes on'
    'return:Within a worker\: make VALUE its result'
    'reload:Read the manifest of the run again and take over what has changed'
    'attach:Use the terminal of a worker that has one (tty\: true)'
    'help:Show help, or that of a command'
  )
  _describe -t commands command commands
}

_zproc() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  _arguments -s -S -C \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '1: :_zproc_commands' '*:: :->operands' && return
  [[ $state == operands ]] || return
  case $words[1] in
    get)
      _arguments -s -S \
        '(-d --default)'{-d,--default}'[print this when KEY does not exist]:VALUE: ' \
        '--at[as of a revision]:REV: ' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[KEY\]:_zproc_keys' ;;
    has)
      _arguments -s -S \
        '--at[as of a revision]:REV: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY:_zproc_keys' ;;
    keys)
      _arguments -s -S \
        '--at[as of a revision]:REV: ' \
        '(-0 --null)'{-0,--null}'[end each with NUL instead of a newline]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    values)
      _arguments -s -S \
        '--at[as of a revision]:REV: ' \
        '(-0 --null)'{-0,--null}'[end each with NUL instead of a newline]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    items)
      _arguments -s -S \
        '--at[as of a revision]:REV: ' \
        '(-0 --null)'{-0,--null}'[end each with NUL instead of a newline]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    len)
      _arguments -s -S \
        '--at[as of a revision]:REV: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    eval)
      _arguments -s -S \
        '(-t --test)'{-t,--test}'[print nothing; status 0 when it is true, 1 when it is false]' \
        '--arg[a string that the expression knows as NAME (may be repeated)]:NAME STRING: ' \
        '--argjson[the same with a JSON value]:NAME JSON: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:EXPR: ' ;;
    set)
      _arguments -s -S \
        '(-e --ephemeral)'{-e,--ephemeral}'[KEY goes with the session (--session, $ZPROC_SESSION)]' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY VALUE:_zproc_keys' ;;
    del|delete)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY...:_zproc_keys' ;;
    update)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY=VALUE...: ' ;;
    replace)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:VALUE: ' ;;
    clear)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    setdefault)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY VALUE:_zproc_keys' ;;
    pop)
      _arguments -s -S \
        '(-d --default)'{-d,--default}'[print this when KEY does not exist]:VALUE: ' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY:_zproc_keys' ;;
    popitem)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    incr)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY \[N\]:_zproc_keys' ;;
    append)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY VALUE:_zproc_keys' ;;
    extend)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY LIST:_zproc_keys' ;;
    remove)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY VALUE:_zproc_keys' ;;
    cas)
      _arguments -s -S \
        '--absent[set KEY to NEW when it does not exist]' \
        '--at[set KEY to NEW when it was last changed at this revision]:REV: ' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:KEY \[OLD\] NEW:_zproc_keys' ;;
    patch)
      _arguments -s -S \
        '--merge[VALUE is a merge patch (RFC 7396)\: an object; null deletes]' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:VALUE: ' ;;
    atomic)
      _arguments -s -S \
        '--arg[a string that the expression knows as NAME (may be repeated)]:NAME STRING: ' \
        '--argjson[the same with a JSON value]:NAME JSON: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:'\''TARGET = EXPR; ...'\'' | -- CMD...: ' ;;
    txn)
      _arguments -s -S \
        '(-i --if)'{-i,--if}'[a condition (may be repeated\: all must be true); one that fails is false]:EXPR: ' \
        '--then[what to do when the conditions hold\: '\''TARGET = EXPR; ...'\'']:ASSIGNMENTS: ' \
        '--else[what to do when they do not hold]:ASSIGNMENTS: ' \
        '(-w --wait)'{-w,--wait}'[wait until the conditions hold; who came first is served first]' \
        '(-e --ephemeral)'{-e,--ephemeral}'[the keys assigned to go with the session (--session, $ZPROC_SESSION)]' \
        '(-t --timeout)'{-t,--timeout}'[with --wait\: so long at most (5s, 250ms, 1m); then status 124]:TIME: ' \
        '--arg[a string that the expression knows as NAME (may be repeated)]:NAME STRING: ' \
        '--argjson[the same with a JSON value]:NAME JSON: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    dump)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    load)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[FILE\]:_files' ;;
    watch)
      _arguments -s -S \
        '(-x --exclude)'{-x,--exclude}'[anything but this key changes (may be repeated)]:KEY:_zproc_keys' \
        '--prefix[a key that begins with TEXT changes]:TEXT: ' \
        '--glob[a key that fits changes\: * any text, ? a character, \[a-z\] one of a set]:PATTERN: ' \
        '(-w --when)'{-w,--when}'[an expression is true after a change of what it reads]:EXPR: ' \
        '--equal[KEY is set and equals VALUE]:KEY=VALUE: ' \
        '--not-equal[KEY is set and differs from VALUE]:KEY=VALUE: ' \
        '--none[KEY is set to null]:KEY:_zproc_keys' \
        '--not-none[KEY is set to something else than null]:KEY:_zproc_keys' \
        '--available[KEY is added]:KEY:_zproc_keys' \
        '--truthy[KEY is set to something else than null, false, 0, "", \[\] and {}]:KEY:_zproc_keys' \
        '--falsy[KEY is set to one of these]:KEY:_zproc_keys' \
        '(-l --live)'{-l,--live}'[start at the newest revision, not at the session'\''s cursor]' \
        '--next[skip the first check\: wait for the next change even if the condition holds]' \
        '--duplicates[writes that change nothing count too]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (5s, 250ms, 1m); 0\: only what is there; then status 124]:TIME: ' \
        '--after[start behind this revision; 0\: at the oldest that is kept]:REV: ' \
        '(-p --print)'{-p,--print}'[value (of the key that changed; default for one key), event (default else) or snapshot]:WHAT: ' \
        '(-f --follow)'{-f,--follow}'[go on\: a line for each event, until --count, --timeout or the end]' \
        '(-c --count)'{-c,--count}'[follow until there were N events]:N: ' \
        '--level[follow\: every change after which the condition holds, not only when it turns true]' \
        '(-0 --null)'{-0,--null}'[follow\: end each with a NUL character instead of a newline]' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '--arg[a string that the expression knows as NAME (may be repeated)]:NAME STRING: ' \
        '--argjson[the same with a JSON value]:NAME JSON: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[KEY...\] \[-- CMD...\]:_zproc_keys' ;;
    events)
      _arguments -s -S \
        '(-x --exclude)'{-x,--exclude}'[anything but this key changes (may be repeated)]:KEY:_zproc_keys' \
        '--prefix[a key that begins with TEXT changes]:TEXT: ' \
        '--glob[a key that fits changes\: * any text, ? a character, \[a-z\] one of a set]:PATTERN: ' \
        '(-w --when)'{-w,--when}'[an expression is true after a change of what it reads]:EXPR: ' \
        '--equal[KEY is set and equals VALUE]:KEY=VALUE: ' \
        '--not-equal[KEY is set and differs from VALUE]:KEY=VALUE: ' \
        '--none[KEY is set to null]:KEY:_zproc_keys' \
        '--not-none[KEY is set to something else than null]:KEY:_zproc_keys' \
        '--available[KEY is added]:KEY:_zproc_keys' \
        '--truthy[KEY is set to something else than null, false, 0, "", \[\] and {}]:KEY:_zproc_keys' \
        '--falsy[KEY is set to one of these]:KEY:_zproc_keys' \
        '(-l --live)'{-l,--live}'[start at the newest revision, not at the session'\''s cursor]' \
        '--next[skip the first check\: wait for the next change even if the condition holds]' \
        '--duplicates[writes that change nothing count too]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (5s, 250ms, 1m); 0\: only what is there; then status 124]:TIME: ' \
        '--after[start behind this revision; 0\: at the oldest that is kept]:REV: ' \
        '(-p --print)'{-p,--print}'[value (of the key that changed; default for one key), event (default else) or snapshot]:WHAT: ' \
        '(-f --follow)'{-f,--follow}'[go on\: a line for each event, until --count, --timeout or the end]' \
        '(-c --count)'{-c,--count}'[follow until there were N events]:N: ' \
        '--level[follow\: every change after which the condition holds, not only when it turns true]' \
        '(-0 --null)'{-0,--null}'[follow\: end each with a NUL character instead of a newline]' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '--arg[a string that the expression knows as NAME (may be repeated)]:NAME STRING: ' \
        '--argjson[the same with a JSON value]:NAME JSON: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[KEY...\]:_zproc_keys' ;;
    go-live)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    server)
      _arguments -s -S \
        '--durability[what an answer to a write promises\: always (synced to disk), second (synced every second), process (survives a crash of the server; default with --persist) or none (in memory; default)]:LEVEL: ' \
        '--log-limit[memory for changes that can still be watched (default 64MiB)]:SIZE: ' \
        '--state-limit[memory for values (default 1GiB)]:SIZE: ' \
        '--insecure[allow tcp beyond this machine without a secret key]' \
        '--persist[keep the state in this folder, which is made when it is not there]:DIR:_files' \
        '--repair[start with what stands before a damaged record of the folder; the rest is put aside]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    ping)
      _arguments -s -S \
        '(-p --payload)'{-p,--payload}'[send this along and check that it comes back]:VALUE: ' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    stats)
      _arguments -s -S \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    keygen)
      _arguments -s -S \
        '--curve[print the CURVE keys that a ZeroMQ client needs, derived from the key that --key-file or ZPROC_KEY_FILE names\: the server'\''s public one, the client'\''s public and secret ones]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[FILE\]:_files' ;;
    run)
      _arguments -s -S \
        '(-f --manifest)'{-f,--manifest}'[a manifest, - for standard input (default\: zproc.yaml); later ones lie over earlier ones]:FILE:_files' \
        '--var[a variable for ${{ vars.NAME }}, over the manifest'\''s]:NAME=VALUE: ' \
        '(-j --jobs)'{-j,--jobs}'[at most N jobs at once; 0\: no limit]:N: ' \
        '--fail[after a failure\: fast (stop the rest), finish, keep-going]:MODE: ' \
        '--server[use the state server there instead of starting one]:ADDRESS: ' \
        '--output[prefix, group, failed, quiet, raw or json]:MODE: ' \
        '--junit[write a report for CI there (JUnit XML)\: a worker is a test case]:FILE:_files' \
        '--events[write each change of a worker there, a line of JSON each]:FILE:_files' \
        '--dry-run[show what would start, in order]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[WORKER...\] | -- CMD...: ' ;;
    check)
      _arguments -s -S \
        '(-f --manifest)'{-f,--manifest}'[a manifest, - for standard input (default\: zproc.yaml); later ones lie over earlier ones]:FILE:_files' \
        '--var[a variable for ${{ vars.NAME }}, over the manifest'\''s]:NAME=VALUE: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[WORKER...\]: ' ;;
    map)
      _arguments -s -S \
        '(-j --jobs)'{-j,--jobs}'[N processes at once (default\: as many as there are processors)]:N: ' \
        '(-l --lines)'{-l,--lines}'[N processes stay\: an item is a line of their input, its result a line of output]' \
        '(-k --keep-going)'{-k,--keep-going}'[do all items, also after one has failed]' \
        '(-r --retry)'{-r,--retry}'[try an item that fails up to N times more]:N: ' \
        '(-a --arg-file)'{-a,--arg-file}'[read the items from FILE instead of standard input]:FILE:_files' \
        '(-0 --null)'{-0,--null}'[items end in NUL characters instead of newlines]' \
        '--json-lines[items are JSON values, one a line; strings are handed on as they are meant]' \
        '--stateful[the processes have a state\: that of --address or of the run, else one of their own]' \
        '--task[let the supervisor of the run do it; prints the task'\''s name, for '\''zproc results'\'']' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:-- CMD... \[\:\:\: ITEM...\]: ' ;;
    ps)
      _arguments -s -S \
        '(-A --all)'{-A,--all}'[the workers of every run on this server]' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[NAME...\]: ' ;;
    wait)
      _arguments -s -S \
        '--all[all jobs (the default without NAMEs)]' \
        '--any[only until the first of them has ended]' \
        '--safe[a line of JSON each\: the result, or {"error"\: ...}; failures do not end it]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (5s, 1m); then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[NAME...\]: ' ;;
    results)
      _arguments -s -S \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (5s, 1m); then status 124]:TIME: ' \
        '(-0 --null)'{-0,--null}'[end each with a NUL character instead of a newline]' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:TASK: ' ;;
    start)
      _arguments -s -S \
        '--all[all workers of the run]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME... | --all: ' ;;
    stop)
      _arguments -s -S \
        '--all[all workers of the run]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME... | --all: ' ;;
    restart)
      _arguments -s -S \
        '--all[all workers of the run]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME... | --all: ' ;;
    signal)
      _arguments -s -S \
        '--all[all workers of the run]' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:SIGNAL NAME... | SIGNAL --all: ' ;;
    scale)
      _arguments -s -S \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME=N...: ' ;;
    down)
      _arguments -s -S \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    up)
      _arguments -s -S \
        '(-f --manifest)'{-f,--manifest}'[a manifest, - for standard input (default\: zproc.yaml); later ones lie over earlier ones]:FILE:_files' \
        '--var[a variable for ${{ vars.NAME }}, over the manifest'\''s]:NAME=VALUE: ' \
        '(-j --jobs)'{-j,--jobs}'[at most N jobs at once; 0\: no limit]:N: ' \
        '--fail[after a failure\: fast (stop the rest), finish, keep-going]:MODE: ' \
        '--server[use the state server there instead of starting one]:ADDRESS: ' \
        '(-w --wait)'{-w,--wait}'[until all is ready, or something failed\: then with its status]' \
        '(-t --timeout)'{-t,--timeout}'[with --wait\: wait so long at most; the run goes on, status 124]:TIME: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[WORKER...\]: ' ;;
    logs)
      _arguments -s -S \
        '(-f --follow)'{-f,--follow}'[go on with what comes, until the workers have ended]' \
        '(-n --lines)'{-n,--lines}'[only the last N lines of each]:N: ' \
        '(-t --timestamps)'{-t,--timestamps}'[with the time of each line, where the log has it]' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:\[NAME...\]: ' ;;
    spawn)
      _arguments -s -S \
        '(-e --env)'{-e,--env}'[a variable of its environment (may be repeated)]:NAME=VALUE: ' \
        '--need[wait until this worker is ready or has succeeded, or is in STATE]:NAME\[=STATE\]: ' \
        '(-C --dir)'{-C,--dir}'[where it runs (default\: the manifest'\''s folder)]:DIR:_files' \
        '--service[a service\: started again when it ends, does not keep the run alive]' \
        '--optional[its failure does not fail the run]' \
        '--retry[try N times more after a failure]:N: ' \
        '--replicas[so many instances]:N: ' \
        '--run-timeout[of an attempt]:TIME: ' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME -- CMD...: ' ;;
    return)
      _arguments -s -S \
        '(-s --string)'{-s,--string}'[VALUE is literally a string]' \
        '(-J --strict)'{-J,--strict}'[VALUE must be JSON]' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:VALUE: ' ;;
    reload)
      _arguments -s -S \
        '(-f --manifest)'{-f,--manifest}'[read this file in place of those of the run (may be repeated)]:FILE:_files' \
        '--dry-run[only show what would be done]' \
        '(-t --timeout)'{-t,--timeout}'[wait so long at most (default\: without end), then status 124]:TIME: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' ;;
    attach)
      _arguments -s -S \
        '--detach-keys[what ends it here, like ctrl-p,ctrl-q (the default) or ctrl-\]]:KEYS: ' \
        '--run[the run of this id (default\: that of this folder, else the server'\''s first)]:RUN: ' \
        '(-a --address)'{-a,--address}'[the server\: ipc\:///path, ipc\://@name or tcp\://host\:port]:ADDRESS: ' \
        '(-n --namespace)'{-n,--namespace}'[namespace of the state (default\: $ZPROC_NAMESPACE, else "default")]:NAME: ' \
        '--key-file[file with the server'\''s secret key (default\: $ZPROC_KEY_FILE)]:FILE:_files' \
        '--secret-key[the secret key itself, or a passphrase; others can see it in the process list]:KEY:_zproc_keys' \
        '--session[session that remembers what was seen; made when it does not exist]:NAME: ' \
        '--json[print JSON always]' \
        '(-q --quiet)'{-q,--quiet}'[no messages]' \
        '(-v --verbose)'{-v,--verbose}'[say more\: revision and time of each request]' \
        '--no-color[no colour on a terminal]' \
        '(-h --help)'{-h,--help}'[show help]' \
        '--version[print the version]' \
        '*:NAME: ' ;;
    help) _zproc_commands ;;
  esac
}

_zproc "$@"

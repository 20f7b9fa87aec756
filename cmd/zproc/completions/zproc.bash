# Completion of zproc for bash. Made from the tables of the program by the target 'docs'; do not edit.
# shellcheck shell=bash disable=SC2207
_zproc_commands='get has keys values items len eval set del update replace clear setdefault pop popitem incr append extend remove cas patch atomic txn dump load watch events go-live server ping stats keygen run check map ps wait results start stop restart signal scale down up logs spawn return reload attach help'
_zproc_global='-a --address -n --namespace --key-file --secret-key --session --json -q --quiet -v --verbose --no-color -h --help --version'

# The options of a command.
_zproc_options() {
    case $1 in
    get) echo '-d --default --at -s --string -J --strict' ;;
    has) echo '--at' ;;
    keys) echo '--at -0 --null' ;;
    values) echo '--at -0 --null' ;;
    items) echo '--at -0 --null' ;;
    len) echo '--at' ;;
    eval) echo '-t --test --arg --argjson' ;;
    set) echo '-e --ephemeral -s --string -J --strict' ;;
    update) echo '-s --string -J --strict' ;;
    replace) echo '-s --string -J --strict' ;;
    setdefault) echo '-s --string -J --strict' ;;
    pop) echo '-d --default -s --string -J --strict' ;;
    append) echo '-s --string -J --strict' ;;
    extend) echo '-s --string -J --strict' ;;
    remove) echo '-s --string -J --strict' ;;
    cas) echo '--absent --at -s --string -J --strict' ;;
    patch) echo '--merge -s --string -J --strict' ;;
    atomic) echo '--arg --argjson' ;;
    txn) echo '-i --if --then --else -w --wait -e --ephemeral -t --timeout --arg --argjson' ;;
    watch) echo '-x --exclude --prefix --glob -w --when --equal --not-equal --none --not-none --available --truthy --falsy -l --live --next --duplicates -t --timeout --after -p --print -f --follow -c --count --level -0 --null -s --string -J --strict --arg --argjson' ;;
    events) echo '-x --exclude --prefix --glob -w --when --equal --not-equal --none --not-none --available --truthy --falsy -l --live --next --duplicates -t --timeout --after -p --print -f --follow -c --count --level -0 --null -s --string -J --strict --arg --argjson' ;;
    server) echo '--durability --log-limit --state-limit --insecure --persist --repair' ;;
    ping) echo '-p --payload -t --timeout -s --string -J --strict' ;;
    keygen) echo '--curve' ;;
    run) echo '-f --manifest --var -j --jobs --fail --server --output --junit --events --dry-run' ;;
    check) echo '-f --manifest --var' ;;
    map) echo '-j --jobs -l --lines -k --keep-going -r --retry -a --arg-file -0 --null --json-lines --stateful --task --run' ;;
    ps) echo '-A --all --run' ;;
    wait) echo '--all --any --safe -t --timeout --run' ;;
    results) echo '-t --timeout -0 --null --run' ;;
    start) echo '--all -t --timeout --run' ;;
    stop) echo '--all -t --timeout --run' ;;
    restart) echo '--all -t --timeout --run' ;;
    signal) echo '--all --run' ;;
    scale) echo '-t --timeout --run' ;;
    down) echo '-t --timeout --run' ;;
    up) echo '-f --manifest --var -j --jobs --fail --server -w --wait -t --timeout' ;;
    logs) echo '-f --follow -n --lines -t --timestamps --run' ;;
    spawn) echo '-e --env --need -C --dir --service --optional --retry --replicas --run-timeout -t --timeout --run' ;;
    return) echo '-s --string -J --strict' ;;
    reload) echo '-f --manifest --dry-run -t --timeout --run' ;;
    attach) echo '--detach-keys --run' ;;
    esac
}

# What kind of value an option takes; nothing for a flag.
_zproc_takes() {
    case "$1 $2" in
    'get '-d | 'get '--default | 'get '--at) echo value ;;
    'has '--at) echo value ;;
    'keys '--at) echo value ;;
    'values '--at) echo value ;;
    'items '--at) echo value ;;
    'len '--at) echo value ;;
    'eval '--arg | 'eval '--argjson) echo value ;;
    'pop '-d | 'pop '--default) echo value ;;
    'cas '--at) echo value ;;
    'atomic '--arg | 'atomic '--argjson) echo value ;;
    'txn '-i | 'txn '--if | 'txn '--then | 'txn '--else | 'txn '-t | 'txn '--timeout | 'txn '--arg | 'txn '--argjson) echo value ;;
    'watch '--prefix | 'watch '--glob | 'watch '-w | 'watch '--when | 'watch '--equal | 'watch '--not-equal | 'watch '-t | 'watch '--timeout | 'watch '--after | 'watch '-p | 'watch '--print | 'watch '-c | 'watch '--count | 'watch '--arg | 'watch '--argjson) echo value ;;
    'watch '-x | 'watch '--exclude | 'watch '--none | 'watch '--not-none | 'watch '--available | 'watch '--truthy | 'watch '--falsy) echo key ;;
    'events '--prefix | 'events '--glob | 'events '-w | 'events '--when | 'events '--equal | 'events '--not-equal | 'events '-t | 'events '--timeout | 'events '--after | 'events '-p | 'events '--print | 'events '-c | 'events '--count | 'events '--arg | 'events '--argjson) echo value ;;
    'events '-x | 'events '--exclude | 'events '--none | 'events '--not-none | 'events '--available | 'events '--truthy | 'events '--falsy) echo key ;;
    'server '--durability | 'server '--log-limit | 'server '--state-limit) echo value ;;
    'server '--persist) echo file ;;
    'ping '-p | 'ping '--payload | 'ping '-t | 'ping '--timeout) echo value ;;
    'run '--var | 'run '-j | 'run '--jobs | 'run '--fail | 'run '--server | 'run '--output) echo value ;;
    'run '-f | 'run '--manifest | 'run '--junit | 'run '--events) echo file ;;
    'check '--var) echo value ;;
    'check '-f | 'check '--manifest) echo file ;;
    'map '-j | 'map '--jobs | 'map '-r | 'map '--retry | 'map '--run) echo value ;;
    'map '-a | 'map '--arg-file) echo file ;;
    'ps '--run) echo value ;;
    'wait '-t | 'wait '--timeout | 'wait '--run) echo value ;;
    'results '-t | 'results '--timeout | 'results '--run) echo value ;;
    'start '-t | 'start '--timeout | 'start '--run) echo value ;;
    'stop '-t | 'stop '--timeout | 'stop '--run) echo value ;;
    'restart '-t | 'restart '--timeout | 'restart '--run) echo value ;;
    'signal '--run) echo value ;;
    'scale '-t | 'scale '--timeout | 'scale '--run) echo value ;;
    'down '-t | 'down '--timeout | 'down '--run) echo value ;;
    'up '--var | 'up '-j | 'up '--jobs | 'up '--fail | 'up '--server | 'up '-t | 'up '--timeout) echo value ;;
    'up '-f | 'up '--manifest) echo file ;;
    'logs '-n | 'logs '--lines | 'logs '--run) echo value ;;
    'spawn '-e | 'spawn '--env | 'spawn '--need | 'spawn '--retry | 'spawn '--replicas | 'spawn '--run-timeout | 'spawn '-t | 'spawn '--timeout | 'spawn '--run) echo value ;;
    'spawn '-C | 'spawn '--dir) echo file ;;
    'reload '-t | 'reload '--timeout | 'reload '--run) echo value ;;
    'reload '-f | 'reload '--manifest) echo file ;;
    'attach '--detach-keys | 'attach '--run) echo value ;;
    *' '-a | *' '--address | *' '-n | *' '--namespace | *' '--session) echo value ;;
    *' '--secret-key) echo key ;;
    *' '--key-file) echo file ;;
    esac
}

# What kind of operands a command takes.
_zproc_operands() {
    case $1 in
    get) echo key ;;
    has) echo key ;;
    set) echo key ;;
    del | delete) echo key ;;
    setdefault) echo key ;;
    pop) echo key ;;
    incr) echo key ;;
    append) echo key ;;
    extend) echo key ;;
    remove) echo key ;;
    cas) echo key ;;
    load) echo file ;;
    watch) echo key ;;
    events) echo key ;;
    keygen) echo file ;;
    help) echo command ;;
    esac
}

# Without ZPROC_RUN a server that is gone is not waited for.
_zproc_keys() {
    ZPROC_RUN='' command zproc keys 2>/dev/null
}

_zproc_reply() {
    local IFS=$'\n'
    case $1 in
    key) COMPREPLY=($(compgen -W "$(_zproc_keys)" -- "$2")) ;;
    file) COMPREPLY=($(compgen -f -- "$2")) ;;
    command) COMPREPLY=($(compgen -W "${_zproc_commands// /$'\n'}" -- "$2")) ;;
    esac
}

_zproc() {
    local cur=${COMP_WORDS[COMP_CWORD]} command='' kind='' word i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $kind ]]; then
            kind=
        elif [[ $word == -- ]]; then
            COMPREPLY=($(compgen -c -- "$cur") $(compgen -f -- "$cur"))
            return
        elif [[ $word == -* ]]; then
            kind=$(_zproc_takes "$command" "$word")
        elif [[ -z $command ]]; then
            command=$word
        fi
    done
    if [[ -n $kind ]]; then
        _zproc_reply "$kind" "$cur"
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_zproc_options "$command") $_zproc_global" -- "$cur"))
    elif [[ -z $command ]]; then
        _zproc_reply command "$cur"
    else
        _zproc_reply "$(_zproc_operands "$command")" "$cur"
    fi
}
complete -F _zproc zproc

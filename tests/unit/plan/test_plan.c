/* What stands in a plan: every key, every default, merging, templates, needs, the command line's part. */
#include "../unit.h"
#include "plan.h"

#include <signal.h>

static struct plan *plan; /* of the test that runs */
static const struct plan_options *options;

/* Loads text, which must be good, into `plan`. */
static void load(const char *text)
{
    struct plan_problems problems = {0};
    AUTO_BUF struct buf out = {0};
    plan_free(plan);
    plan = plan_parse(str_of(text), "zproc.yaml", "/home/me/bakery", options, &problems);
    for (size_t i = 0; i < problems.count; i++)
        plan_problem_print(&out, &problems.items[i], false);
    plan_problems_release(&problems);
    if (!plan)
        fail_msg("%s", out.data);
}

/* The messages of a bad manifest, one a line. */
static void assert_problems(const char *text, const char *wanted)
{
    struct plan_problems problems = {0};
    AUTO_BUF struct buf out = {0};
    assert_null(plan_parse(str_of(text), "zproc.yaml", "/home/me/bakery", options, &problems));
    for (size_t i = 0; i < problems.count; i++)
        buf_add_format(&out, "%zu:%zu: %s\n", problems.items[i].line, problems.items[i].column,
                       problems.items[i].message);
    plan_problems_release(&problems);
    assert_string_equal(out.data, wanted);
}

static int tear_down(void **state)
{
    (void)state;
    plan_free(plan);
    plan = NULL;
    options = NULL;
    return 0;
}

static void assert_value(const struct value *value, const char *json)
{
    AUTO_BUF struct buf out = {0};
    assert_non_null(value);
    value_print(&out, value);
    assert_string_equal(out.data, json);
}

/* "a b" for a list of texts. */
static void assert_texts(const struct plan_texts *texts, const char *wanted)
{
    AUTO_BUF struct buf out = {0};
    buf_add_text(&out, "");
    for (size_t i = 0; i < texts->count; i++)
        buf_add_format(&out, "%s%s", i ? " " : "", texts->items[i].raw);
    assert_string_equal(out.data, wanted);
}

/* "A=1 B=" in order, "C-" for what is taken out. */
static void assert_env(const struct plan_env *env, const char *wanted)
{
    AUTO_BUF struct buf out = {0};
    buf_add_text(&out, "");
    for (size_t i = 0; i < env->count; i++)
        buf_add_format(&out, "%s%s%s%s", i ? " " : "", env->items[i].name,
                       env->items[i].value.raw ? "=" : "-",
                       env->items[i].value.raw ? env->items[i].value.raw : "");
    assert_string_equal(out.data, wanted);
}

static void test_defaults(void **state)
{
    (void)state;
    load("version: 1\nworkers: {a: {run: x}}\n");
    assert_string_equal(plan->file, "zproc.yaml");
    assert_string_equal(plan->name, "bakery");
    assert_string_equal(plan->dir, "/home/me/bakery");
    assert_null(plan->server.address);
    assert_false(plan->server.external || plan->server.insecure);
    assert_int_equal(plan->server.log_limit, 64 << 20);
    assert_int_equal(plan->server.state_limit, 1 << 30);
    assert_int_equal(plan->run.jobs, 0);
    assert_int_equal(plan->run.fail, FAIL_FAST);
    assert_int_equal(plan->run.timeout_ms, 0);
    assert_texts(&plan->run.shell, "/bin/sh -eu -c");
    assert_string_equal(plan->run.dir, ".zproc");
    assert_int_equal(plan->run.stop_grace_ms, 10000);
    assert_value(plan->vars, "{}");
    assert_env(&plan->env, "");
    assert_int_equal(plan->namespace_count, 0);
    assert_int_equal(plan->worker_count, 1);
}

static void test_worker_defaults(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n  a: {run: x}\n");
    const struct plan_worker *a = &plan->workers[0];
    assert_string_equal(a->name, "a");
    assert_null(a->description);
    assert_string_equal(a->place.file, "zproc.yaml");
    assert_int_equal(a->place.line, 3);
    assert_int_equal(a->place.column, 3);
    assert_true(a->run.given && a->run.shell);
    assert_texts(&a->run.words, "x");
    assert_texts(&a->args, "");
    assert_env(&a->env, "");
    assert_null(a->dir.raw);
    assert_string_equal(a->namespace, "default");
    assert_true(a->stateful && a->start && a->result_stdout);
    assert_false(a->service || a->optional || a->restart_always);
    assert_int_equal(a->replicas, 1);
    assert_int_equal(a->need_count, 0);
    assert_null(a->when);
    assert_int_equal(a->success_count, 1);
    assert_int_equal(a->success[0], 0);
    assert_int_equal(a->timeout_ms, 0);
    assert_int_equal(a->stop.signal, SIGTERM);
    assert_int_equal(a->stop.grace_ms, 10000);
    assert_false(a->stop.run.given);
    assert_null(a->log.file.raw);
    assert_int_equal(a->log.max_size, 10 << 20);
    assert_int_equal(a->log.keep, 5);
    assert_true(a->log.timestamps);
    assert_false(a->log.hide);
}

static void test_section_defaults(void **state)
{
    (void)state;
    load("version: 1\nworkers: {a: {run: x}, b: {run: x, trigger: {change: []}}}\n");
    const struct plan_ready *ready = &plan->workers[0].ready;
    assert_false(ready->given);
    assert_int_equal(ready->every_ms, 200);
    assert_int_equal(ready->timeout_ms, 60000);
    const struct plan_retry *retry = &plan->workers[0].retry;
    assert_int_equal(retry->failure_count, 0);
    assert_int_equal(retry->max, 0);
    assert_int_equal(retry->delay_ms, 5000);
    assert_int_equal(retry->max_delay_ms, 300000);
    assert_true(retry->backoff == 1.0 && retry->jitter == 0.0);
    assert_int_equal(retry->reset_after_ms, 0);
    assert_false(retry->has_args);
    assert_env(&retry->env, "");
    assert_false(plan->workers[0].trigger.given);
    const struct plan_trigger *trigger = &plan->workers[1].trigger;
    assert_true(trigger->given && trigger->edge && trigger->drain);
    assert_false(trigger->live || trigger->duplicates);
    assert_int_equal(trigger->overlap, OVERLAP_QUEUE);
    assert_int_equal(trigger->max, 0);
    assert_int_equal(trigger->condition, CONDITION_CHANGE);
    assert_value(trigger->keys, "[]");
}

static void test_top_level(void **state)
{
    (void)state;
    load("version: 1\n"
         "name: shop\n"
         "server: {address: 'tcp://0.0.0.0:7000', external: true, insecure: true, persist: kept, durability: "
         "second, log_limit: "
         "1MiB, "
         "state_limit: 65536}\n"
         "run: {jobs: 4, fail: keep-going, timeout: 1h, shell: [bash, -c], dir: out, stop_grace: 3}\n"
         "vars: {n: 3, s: text, l: [1, {a: b}]}\n"
         "env: {A: 3.10, B: no, C: ~, D: '', E: 0x10}\n"
         "x-anchors: {whatever: [1, 2]}\n"
         "workers: {a: {run: x}}\n");
    assert_string_equal(plan->name, "shop");
    assert_string_equal(plan->server.address, "tcp://0.0.0.0:7000");
    assert_true(plan->server.external && plan->server.insecure);
    assert_string_equal(plan->server.persist, "kept");
    assert_int_equal(plan->server.durability, PLAN_SECOND);
    assert_int_equal(plan->server.log_limit, 1 << 20);
    assert_int_equal(plan->server.state_limit, 65536);
    assert_int_equal(plan->run.jobs, 4);
    assert_int_equal(plan->run.fail, FAIL_KEEP_GOING);
    assert_int_equal(plan->run.timeout_ms, 3600000);
    assert_texts(&plan->run.shell, "bash -c");
    assert_string_equal(plan->run.dir, "out");
    assert_int_equal(plan->run.stop_grace_ms, 3000);
    assert_value(plan->vars, "{\"n\":3,\"s\":\"text\",\"l\":[1,{\"a\":\"b\"}]}");
    assert_env(&plan->env, "A=3.10 B=no C- D= E=0x10");
    assert_int_equal(plan->workers[0].stop.grace_ms, 3000);
}

static void test_state(void **state)
{
    (void)state;
    load("version: 1\n"
         "state: {i: 0o17, h: 0xff, d: 1.10, e: 1e3, p: +5, t: 2024-01-02, y: yes, on: off, n: ~, b: True, "
         "q: '1', l: [a, 2.], m: {k: v}, 'null': !!str 3, big: 9223372036854775807, zero: \"\\0\"}\n"
         "namespaces: {other: {a: 1}, none: }\n"
         "workers: {a: {run: x, namespace: other}}\n");
    assert_int_equal(plan->namespace_count, 3);
    assert_string_equal(plan->namespaces[0].name, "default");
    assert_value(
        plan->namespaces[0].state,
        "{\"i\":15,\"h\":255,\"d\":1.10,\"e\":1e3,\"p\":5,\"t\":\"2024-01-02\",\"y\":\"yes\",\"on\":\"off\","
        "\"n\":null,\"b\":true,\"q\":\"1\",\"l\":[\"a\",2.0],\"m\":{\"k\":\"v\"},\"null\":\"3\","
        "\"big\":9223372036854775807,\"zero\":\"\\u0000\"}");
    assert_string_equal(plan->namespaces[1].name, "other");
    assert_value(plan->namespaces[1].state, "{\"a\":1}");
    assert_value(plan->namespaces[2].state, "{}");
    assert_string_equal(plan->workers[0].namespace, "other");
}

static void test_worker_keys(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n  a:\n"
         "    run: [prog, '-x', 3.10, true]\n"
         "    args: [one, 2]\n"
         "    description: what it does\n"
         "    service: true\n"
         "    env: {A: b}\n"
         "    dir: sub\n"
         "    replicas: 3\n"
         "    stateful: false\n"
         "    start: false\n"
         "    optional: true\n"
         "    when: cookies >= 3\n"
         "    success: [0, 3]\n"
         "    timeout: 1m30s\n"
         "    stop: {signal: INT, grace: 250ms, run: [halt, now]}\n"
         "    result: none\n"
         "    log: {file: a.log}\n"
         "    x-note: ignored\n");
    const struct plan_worker *a = &plan->workers[0];
    assert_false(a->run.shell);
    assert_texts(&a->run.words, "prog -x 3.10 true");
    assert_texts(&a->args, "one 2");
    assert_string_equal(a->description, "what it does");
    assert_true(a->service && a->restart_always && a->optional);
    assert_false(a->stateful || a->start || a->result_stdout);
    assert_env(&a->env, "A=b");
    assert_string_equal(a->dir.raw, "sub");
    assert_int_equal(a->replicas, 3);
    assert_true(str_is(expr_text(a->when), "cookies >= 3"));
    assert_int_equal(a->success_count, 2);
    assert_int_equal(a->success[1], 3);
    assert_int_equal(a->timeout_ms, 90000);
    assert_int_equal(a->stop.signal, SIGINT);
    assert_int_equal(a->stop.grace_ms, 250);
    assert_false(a->stop.run.shell);
    assert_texts(&a->stop.run.words, "halt now");
    assert_string_equal(a->log.file.raw, "a.log");
}

static void test_ready_and_restart(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n"
         "  a: {run: x, service: true, restart: never, ready: {when: up, exec: test -e f, tcp: "
         "'localhost:80', "
         "every: 1, timeout: 2m}}\n"
         "  b: {run: x, restart: always}\n"
         "  c: {run: x, ready: {tcp: '${{ env.HOST }}:1'}}\n");
    const struct plan_worker *a = &plan->workers[0];
    assert_false(a->restart_always);
    assert_true(a->ready.given && a->ready.exec.shell);
    assert_true(str_is(expr_text(a->ready.when), "up"));
    assert_texts(&a->ready.exec.words, "test -e f");
    assert_string_equal(a->ready.tcp.raw, "localhost:80");
    assert_int_equal(a->ready.every_ms, 1000);
    assert_int_equal(a->ready.timeout_ms, 120000);
    assert_true(plan->workers[1].restart_always);
    assert_non_null(plan->workers[2].ready.tcp.template);
}

static void assert_failure(const struct plan_failure *failure, enum plan_failure_kind kind, int low, int high)
{
    assert_int_equal(failure->kind, kind);
    assert_int_equal(failure->low, low);
    assert_int_equal(failure->high, high);
}

static void test_retry(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n"
         "  a:\n    run: x\n    retry: {for: [75, \"100-110\", 120-121, SIGTERM, TERM, timeout, lost], max: "
         "3, "
         "delay: 1s, backoff: 2.5, max_delay: 10s, jitter: 0.5, reset_after: 1m, args: [again], env: {TRY: "
         "2}}\n"
         "  b: {run: x, retry: 4}\n"
         "  c: {run: x, retry: {for: [1, failure], max: null}}\n"
         "  d: {run: x, retry: false}\n"
         "  e: {run: x, retry: {args: []}}\n");
    const struct plan_retry *retry = &plan->workers[0].retry;
    assert_int_equal(retry->failure_count, 7);
    assert_failure(&retry->failures[0], FAILURE_STATUS, 75, 75);
    assert_failure(&retry->failures[1], FAILURE_STATUS, 100, 110);
    assert_failure(&retry->failures[2], FAILURE_STATUS, 120, 121);
    assert_failure(&retry->failures[3], FAILURE_SIGNAL, SIGTERM, SIGTERM);
    assert_failure(&retry->failures[4], FAILURE_SIGNAL, SIGTERM, SIGTERM);
    assert_failure(&retry->failures[5], FAILURE_TIMEOUT, 0, 0);
    assert_failure(&retry->failures[6], FAILURE_LOST, 0, 0);
    assert_int_equal(retry->max, 3);
    assert_int_equal(retry->delay_ms, 1000);
    assert_int_equal(retry->max_delay_ms, 10000);
    assert_int_equal(retry->reset_after_ms, 60000);
    assert_true(retry->backoff == 2.5 && retry->jitter == 0.5 && retry->has_args);
    assert_texts(&retry->args, "again");
    assert_env(&retry->env, "TRY=2");
    assert_int_equal(plan->workers[1].retry.max, 4);
    assert_int_equal(plan->workers[1].retry.delay_ms, 5000);
    assert_int_equal(plan->workers[2].retry.max, -1);
    assert_failure(&plan->workers[2].retry.failures[1], FAILURE_ANY, 0, 0);
    assert_int_equal(plan->workers[3].retry.max, 0);
    assert_true(plan->workers[4].retry.has_args);
    assert_int_equal(plan->workers[4].retry.args.count, 0);
}

static void test_triggers(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n"
         "  a: {run: x, trigger: {change: [k, 3], live: true, duplicates: true, edge: false, overlap: "
         "restart, "
         "max: 7, drain: false}}\n"
         "  b: {run: x, trigger: {exclude: [k]}}\n"
         "  c: {run: x, trigger: {equal: {k: [1]}}}\n"
         "  d: {run: x, trigger: {not_equal: {k: null}}}\n"
         "  e: {run: x, trigger: {none: k}}\n"
         "  f: {run: x, trigger: {not_none: k}}\n"
         "  g: {run: x, trigger: {available: k}}\n"
         "  h: {run: x, trigger: {when: a > 1}}\n"
         "  i: {run: x, trigger: {prefix: k.}}\n"
         "  j: {run: x, trigger: {truthy: k}}\n"
         "  k: {run: x, trigger: {falsy: k}}\n");
    const struct plan_trigger *a = &plan->workers[0].trigger;
    assert_value(a->keys, "[\"k\",\"3\"]");
    assert_true(a->live && a->duplicates);
    assert_false(a->edge || a->drain);
    assert_int_equal(a->overlap, OVERLAP_RESTART);
    assert_int_equal(a->max, 7);
    static const enum plan_condition wanted[] = {
        CONDITION_CHANGE, CONDITION_EXCLUDE,  CONDITION_EQUAL,     CONDITION_NOT_EQUAL,
        CONDITION_NONE,   CONDITION_NOT_NONE, CONDITION_AVAILABLE, CONDITION_WHEN,
        CONDITION_PREFIX, CONDITION_TRUTHY,   CONDITION_FALSY,
    };
    for (size_t i = 0; i < LENGTH_OF(wanted); i++)
        assert_int_equal(plan->workers[i].trigger.condition, wanted[i]);
    assert_value(plan->workers[1].trigger.keys, "[\"k\"]");
    assert_value(plan->workers[2].trigger.value, "[1]");
    assert_value(plan->workers[3].trigger.value, "null");
    for (size_t i = 2; i < 7; i++)
        assert_string_equal(plan->workers[i].trigger.key, "k");
    assert_true(str_is(expr_text(plan->workers[7].trigger.when), "a > 1"));
    assert_string_equal(plan->workers[8].trigger.key, "k.");
    assert_string_equal(plan->workers[9].trigger.key, "k");
    assert_string_equal(plan->workers[10].trigger.key, "k");
}

static void test_defaults_under_workers(void **state)
{
    (void)state;
    load("version: 1\n"
         "defaults: {env: {A: 1, B: 2}, retry: {max: 5, delay: 1s, env: {R: 1}}, stop: {grace: 3s}, args: "
         "[x], "
         "ready: {exec: probe, every: 1s}, timeout: 1m, success: [0, 1]}\n"
         "workers:\n"
         "  a: {run: x}\n"
         "  b: {run: x, env: {B: 3, C: 4}, retry: {delay: 2s, env: {S: 2}}, stop: {signal: INT}, args: [y, "
         "z], "
         "ready: {timeout: 5s}}\n"
         "  c: {run: x, env: null, retry: 2, ready: false, timeout: null, args: null, stop: null, success: "
         "null}\n"
         "  d: {run: x, env: {A: null}, retry: {env: null}}\n");
    const struct plan_worker *w = plan->workers;
    assert_env(&w[0].env, "A=1 B=2");
    assert_int_equal(w[0].retry.max, 5);
    assert_int_equal(w[0].stop.grace_ms, 3000);
    assert_int_equal(w[0].timeout_ms, 60000);
    assert_env(&w[1].env, "A=1 B=3 C=4");
    assert_int_equal(w[1].retry.max, 5);
    assert_int_equal(w[1].retry.delay_ms, 2000);
    assert_env(&w[1].retry.env, "R=1 S=2");
    assert_int_equal(w[1].stop.signal, SIGINT);
    assert_int_equal(w[1].stop.grace_ms, 3000);
    assert_texts(&w[1].args, "y z");
    assert_texts(&w[1].ready.exec.words, "probe");
    assert_int_equal(w[1].ready.every_ms, 1000);
    assert_int_equal(w[1].ready.timeout_ms, 5000);
    assert_env(&w[2].env, "");
    assert_int_equal(w[2].retry.max, 2);
    assert_int_equal(w[2].retry.delay_ms, 1000);
    assert_false(w[2].ready.given);
    assert_int_equal(w[2].timeout_ms, 0);
    assert_texts(&w[2].args, "");
    assert_int_equal(w[2].stop.grace_ms, 10000);
    assert_int_equal(w[2].success_count, 1);
    assert_env(&w[3].env, "A- B=2");
    assert_env(&w[3].retry.env, "");
}

static void test_extends_merges(void **state)
{
    (void)state;
    load("version: 1\n"
         "defaults: {env: {A: d, D: d}, timeout: 1s, dir: d}\n"
         "templates:\n"
         "  base: {run: base, env: {A: t, B: t}, timeout: 2s}\n"
         "  more: {extends: base, env: {B: m}, args: [m]}\n"
         "  never: {retry: {for: [1]}}\n"
         "workers:\n"
         "  a: {extends: more, env: {C: a}, needs: {b: started}}\n"
         "  b: {extends: base, run: b}\n"
         "  c: {extends: a, args: [c], needs: {d: ended}}\n"
         "  base: {extends: base, description: same name}\n"
         "  d: {extends: a, trigger: {change: [k], max: 1}, needs: false}\n"
         "  e: {extends: d, trigger: {change: null, equal: {k: 1}}}\n"
         "  f: {extends: false, run: f}\n");
    const struct plan_worker *w = plan->workers;
    assert_env(&w[0].env, "A=t D=d B=m C=a");
    assert_texts(&w[0].run.words, "base");
    assert_texts(&w[0].args, "m");
    assert_int_equal(w[0].timeout_ms, 2000);
    assert_string_equal(w[0].dir.raw, "d");
    assert_texts(&w[1].run.words, "b");
    assert_env(&w[1].env, "A=t D=d B=t");
    assert_texts(&w[2].args, "c");
    assert_int_equal(w[2].need_count, 2);
    assert_texts(&w[3].run.words, "base");
    assert_int_equal(w[4].need_count, 0);
    assert_int_equal(w[5].trigger.condition, CONDITION_EQUAL);
    assert_int_equal(w[5].trigger.max, 1);
    assert_env(&w[6].env, "A=d D=d");
}

static void test_needs(void **state)
{
    (void)state;
    load("version: 1\nworkers:\n"
         "  svc: {run: x, service: true}\n"
         "  job: {run: x}\n"
         "  a: {run: x, needs: [svc, job]}\n"
         "  b: {run: x, needs: {svc: started, job: {is: failed}}}\n"
         "  c: {run: x, needs: {svc: , job: ended}}\n"
         "  d: {run: x, needs: {svc: ready, job: succeeded, a: {}}}\n");
    static const struct {
        size_t worker, needed;
        enum plan_need_is is;
    } wanted[] = {
        {2, 0, NEED_READY},  {2, 1, NEED_SUCCEEDED}, {3, 0, NEED_STARTED},
        {3, 1, NEED_FAILED}, {4, 0, NEED_READY},     {4, 1, NEED_ENDED},
        {5, 0, NEED_READY},  {5, 1, NEED_SUCCEEDED}, {5, 2, NEED_SUCCEEDED},
    };
    size_t next[6] = {0};
    for (size_t i = 0; i < LENGTH_OF(wanted); i++) {
        const struct plan_need *need = &plan->workers[wanted[i].worker].needs[next[wanted[i].worker]++];
        assert_int_equal(need->worker, wanted[i].needed);
        assert_int_equal(need->is, wanted[i].is);
    }
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(plan->workers[i].need_count, next[i]);
    assert_int_equal(plan->workers[3].needs[1].place.line, 6);
    assert_int_equal(plan->workers[3].needs[1].place.column, 37);
}

static void test_templates(void **state)
{
    (void)state;
    load("version: 1\nvars: {x: 1}\nenv: {A: '${{ worker }}', B: '$x {{ y }}'}\nworkers:\n"
         "  a: {run: 'echo ${{ quote(vars.x) }}', args: ['${{ replica }}', plain], dir: '${{ env.HOME }}', "
         "stop: {run: 'kill ${{ run }}'}, log: {file: '${{ worker }}.log'}, retry: {args: ['${{ needs "
         "}}']}}\n");
    assert_non_null(plan->env.items[0].value.template);
    assert_null(plan->env.items[1].value.template);
    const struct plan_worker *a = &plan->workers[0];
    assert_non_null(a->run.words.items[0].template);
    assert_string_equal(a->run.words.items[0].raw, "echo ${{ quote(vars.x) }}");
    assert_non_null(a->args.items[0].template);
    assert_null(a->args.items[1].template);
    assert_true(a->dir.template && a->stop.run.words.items[0].template && a->log.file.template);
    assert_non_null(a->retry.args.items[0].template);
}

static void test_aliases(void **state)
{
    (void)state;
    load("version: 1\nx-e: &e {A: 1}\nstate: {a: &l [1, 2], b: *l}\nworkers:\n"
         "  a: &a {run: x, env: *e}\n  b: *a\n");
    assert_env(&plan->workers[1].env, "A=1");
    assert_value(plan->namespaces[0].state, "{\"a\":[1,2],\"b\":[1,2]}");
}

static void test_variables_of_the_command_line(void **state)
{
    (void)state;
    static const char *const vars[] = {"a=1", "b=text", "c={\"x\":[]}", "d=", "e=x=y"};
    struct plan_options given = {.vars = vars, .var_count = LENGTH_OF(vars)};
    options = &given;
    load("version: 1\nvars: {a: 0, z: 9}\nworkers: {w: {run: x}}\n");
    assert_value(plan->vars, "{\"a\":1,\"z\":9,\"b\":\"text\",\"c\":{\"x\":[]},\"d\":\"\",\"e\":\"x=y\"}");
    static const char *const bad[] = {"a", "=1", "n=99999999999999999999", "u=\xff"};
    given = (struct plan_options){.vars = bad, .var_count = LENGTH_OF(bad)};
    struct plan_problems problems = {0};
    assert_null(plan_parse(STR("version: 1\nworkers: {w: {run: x}}\n"), "f", "/", options, &problems));
    assert_int_equal(problems.count, 4);
    plan_problems_release(&problems);
}

static const char selection_text[] = "version: 1\nworkers:\n"
                                     "  a: {run: x}\n  b: {run: x, needs: [a]}\n  c: {run: x}\n"
                                     "  d: {run: x, needs: [c, b]}\n  e: {run: x, needs: [d]}\n";

static void test_selection(void **state)
{
    (void)state;
    static const char *const names[] = {"d", "b"};
    struct plan_options given = {.workers = names, .worker_count = 2};
    options = &given;
    load(selection_text);
    assert_int_equal(plan->worker_count, 4);
    assert_string_equal(plan->workers[3].name, "d");
    given.worker_count = 1;
    given.workers = names + 1;
    load(selection_text);
    assert_int_equal(plan->worker_count, 2);
    assert_string_equal(plan->workers[1].name, "b");
    assert_int_equal(plan->workers[1].needs[0].worker, 0);
}

static void test_selection_of_unknown_workers(void **state)
{
    (void)state;
    static const char *const names[] = {"zebra", "oveN"};
    struct plan_options given = {.workers = names, .worker_count = 2};
    options = &given;
    assert_problems("version: 1\nworkers: {oven: {run: x}}\n",
                    "0:0: no worker 'oveN'; did you mean 'oven'?\n0:0: no worker 'zebra'; 'zproc run "
                    "--dry-run' lists them\n");
}

static void test_problems_of_defaults_are_said_once(void **state)
{
    (void)state;
    assert_problems(
        "version: 1\ndefaults: {timeout: soon}\nworkers: {a: {run: x}, b: {run: x}}\n",
        "2:21: 'timeout': 'soon' is not a duration; write it like 250ms, 5s, 1m30s, 2h or a number of "
        "seconds\n");
}

static void test_many_problems(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\nworkers:\n");
    for (int i = 0; i < 3000; i++)
        buf_add_format(&text, "  w%d: {run: x, needs: [nope%d], extends: gone%d}\n", i, i, i);
    struct plan_problems problems = {0};
    assert_null(plan_parse(buf_str(&text), "f", "/", NULL, &problems));
    assert_int_equal(problems.count, 1001);
    assert_string_equal(problems.items[1000].message, "more than 1000 problems; the rest is left out");
    plan_problems_release(&problems);
}

/* A chain of aliases that doubles at every step would be a billion nodes. */
static void test_alias_bomb(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\nstate:\n  a0: &a0 [x, x]\n");
    for (int i = 1; i < 30; i++)
        buf_add_format(&text, "  a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
    buf_add_text(&text, "workers: {w: {run: x}}\n");
    struct plan_problems problems = {0};
    assert_null(plan_parse(buf_str(&text), "f", "/", NULL, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].message,
                        "the aliases up to here stand for more than 10000 nodes or 4 MiB of text");
    plan_problems_release(&problems);
}

static void test_depth(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\nstate: {a: ");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&text, '[');
    struct plan_problems problems = {0};
    assert_null(plan_parse(buf_str(&text), "f", "/", NULL, &problems));
    assert_string_equal(problems.items[0].message, "nested more than 128 deep");
    plan_problems_release(&problems);
}

static void test_ten_thousand_workers(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\ndefaults: {env: {A: b}}\nworkers:\n");
    for (int i = 0; i < 10000; i++)
        buf_add_format(&text, "  w%d: {run: x, needs: [w%d]}\n", i, (i + 1) % 10000);
    struct plan_problems problems = {0};
    assert_null(plan_parse(buf_str(&text), "f", "/", NULL, &problems));
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.items[0].message, "w0 -> w1 -> "));
    assert_non_null(strstr(problems.items[0].message, "… -> w0"));
    plan_problems_release(&problems);
}

static void test_command(void **state)
{
    (void)state;
    char *argv[] = {"echo", "${{ x }}", "a b", NULL};
    plan = plan_command("echo", argv);
    assert_string_equal(plan->name, "echo");
    assert_texts(&plan->run.shell, "/bin/sh -eu -c");
    assert_int_equal(plan->run.stop_grace_ms, 10000);
    assert_value(plan->vars, "{}");
    assert_int_equal(plan->worker_count, 1);
    const struct plan_worker *worker = &plan->workers[0];
    assert_string_equal(worker->name, "echo");
    assert_true(worker->run.given && worker->start && worker->stateful);
    assert_false(worker->run.shell || worker->ready.given || worker->restart_always);
    assert_texts(&worker->run.words, "echo ${{ x }} a b");
    assert_null(worker->run.words.items[1].template);
    assert_int_equal(worker->retry.max, 0);
    assert_int_equal(worker->stop.signal, SIGTERM);
    assert_int_equal(worker->stop.grace_ms, 10000);
    assert_string_equal(worker->namespace, "default");
}

/* ---- Files ---- */

static void assert_load_problem(const char *file, const char *message)
{
    struct plan_options given = {.files = &file, .file_count = file != NULL};
    struct plan_problems problems = {0};
    AUTO_BUF struct buf out = {0};
    assert_null(plan_load(&given, &problems));
    assert_int_equal(problems.count, 1);
    plan_problem_print(&out, &problems.items[0], false);
    assert_string_equal(out.data, message);
    plan_problems_release(&problems);
}

static void test_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/zproc-plan-XXXXXX", back[4096];
    assert_non_null(mkdtemp(dir));
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(dir), 0);
    assert_load_problem(
        NULL, "zproc.yaml: there is no zproc.yaml (or zproc.yml) in this folder; name a manifest with "
              "-f FILE, or see 'man zproc.yaml' for how to write one\n");
    assert_load_problem("no/such.yaml", "no/such.yaml: there is no such file\n");
    struct plan_problems problems = {0};
    struct plan_options given = {0};
    file_write("zproc.yml", STR("version: 1\nworkers: {yml: {run: x}}\n"));
    plan = plan_load(&given, &problems);
    assert_non_null(plan);
    assert_string_equal(plan->workers[0].name, "yml");
    assert_string_equal(plan->dir, dir);
    assert_string_equal(plan->name, dir + strlen("/tmp/"));
    plan_free(plan);
    file_write("zproc.yaml", STR("\xef\xbb\xbfversion: 1\nworkers: {yaml: {run: x}}\n"));
    plan = plan_load(&given, &problems);
    assert_string_equal(plan->workers[0].name, "yaml");
    assert_int_equal(unlink("zproc.yml") + unlink("zproc.yaml") + chdir(back) + rmdir(dir), 0);
}

/* ---- The table of keys ---- */

struct keys_seen {
    size_t count;
    bool retry_delay, memory_max, needs_is;
};

static void key_visit(void *ctx, const struct plan_key *key)
{
    struct keys_seen *seen = ctx;
    assert_non_null(key->type);
    assert_non_null(key->fallback);
    assert_true(key->help && key->help[0]);
    seen->count++;
    if (strcmp(key->section, "worker.retry") == 0 && strcmp(key->name, "delay") == 0)
        seen->retry_delay = strcmp(key->fallback, "5s") == 0 && strcmp(key->type, "duration") == 0;
    if (strcmp(key->section, "worker.limits.memory") == 0 && strcmp(key->name, "max") == 0)
        seen->memory_max = strcmp(key->type, "size") == 0;
    if (strcmp(key->section, "worker.needs") == 0 && strcmp(key->name, "is") == 0)
        seen->needs_is = strcmp(key->type, "one of started, ready, succeeded, failed, ended") == 0;
}

static void test_keys(void **state)
{
    (void)state;
    struct keys_seen seen = {0};
    plan_keys(key_visit, &seen);
    assert_true(seen.count > 100);
    assert_true(seen.retry_delay && seen.memory_max && seen.needs_is);
}

#define test(function) cmocka_unit_test_teardown(function, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_defaults),
        test(test_worker_defaults),
        test(test_section_defaults),
        test(test_top_level),
        test(test_state),
        test(test_worker_keys),
        test(test_ready_and_restart),
        test(test_retry),
        test(test_triggers),
        test(test_defaults_under_workers),
        test(test_extends_merges),
        test(test_needs),
        test(test_templates),
        test(test_aliases),
        test(test_variables_of_the_command_line),
        test(test_selection),
        test(test_selection_of_unknown_workers),
        test(test_problems_of_defaults_are_said_once),
        test(test_many_problems),
        test(test_alias_bomb),
        test(test_depth),
        test(test_ten_thousand_workers),
        test(test_command),
        test(test_files),
        test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

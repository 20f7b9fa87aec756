/* A manifest of several files: `-f` several times and `include`. Each test writes its files into a new
 * folder and works there. */
#include "../unit.h"
#include "plan.h"

#include <sys/stat.h>

static struct plan *plan;
static struct buf problems_text;

static int teardown(void **state)
{
    plan_free(plan);
    plan = NULL;
    buf_release(&problems_text);
    return folder_leave(state);
}

static void write_file(const char *name, const char *text)
{
    file_write(name, str_of(text));
}

/* The plan of these files, or the text of their problems. */
static const char *load(const char *const *files, size_t count)
{
    struct plan_options options = {.files = files, .file_count = count};
    struct plan_problems problems = {0};
    plan_free(plan);
    buf_clear(&problems_text);
    buf_add_text(&problems_text, "");
    plan = plan_load(&options, &problems);
    assert_int_equal(plan == NULL, problems.count > 0);
    for (size_t i = 0; i < problems.count; i++) {
        const struct plan_problem *problem = &problems.items[i];
        buf_add_format(&problems_text, "%s:%zu:%zu: %s\n", problem->file, problem->line, problem->column,
                       problem->message);
    }
    plan_problems_release(&problems);
    return problems_text.data ? problems_text.data : "";
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__}, LENGTH_OF(((const char *const[]){__VA_ARGS__})))

static const struct plan_worker *worker(const char *name)
{
    for (size_t i = 0; plan && i < plan->worker_count; i++)
        if (strcmp(plan->workers[i].name, name) == 0)
            return &plan->workers[i];
    return NULL;
}

static void assert_json(const struct value *value, const char *text)
{
    AUTO_BUF struct buf buf = {0};
    value_print(&buf, value);
    assert_string_equal(buf.data, text);
}

static void test_over(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\nvars: {a: 1, deep: {x: 1, y: [1, 2]}}\nrun: {jobs: 3, fail: finish}\n"
                         "state: {k: {x: 1}}\ndefaults: {env: {A: a, B: b}}\n"
                         "workers:\n  w: {run: one, args: [1, 2], retry: 2, timeout: 5s}\n  v: {run: v}\n");
    write_file("b.yaml", "vars: {b: 2, deep: {y: [3]}}\nrun: {jobs: 5}\nstate: {k: {z: 2}}\n"
                         "defaults: {env: {B: null}}\n"
                         "workers:\n  w: {args: [3], retry: {delay: 1s}, timeout: null}\n  u: {run: u}\n");
    assert_string_equal(LOAD("a.yaml", "b.yaml"), "");
    assert_json(plan->vars, "{\"a\":1,\"deep\":{\"x\":1,\"y\":[3]},\"b\":2}");
    assert_json(plan->namespaces[0].state, "{\"k\":{\"x\":1,\"z\":2}}");
    assert_int_equal(plan->run.jobs, 5);
    assert_int_equal(plan->run.fail, FAIL_FINISH);
    assert_int_equal(plan->worker_count, 3);
    const struct plan_worker *w = worker("w");
    assert_int_equal(w->args.count, 1);
    assert_string_equal(w->args.items[0].raw, "3");
    assert_int_equal(w->retry.max, 2);
    assert_int_equal(w->retry.delay_ms, 1000);
    assert_int_equal(w->timeout_ms, 0);
    assert_int_equal(w->env.count, 2);
    assert_null(w->env.items[1].value.raw);
    assert_string_equal(w->place.file, "a.yaml");
    assert_string_equal(worker("u")->place.file, "b.yaml");
    assert_string_equal(plan->file, "a.yaml");
}

static void test_taken_out(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\nserver: {persist: none}\ntemplates: {t: {run: t}}\n"
                         "workers: {w: {run: w}, v: {run: v}, u: {run: u, retry: 3, ready: {when: a}}}\n");
    write_file("b.yaml", "server: null\ntemplates: {t: null}\n"
                         "workers: {w: null, v: false, u: {retry: false, ready: null}}\n");
    assert_string_equal(LOAD("a.yaml", "b.yaml"), "");
    assert_int_equal(plan->worker_count, 1);
    assert_string_equal(plan->server.persist, "run");
    assert_int_equal(worker("u")->retry.max, 0);
    assert_false(worker("u")->ready.given);
    /* Without a file below it, it is just a worker without a command. */
    write_file("c.yaml", "workers: {x: null}\n");
    assert_string_equal(LOAD("a.yaml", "c.yaml"), "c.yaml:1:11: the worker 'x' has no 'run'\n");
}

static void test_problems_name_their_file(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\nworkers:\n  w: {run: w, needs: [nobody]}\n");
    write_file("b.yaml",
               "version: 3\nworkers:\n  w:\n    timeout: soon\n    when: a +\n  v: {run: '${{ x }}'}\n");
    assert_string_equal(
        LOAD("a.yaml", "b.yaml"),
        "a.yaml:3:23: no worker 'nobody'\n"
        "b.yaml:1:10: version 3 is not known; this zproc reads version 1\n"
        "b.yaml:4:14: 'timeout': 'soon' is not a duration; write it like 250ms, 5s, 1m30s, 2h or a number "
        "of seconds\n"
        "b.yaml:5:14: 'when': expected a value, but the expression ends\n"
        "b.yaml:6:17: ${{ }} knows no name 'x', only env, vars, matrix, worker, replica, run and needs\n");
    assert_string_equal(LOAD("a.yaml", "missing.yaml"), "missing.yaml:0:0: there is no such file\n");
    write_file("broken.yaml", "a: [\n");
    assert_string_equal(LOAD("a.yaml", "broken.yaml"),
                        "broken.yaml:2:1: not valid YAML: a value is missing\n");
    write_file("empty.yaml", "");
    write_file("good.yaml", "version: 1\nworkers: {w: {run: w}}\n");
    assert_string_equal(LOAD("good.yaml", "empty.yaml"), "");
    assert_string_equal(LOAD("empty.yaml", "good.yaml"), "");
    assert_string_equal(LOAD("empty.yaml", "empty.yaml"),
                        "empty.yaml:1:1: the manifest is empty; it needs 'version: 1' and 'workers'\n");
}

static void test_include_lies_under(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0755), 0);
    write_file("a.yaml", "version: 1\ninclude: [sub/one.yaml, sub/two.yaml]\nvars: {x: a}\n"
                         "workers: {one: {timeout: 1s}, own: {run: own, extends: t}}\n");
    write_file("sub/one.yaml", "name: one\ninclude: [deep.yaml]\nvars: {x: one, y: one}\n"
                               "workers: {one: {run: one, timeout: 9s, dir: here, log: {file: l}}}\n");
    write_file("sub/two.yaml", "include: [deep.yaml]\nvars: {y: two}\nrun: {jobs: 7}\n");
    write_file("sub/deep.yaml", "vars: {x: deep, y: deep, z: deep}\ntemplates: {t: {retry: 4}}\n"
                                "workers: {deep: {run: deep}}\n");
    assert_string_equal(LOAD("a.yaml"), "");
    assert_json(plan->vars, "{\"x\":\"a\",\"y\":\"two\",\"z\":\"deep\"}");
    assert_string_not_equal(plan->name, "one");
    assert_int_equal(plan->run.jobs, 7);
    assert_int_equal(worker("own")->retry.max, 4);
    assert_int_equal(worker("one")->timeout_ms, 1000);
    AUTO_FREE char *sub = mem_format("%s/sub", plan->dir);
    assert_string_equal(worker("one")->folder, sub);
    assert_string_equal(worker("one")->dir.folder, sub);
    assert_string_equal(worker("one")->log.file.folder, sub);
    assert_string_equal(worker("own")->folder, plan->dir);
    assert_string_equal(worker("deep")->place.file, "sub/deep.yaml");
}

static void test_prefix(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\ninclude: [{file: b.yaml, prefix: x.}, {file: b.yaml, prefix: y.}]\n"
                         "workers: {top: {run: top}, late: {run: late, needs: [x.c_inner, y.b]}}\n");
    write_file("b.yaml", "include: [{file: c.yaml, prefix: c_}]\ntemplates: {t: {needs: [b]}}\n"
                         "workers: {b: {run: b}, d: {extends: t, run: d}, e: {run: e, extends: b,\n"
                         "  needs: {c_inner: ended, top: started}}}\n");
    write_file("c.yaml", "workers: {inner: {run: inner}, outer: {run: outer, needs: [inner]}}\n");
    assert_string_equal(LOAD("a.yaml"), "");
    assert_int_equal(plan->worker_count, 12);
    const struct plan_worker *e = worker("y.e"), *outer = worker("x.c_outer"), *d = worker("x.d");
    assert_string_equal(plan->workers[e->needs[0].worker].name, "y.c_inner");
    assert_string_equal(e->needs[0].name, "c_inner");
    assert_string_equal(plan->workers[e->needs[1].worker].name, "top");
    assert_string_equal(plan->workers[outer->needs[0].worker].name, "x.c_inner");
    assert_string_equal(outer->needs[0].name, "inner");
    assert_string_equal(plan->workers[d->needs[0].worker].name, "x.b");
}

static void test_include_over_several(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\ninclude: [common.yaml]\nvars: {x: a}\nworkers: {w: {run: w}}\n");
    write_file("b.yaml", "include: [common.yaml]\nvars: {y: b}\n");
    write_file("common.yaml", "vars: {x: common, y: common}\n");
    assert_string_equal(LOAD("a.yaml", "b.yaml"), "");
    assert_json(plan->vars, "{\"x\":\"a\",\"y\":\"b\"}");
}

static void test_circle(void **state)
{
    (void)state;
    write_file("a.yaml", "version: 1\ninclude: [./a.yaml]\nworkers: {w: {run: w}}\n");
    assert_string_equal(LOAD("a.yaml"),
                        "a.yaml:2:11: 'include' goes round in a circle: a.yaml -> ./a.yaml\n");
}

/* ---- Bounds hold over all files together ---- */

static void test_file_count(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\nworkers: {w: {run: w}}\ninclude:\n");
    for (int i = 0; i < 300; i++)
        buf_add_format(&text, "- {file: b.yaml, prefix: p%d_}\n", i);
    write_file("a.yaml", text.data);
    write_file("b.yaml", "workers: {w: {run: w}}\n");
    assert_non_null(strstr(LOAD("a.yaml"), "the manifest has more than 256 files\n"));
}

static void test_aliases(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "x-a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\nx-b: [");
    for (int i = 0; i < 600; i++)
        buf_add_text(&text, "*a, ");
    buf_add_text(&text, "]\n");
    write_file("b.yaml", text.data);
    write_file("a.yaml", "version: 1\nworkers: {w: {run: w}}\n");
    assert_string_equal(LOAD("a.yaml", "b.yaml"), "");
    assert_non_null(
        strstr(LOAD("a.yaml", "b.yaml", "b.yaml"), "the aliases up to here stand for more than 10000 nodes"));
}

static void test_size(void **state)
{
    (void)state;
    size_t half = 9 * 1024 * 1024;
    AUTO_FREE char *big = mem_new(half + 1);
    memset(big, '#', half);
    big[half - 1] = '\n';
    write_file("big.yaml", big);
    write_file("a.yaml", "version: 1\nworkers: {w: {run: w}}\n");
    assert_string_equal(LOAD("a.yaml", "big.yaml"), "");
    assert_string_equal(LOAD("a.yaml", "big.yaml", "big.yaml"),
                        "big.yaml:0:0: the manifest's files have more than 16 MiB in all\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_over, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_taken_out, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_problems_name_their_file, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_include_lies_under, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_prefix, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_include_over_several, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_circle, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_file_count, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_aliases, folder_enter, teardown),
        cmocka_unit_test_setup_teardown(test_size, folder_enter, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

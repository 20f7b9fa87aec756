/* Needs, conditions, slots, records: how tasks come to start. */
#include "script.h"

static void a_chain_of_needs_starts_one_after_the_other(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (int i = 7; i >= 0; i--)
        worker(&s, names[i]);
    for (int i = 1; i < 8; i++)
        need(&s, names[i], names[i - 1], NEED_SUCCEEDED);
    begin(&s);
    for (int i = 0; i < 8; i++) {
        AUTO_FREE char *word = mem_format("spawn:%s", names[i]);
        expect(&s, word);
        state_is(&s, names[i], TASK_READY, "");
        ended(&s, names[i], 0);
    }
    expect(&s, "end:0");
}

static void a_diamond_starts_its_end_once(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a"), worker(&s, "b"), worker(&s, "c"), worker(&s, "d");
    need(&s, "b", "a", NEED_SUCCEEDED), need(&s, "c", "a", NEED_SUCCEEDED);
    need(&s, "d", "b", NEED_SUCCEEDED), need(&s, "d", "c", NEED_SUCCEEDED);
    begin(&s);
    expect(&s, "spawn:a");
    ended(&s, "a", 0);
    expect(&s, "spawn:b spawn:c");
    ended(&s, "c", 0);
    expect(&s, "");
    ended(&s, "b", 0);
    expect(&s, "spawn:d");
    ended(&s, "d", 0);
    expect(&s, "end:0");
}

static void a_need_that_cannot_hold_skips_the_chain(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    worker(&s, "build"), worker(&s, "test"), worker(&s, "deploy"), worker(&s, "report"), worker(&s, "any");
    need(&s, "test", "build", NEED_SUCCEEDED), need(&s, "deploy", "test", NEED_SUCCEEDED);
    need(&s, "report", "build", NEED_FAILED), need(&s, "any", "test", NEED_ENDED);
    begin(&s);
    ended(&s, "build", 7);
    state_is(&s, "build", TASK_FAILED, "exit status 7");
    state_is(&s, "test", TASK_SKIPPED, "needs build to succeed, which failed: exit status 7");
    state_is(&s, "deploy", TASK_SKIPPED,
             "needs test to succeed, which was skipped: needs build to succeed, which failed: exit status 7");
    state_is(&s, "any", TASK_SKIPPED,
             "needs test to end, which was skipped: needs build to succeed, which failed: exit status 7");
    said(&s, "deploy: skipped: needs test");
    expect(&s, "spawn:build spawn:report");
    ended(&s, "report", 0);
    expect(&s, "end:7");
}

static void a_long_chain_is_skipped_within_bounds(void **state)
{
    (void)state;
    enum { LENGTH = 10000 };
    static char names[LENGTH][8];
    static struct plan_worker workers[LENGTH];
    static struct plan_need needs[LENGTH];
    struct plan plan = {.workers = workers, .worker_count = LENGTH, .run.fail = FAIL_KEEP_GOING};
    for (size_t i = 0; i < LENGTH; i++) {
        snprintf(names[i], sizeof names[i], "w%zu", i);
        workers[i] = (struct plan_worker){.name = names[i], .start = true, .replicas = 1};
        needs[i] = (struct plan_need){.worker = i ? i - 1 : 0, .is = NEED_SUCCEEDED};
        workers[i].needs = &needs[i];
        workers[i].need_count = i > 0;
    }
    struct sup *sup = sup_new(&plan, 1);
    struct sup_effects effects = {0};
    sup_step(sup, &(struct sup_event){.kind = SUP_BEGIN}, &effects);
    sup_step(sup, &(struct sup_event){.kind = SUP_SPAWN_FAILED, .ref = {0, 1}, .status = 127}, &effects);
    struct sup_task last;
    assert_true(sup_task_at(sup, LENGTH - 1, &last));
    assert_int_equal(last.state, TASK_SKIPPED);
    assert_true(strlen(last.reason) < 1000);
    assert_int_equal(effects.items[effects.count - 1].kind, SUP_END);
    assert_int_equal(effects.items[effects.count - 1].number, 127);
    sup_effects_release(&effects);
    sup_free(sup);
}

static void readiness_is_judged_anew_for_every_incarnation(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven")->ready.given = true;
    worker(&s, "baker")->when = (struct expr *)&s; /* only that there is one counts */
    need(&s, "baker", "oven", NEED_READY);
    begin(&s);
    expect(&s, "spawn:oven probe:oven");
    probes_hold(&s, "oven");
    state_is(&s, "oven", TASK_READY, "");
    expect(&s, "probe_end:oven await:baker");
    struct sup_ref first = task(&s, "oven").ref;
    ended(&s, "oven", 1);
    expect(&s, "spawn:oven probe:oven");
    event(&s, (struct sup_event){.kind = SUP_PROBES_HOLD, .ref = first});
    state_is(&s, "oven", TASK_RUNNING, "");
    condition(&s, "baker");
    expect(&s, "");
    probes_hold(&s, "oven");
    expect(&s, "probe_end:oven spawn:baker");
    ended(&s, "baker", 0);
    expect(&s, "terminate:oven");
    killed(&s, "oven", 15);
    state_is(&s, "oven", TASK_STOPPED, "the run ended");
    expect(&s, "end:0");
}

static void success_before_readiness_is_no_readiness(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *warm = worker(&s, "warm");
    warm->ready.given = true, warm->retry.max = 1, warm->retry.delay_ms = 0;
    worker(&s, "baker")->when = (struct expr *)&s;
    need(&s, "baker", "warm", NEED_READY);
    begin(&s);
    probes_hold(&s, "warm");
    ended(&s, "warm", 1);
    ended(&s, "warm", 0);
    state_is(&s, "baker", TASK_SKIPPED, "needs warm to be ready, which ended before that");
    expect(&s, "spawn:warm probe:warm probe_end:warm await:baker spawn:warm probe:warm probe_end:warm "
               "await_end:baker end:0");
}

static void events_of_an_old_incarnation_change_nothing(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    begin(&s);
    struct sup_ref first = task(&s, "oven").ref;
    ended(&s, "oven", 0);
    expect(&s, "spawn:oven spawn:oven");
    event(&s, (struct sup_event){.kind = SUP_ENDED, .ref = first, .status = 9});
    event(&s, (struct sup_event){.kind = SUP_RETURNED, .ref = first, .text = STR("1")});
    event(&s, (struct sup_event){.kind = SUP_ENDED, .ref = {77, 1}, .status = 9});
    expect(&s, "");
    state_is(&s, "oven", TASK_READY, "");
    assert_null(task(&s, "oven").result);
}

static void a_need_means_all_instances(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "part")->replicas = 3;
    worker(&s, "whole");
    need(&s, "whole", "part", NEED_SUCCEEDED);
    begin(&s);
    expect(&s, "spawn:part.0 spawn:part.1 spawn:part.2");
    ended(&s, "part.2", 0), ended(&s, "part.0", 0);
    expect(&s, "");
    ended(&s, "part.1", 0);
    expect(&s, "spawn:whole");
}

static struct plan_row rows[] = {
    {.label = (char *)"[a]"}, {.label = (char *)"[b]"}, {.label = (char *)"[c]"}};

static struct plan_worker *matrix(struct script *s, const char *name)
{
    struct plan_worker *w = worker(s, name);
    w->rows = rows;
    w->row_count = LENGTH_OF(rows);
    w->fail_fast = true;
    return w;
}

static void a_matrix_has_replicas_in_each_row(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    matrix(&s, "part")->replicas = 2;
    worker(&s, "whole");
    need(&s, "whole", "part", NEED_SUCCEEDED);
    begin(&s);
    expect(&s,
           "spawn:part[a].0 spawn:part[a].1 spawn:part[b].0 spawn:part[b].1 spawn:part[c].0 spawn:part[c].1");
    assert_ptr_equal(task(&s, "part[b].1").row, &rows[1]);
    assert_int_equal(task(&s, "part[b].1").replica, 1);
    for (size_t i = 0; i < 6; i++) {
        AUTO_FREE char *name = mem_format("part[%c].%d", "abc"[i / 2], (int)(i % 2));
        expect(&s, "");
        ended(&s, name, 0);
    }
    expect(&s, "spawn:whole");
}

static void the_first_failure_stops_the_other_instances(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    s.plan.run.jobs = 3;
    worker(&s, "other");
    matrix(&s, "part");
    begin(&s);
    expect(&s, "spawn:other spawn:part[a] spawn:part[b]");
    ended(&s, "part[b]", 7);
    expect(&s, "terminate:part[a]");
    state_is(&s, "part[c]", TASK_STOPPED, "stopped because part[b] failed");
    ended(&s, "part[a]", 9);
    state_is(&s, "part[a]", TASK_STOPPED, "stopped because part[b] failed");
    state_is(&s, "other", TASK_READY, "");
    ended(&s, "other", 0);
    expect(&s, "end:7");
}

static void without_fail_fast_instances_go_on(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    matrix(&s, "part")->fail_fast = false;
    begin(&s);
    expect(&s, "spawn:part[a] spawn:part[b] spawn:part[c]");
    ended(&s, "part[b]", 7);
    expect(&s, "");
    ended(&s, "part[a]", 0), ended(&s, "part[c]", 0);
    expect(&s, "end:7");
}

static void slots_go_first_come_first_served(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 2;
    service(&s, "svc");
    worker(&s, "late"), worker(&s, "a"), worker(&s, "b"), worker(&s, "c"), worker(&s, "d");
    need(&s, "late", "a", NEED_SUCCEEDED);
    begin(&s);
    expect(&s, "spawn:svc spawn:a spawn:b");
    ended(&s, "a", 0);
    expect(&s, "spawn:c");
    ended(&s, "b", 0);
    expect(&s, "spawn:d");
    ended(&s, "c", 0);
    expect(&s, "spawn:late");
}

static void a_condition_comes_after_the_needs(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a");
    worker(&s, "b")->when = (struct expr *)&s;
    need(&s, "b", "a", NEED_STARTED);
    s.manual = true;
    begin(&s);
    condition(&s, "b");
    expect(&s, "spawn:a");
    spawned(&s, "a");
    expect(&s, "await:b");
    condition(&s, "b");
    expect(&s, "spawn:b");
}

static void start_false_alone_does_not_keep_the_run_alive(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "extra")->start = false;
    worker(&s, "after"), worker(&s, "job");
    need(&s, "after", "extra", NEED_SUCCEEDED);
    begin(&s);
    state_is(&s, "extra", TASK_IDLE, "");
    expect(&s, "spawn:job");
    ended(&s, "job", 0);
    state_is(&s, "extra", TASK_SKIPPED, "nobody started it");
    assert_int_equal(task(&s, "after").state, TASK_SKIPPED);
    expect(&s, "end:0");
}

static void what_never_succeeds_skips_at_once(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    worker(&s, "after"), worker(&s, "job");
    need(&s, "after", "oven", NEED_SUCCEEDED);
    begin(&s);
    state_is(&s, "after", TASK_SKIPPED, "needs oven to succeed, which is started again whenever it ends");
}

static void waiting_for_a_service_to_fail_does_not_keep_the_run_alive(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    worker(&s, "alarm"), worker(&s, "job");
    need(&s, "alarm", "oven", NEED_FAILED);
    begin(&s);
    ended(&s, "job", 0);
    expect(&s, "spawn:oven spawn:job terminate:oven");
    state_is(&s, "alarm", TASK_SKIPPED, "the run ended before it could start");
}

static void what_the_last_job_makes_possible_is_a_job_too(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *oven = service(&s, "oven");
    oven->restart_always = false, oven->optional = true;
    worker(&s, "alarm"), worker(&s, "job"), service(&s, "late");
    need(&s, "alarm", "oven", NEED_FAILED), need(&s, "alarm", "job", NEED_SUCCEEDED);
    need(&s, "late", "alarm", NEED_SUCCEEDED);
    begin(&s);
    ended(&s, "oven", 1);
    ended(&s, "job", 0);
    expect(&s, "spawn:oven spawn:job spawn:alarm");
    ended(&s, "alarm", 0);
    state_is(&s, "late", TASK_SKIPPED, "the run ended before it could start");
    expect(&s, "end:0");
}

static void a_run_without_jobs_goes_on(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    begin(&s);
    pass(&s, 1000000);
    expect(&s, "spawn:oven");
    event(&s, (struct sup_event){.kind = SUP_DOWN});
    expect(&s, "terminate:oven");
    killed(&s, "oven", 15);
    expect(&s, "end:0");
    state_is(&s, "oven", TASK_STOPPED, "stopped by zproc down");
}

static void a_plan_without_workers_ends(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    begin(&s);
    expect(&s, "end:0");
}

static void records_tell_what_happened(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "job");
    begin(&s);
    event(&s, (struct sup_event){.kind = SUP_RETURNED, .ref = task(&s, "job").ref, .text = STR("{\"a\":1}")});
    AUTO_BUF struct buf buf = {0};
    struct sup_task at = task(&s, "job");
    sup_record_print(&buf, &at, "job.log");
    assert_string_equal(
        buf.data, "{\"status\":\"ready\",\"pid\":100,\"attempt\":1,\"started\":1700000001000,\"ended\":null,"
                  "\"exit\":null,\"signal\":null,\"reason\":\"\",\"restarts\":0,\"result\":{\"a\":1},"
                  "\"log\":\"job.log\"}");
    event(&s,
          (struct sup_event){.kind = SUP_ENDED, .ref = task(&s, "job").ref, .signal = 11, .text = STR("2")});
    buf_clear(&buf);
    at = task(&s, "job");
    sup_record_print(&buf, &at, "");
    assert_string_equal(
        buf.data, "{\"status\":\"failed\",\"pid\":100,\"attempt\":1,\"started\":1700000001000,"
                  "\"ended\":1700000001000,\"exit\":null,\"signal\":11,\"reason\":\"killed by SIGSEGV\","
                  "\"restarts\":0,\"result\":{\"a\":1},\"log\":\"\"}");
    buf_clear(&buf);
    sup_run_record_print(&buf, s.sup);
    assert_string_equal(buf.data, "{\"status\":\"failed\",\"name\":\"script\",\"started\":1700000001000,"
                                  "\"ended\":1700000001000,\"exit\":139,"
                                  "\"reason\":\"job failed: killed by SIGSEGV\"}");
    expect(&s, "spawn:job end:139");
}

static void every_change_of_a_record_is_published_once_a_step(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "job");
    begin(&s);
    ended(&s, "job", 0);
    static const enum sup_effect_kind kinds[] = {SUP_STATUS, SUP_FORGET, SUP_STATUS, SUP_END};
    assert_int_equal(s.effects.count, LENGTH_OF(kinds));
    for (size_t i = 0; i < LENGTH_OF(kinds); i++)
        assert_int_equal(s.effects.items[i].kind, kinds[i]);
    assert_int_equal(s.effects.items[2].ref.task, SUP_NO_TASK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_of_needs_starts_one_after_the_other),
        cmocka_unit_test(a_diamond_starts_its_end_once),
        cmocka_unit_test(a_need_that_cannot_hold_skips_the_chain),
        cmocka_unit_test(a_long_chain_is_skipped_within_bounds),
        cmocka_unit_test(readiness_is_judged_anew_for_every_incarnation),
        cmocka_unit_test(success_before_readiness_is_no_readiness),
        cmocka_unit_test(events_of_an_old_incarnation_change_nothing),
        cmocka_unit_test(a_need_means_all_instances),
        cmocka_unit_test(slots_go_first_come_first_served),
        cmocka_unit_test(a_condition_comes_after_the_needs),
        cmocka_unit_test(start_false_alone_does_not_keep_the_run_alive),
        cmocka_unit_test(what_never_succeeds_skips_at_once),
        cmocka_unit_test(waiting_for_a_service_to_fail_does_not_keep_the_run_alive),
        cmocka_unit_test(what_the_last_job_makes_possible_is_a_job_too),
        cmocka_unit_test(a_run_without_jobs_goes_on),
        cmocka_unit_test(a_matrix_has_replicas_in_each_row),
        cmocka_unit_test(the_first_failure_stops_the_other_instances),
        cmocka_unit_test(without_fail_fast_instances_go_on),
        cmocka_unit_test(a_plan_without_workers_ends),
        cmocka_unit_test(records_tell_what_happened),
        cmocka_unit_test(every_change_of_a_record_is_published_once_a_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

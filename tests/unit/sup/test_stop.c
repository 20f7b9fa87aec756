/* Failures of the run, its exit status, and stopping in order. */
#include "script.h"

#include <signal.h>

/* a is needed by c and d, both are needed by b. */
static void diamond_of_services(struct script *s)
{
    script_init(s);
    service(s, "a"), service(s, "b"), service(s, "c"), service(s, "d");
    need(s, "c", "a", NEED_READY), need(s, "d", "a", NEED_READY);
    need(s, "b", "c", NEED_READY), need(s, "b", "d", NEED_READY);
    begin(s);
    expect(s, "spawn:a spawn:c spawn:d spawn:b");
}

static void stopping_goes_against_the_needs(void **state)
{
    (void)state;
    SCRIPT s;
    diamond_of_services(&s);
    signalled(&s, SIGTERM);
    expect(&s, "terminate:b");
    killed(&s, "b", SIGTERM);
    expect(&s, "terminate:c terminate:d");
    killed(&s, "d", SIGTERM);
    expect(&s, "");
    killed(&s, "c", SIGTERM);
    expect(&s, "terminate:a");
    killed(&s, "a", SIGTERM);
    expect(&s, "end:143");
    state_is(&s, "a", TASK_STOPPED, "stopped by SIGTERM");
}

static void stopping_passes_over_what_does_not_live(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "a"), worker(&s, "middle"), service(&s, "b"), worker(&s, "job");
    need(&s, "middle", "a", NEED_READY), need(&s, "b", "middle", NEED_SUCCEEDED);
    begin(&s);
    ended(&s, "middle", 0);
    expect(&s, "spawn:a spawn:job spawn:middle spawn:b");
    signalled(&s, SIGINT);
    expect(&s, "terminate:b terminate:job");
    ended(&s, "job", 0);
    ended(&s, "b", 0);
    expect(&s, "terminate:a");
    ended(&s, "a", 0);
    expect(&s, "end:130");
}

static void grace_ends_in_a_kill_for_each(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "a")->stop.grace_ms = 1000;
    service(&s, "b")->stop.grace_ms = 2000;
    begin(&s);
    signalled(&s, SIGINT);
    pass(&s, 1000);
    expect(&s, "spawn:a spawn:b terminate:a terminate:b kill:a");
    pass(&s, 5000);
    expect(&s, "kill:b");
    killed(&s, "a", 9), killed(&s, "b", 9);
    expect(&s, "end:130");
}

static void a_second_signal_kills_and_a_third_ends(void **state)
{
    (void)state;
    SCRIPT s;
    diamond_of_services(&s);
    signalled(&s, SIGINT);
    expect(&s, "terminate:b");
    signalled(&s, SIGINT);
    expect(&s, "kill:a kill:b kill:c kill:d");
    killed(&s, "a", 9);
    expect(&s, "");
    signalled(&s, SIGINT);
    expect(&s, "end:130");
    state_is(&s, "b", TASK_STOPPED, "not waited for");
    state_is(&s, "a", TASK_STOPPED, "stopped by SIGINT");
}

static void the_second_signal_reaches_who_is_about_to_start(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.manual = true;
    worker(&s, "a"), worker(&s, "b");
    begin(&s);
    signalled(&s, SIGINT);
    spawned(&s, "a");
    expect(&s, "spawn:a spawn:b terminate:a");
    signalled(&s, SIGINT);
    spawned(&s, "b");
    expect(&s, "kill:a kill:b");
    killed(&s, "a", 9), killed(&s, "b", 9);
    expect(&s, "end:130");
}

static void stopping_ends_waits_and_delays_at_once(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "retrying")->retry.max = 3;
    worker(&s, "waiting");
    worker(&s, "awaiting")->when = (struct expr *)&s;
    need(&s, "waiting", "retrying", NEED_SUCCEEDED);
    begin(&s);
    ended(&s, "retrying", 1);
    signalled(&s, SIGHUP);
    expect(&s, "await:awaiting spawn:retrying await_end:awaiting end:129");
    state_is(&s, "retrying", TASK_STOPPED, "stopped by SIGHUP");
    state_is(&s, "waiting", TASK_STOPPED, "stopped by SIGHUP");
    assert_int_equal(sup_deadline(s.sup), -1);
}

static void the_first_failure_stops_the_rest(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 2;
    worker(&s, "a"), worker(&s, "b"), worker(&s, "c"), worker(&s, "d");
    need(&s, "d", "a", NEED_FAILED);
    begin(&s);
    ended(&s, "a", 3);
    expect(&s, "spawn:a spawn:b terminate:b");
    ended(&s, "b", 5);
    state_is(&s, "b", TASK_STOPPED, "stopped because a failed");
    state_is(&s, "c", TASK_STOPPED, "stopped because a failed");
    state_is(&s, "d", TASK_STOPPED, "stopped because a failed");
    expect(&s, "end:3");
}

static void finish_lets_run_what_runs(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_FINISH;
    s.plan.run.jobs = 2;
    worker(&s, "a"), worker(&s, "b")->retry.max = 1, worker(&s, "c");
    trigger(&s, "t", OVERLAP_QUEUE);
    begin(&s);
    ended(&s, "a", 3);
    expect(&s, "arm:t spawn:a spawn:b disarm:t");
    state_is(&s, "c", TASK_STOPPED, "stopped because a failed");
    ended(&s, "b", 4);
    pass(&s, 5000);
    expect(&s, "spawn:b");
    ended(&s, "b", 0);
    expect(&s, "end:3");
}

static void keep_going_runs_all_that_can(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    s.plan.run.jobs = 1;
    worker(&s, "a"), worker(&s, "b"), worker(&s, "c");
    begin(&s);
    ended(&s, "a", 3), ended(&s, "b", 4), ended(&s, "c", 0);
    expect(&s, "spawn:a spawn:b spawn:c end:3");
}

static void optional_failures_do_not_count(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a")->optional = true;
    worker(&s, "b");
    begin(&s);
    ended(&s, "a", 3);
    ended(&s, "b", 0);
    expect(&s, "spawn:a spawn:b end:0");
}

static void a_signal_makes_its_exit_status(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a");
    begin(&s);
    killed(&s, "a", SIGKILL);
    expect(&s, "spawn:a end:137");
}

static void a_failure_before_the_signal_decides(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    worker(&s, "a"), worker(&s, "b");
    begin(&s);
    ended(&s, "a", 3);
    signalled(&s, SIGINT);
    ended(&s, "b", 0);
    expect(&s, "spawn:a spawn:b terminate:b end:3");
}

static void down_is_no_failure(void **state)
{
    (void)state;
    for (int failed = 0; failed < 2; failed++) {
        SCRIPT s;
        script_init(&s);
        s.plan.run.fail = FAIL_KEEP_GOING;
        worker(&s, "a"), worker(&s, "b");
        begin(&s);
        ended(&s, "a", failed ? 3 : 0);
        event(&s, (struct sup_event){.kind = SUP_DOWN});
        killed(&s, "b", SIGTERM);
        expect(&s, failed ? "spawn:a spawn:b terminate:b end:3" : "spawn:a spawn:b terminate:b end:0");
    }
}

static void a_run_has_a_timeout(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.timeout_ms = 600000;
    worker(&s, "a");
    begin(&s);
    pass(&s, 599999);
    expect(&s, "spawn:a");
    pass(&s, 1);
    expect(&s, "terminate:a");
    said(&s, "the run timed out after 10m00s");
    killed(&s, "a", SIGTERM);
    state_is(&s, "a", TASK_STOPPED, "the run timed out after 10m00s");
    expect(&s, "end:124");
}

static void a_lost_server_fails_the_run(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a");
    begin(&s);
    event(&s, (struct sup_event){.kind = SUP_SERVER_LOST, .text = STR("killed by SIGKILL")});
    ended(&s, "a", 0);
    state_is(&s, "a", TASK_STOPPED, "the state server was lost: killed by SIGKILL");
    expect(&s, "spawn:a terminate:a end:125");
}

static void who_is_stopping_keeps_its_deadline_and_its_fate(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "slow")->timeout_ms = 1000;
    begin(&s);
    pass(&s, 1000);
    expect(&s, "spawn:slow terminate:slow");
    pass(&s, 6000);
    signalled(&s, SIGINT);
    pass(&s, 3999);
    expect(&s, "");
    pass(&s, 1);
    expect(&s, "kill:slow");
    killed(&s, "slow", 9);
    state_is(&s, "slow", TASK_TIMEOUT, "timed out after 1s");
    expect(&s, "end:130");
}

/* What runs, waits for a retry, or has ended starts anew; what was stopped or has not begun does not. */
static void files_start_anew_what_had_been_started(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "runs"), worker(&s, "failed")->optional = true, worker(&s, "waits"), service(&s, "stopped");
    worker(&s, "job");
    need(&s, "waits", "job", NEED_ENDED);
    begin(&s);
    expect(&s, "spawn:runs spawn:failed spawn:stopped spawn:job");
    ended(&s, "failed", 1);
    uint32_t stop = task(&s, "stopped").ref.task;
    event(&s, (struct sup_event){.kind = SUP_STOP_TASKS, .tasks = &stop, .task_count = 1});
    expect(&s, "terminate:stopped");
    ended(&s, "stopped", 0);
    uint32_t all[] = {task(&s, "runs").ref.task, task(&s, "failed").ref.task, task(&s, "waits").ref.task,
                      stop};
    event(&s, (struct sup_event){.kind = SUP_FILES_CHANGED, .tasks = all, .task_count = 4});
    expect(&s, "renew:failed terminate:runs spawn:failed");
    ended(&s, "runs", 0);
    expect(&s, "spawn:runs");
    assert_int_equal(task(&s, "stopped").state, TASK_STOPPED);
    assert_int_equal(task(&s, "waits").state, TASK_WAITING);
}

static void by_hand(struct script *s, enum sup_event_kind kind, const char *first, const char *second)
{
    uint32_t tasks[2] = {task(s, first).ref.task};
    if (second)
        tasks[1] = task(s, second).ref.task;
    event(s, (struct sup_event){.kind = kind, .tasks = tasks, .task_count = second ? 2 : 1});
}

static void what_is_about_to_be_stopped_is_not_ready_any_more(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "db");
    service(&s, "top");
    worker(&s, "app")->start = false;
    worker(&s, "job");
    need(&s, "top", "db", NEED_READY);
    need(&s, "app", "db", NEED_READY);
    begin(&s);
    by_hand(&s, SUP_RESTART_TASKS, "db", "top");
    expect(&s, "spawn:db spawn:job spawn:top terminate:top");
    by_hand(&s, SUP_STOP_TASKS, "db", NULL);
    by_hand(&s, SUP_START_TASKS, "app", NULL);
    killed(&s, "top", SIGTERM);
    expect(&s, "terminate:db");
    killed(&s, "db", SIGTERM);
    state_is(&s, "app", TASK_SKIPPED, "needs db to be ready, which was stopped: stopped by hand");
    ended(&s, "job", 0);
    expect(&s, "end:0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_start_anew_what_had_been_started),
        cmocka_unit_test(what_is_about_to_be_stopped_is_not_ready_any_more),
        cmocka_unit_test(stopping_goes_against_the_needs),
        cmocka_unit_test(stopping_passes_over_what_does_not_live),
        cmocka_unit_test(grace_ends_in_a_kill_for_each),
        cmocka_unit_test(a_second_signal_kills_and_a_third_ends),
        cmocka_unit_test(the_second_signal_reaches_who_is_about_to_start),
        cmocka_unit_test(stopping_ends_waits_and_delays_at_once),
        cmocka_unit_test(the_first_failure_stops_the_rest),
        cmocka_unit_test(finish_lets_run_what_runs),
        cmocka_unit_test(keep_going_runs_all_that_can),
        cmocka_unit_test(optional_failures_do_not_count),
        cmocka_unit_test(a_signal_makes_its_exit_status),
        cmocka_unit_test(a_failure_before_the_signal_decides),
        cmocka_unit_test(down_is_no_failure),
        cmocka_unit_test(a_run_has_a_timeout),
        cmocka_unit_test(a_lost_server_fails_the_run),
        cmocka_unit_test(who_is_stopping_keeps_its_deadline_and_its_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

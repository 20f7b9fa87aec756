/* What a start waits for and what ends an attempt: `if`, times of needs, on_restart, mutexes, `alive`,
 * silence, the time of all attempts. */
#include "script.h"

#include <signal.h>

static struct expr *some_condition(void)
{
    static char expr; /* only that there is one counts */
    return (struct expr *)&expr;
}

static void judge(struct script *s, const char *name, int64_t answer)
{
    event(s, (struct sup_event){.kind = SUP_IF,
                                .ref = task(s, name).ref,
                                .number = answer,
                                .text = answer < 0 ? STR("its 'if' is broken") : STR("")});
}

static void if_is_asked_once_when_the_needs_hold(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a");
    worker(&s, "b")->only_if = some_condition();
    need(&s, "b", "a", NEED_SUCCEEDED);
    begin(&s);
    expect(&s, "spawn:a");
    judge(&s, "b", 1);
    expect(&s, "");
    ended(&s, "a", 0);
    expect(&s, "ask_if:b");
    judge(&s, "b", 1);
    expect(&s, "spawn:b");
    judge(&s, "b", 0);
    expect(&s, "");
    ended(&s, "b", 0);
    expect(&s, "end:0");
}

static void a_false_if_skips_and_a_broken_one_fails(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    worker(&s, "a")->only_if = some_condition();
    worker(&s, "b")->only_if = some_condition();
    worker(&s, "c");
    need(&s, "c", "a", NEED_SUCCEEDED);
    begin(&s);
    expect(&s, "ask_if:a ask_if:b");
    judge(&s, "a", 0);
    state_is(&s, "a", TASK_SKIPPED, "its 'if' is false");
    state_is(&s, "c", TASK_SKIPPED, "needs a to succeed, which was skipped: its 'if' is false");
    judge(&s, "b", -1);
    state_is(&s, "b", TASK_FAILED, "its 'if' is broken");
    expect(&s, "end:1");
}

static void a_need_that_is_late_is_a_timeout(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "db")->ready = (struct plan_ready){.given = true};
    worker(&s, "a");
    need(&s, "a", "db", NEED_READY);
    s.needs[1][0].timeout_ms = 500;
    begin(&s);
    pass(&s, 499);
    assert_int_equal(task(&s, "a").state, TASK_WAITING);
    pass(&s, 1);
    state_is(&s, "a", TASK_TIMEOUT, "needs db to be ready, which did not come about within 500ms");
    ended(&s, "db", 0);
    expect(&s, "spawn:db probe:db probe_end:db terminate:db end:124");
}

static void a_need_that_is_met_in_time_is_not(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 1;
    worker(&s, "first");
    worker(&s, "b");
    worker(&s, "a");
    need(&s, "a", "first", NEED_SUCCEEDED);
    s.needs[2][0].timeout_ms = 500;
    begin(&s);
    ended(&s, "first", 0);
    expect(&s, "spawn:first spawn:b");
    pass(&s, 10000); /* it waits for a slot only */
    assert_int_equal(task(&s, "a").state, TASK_WAITING);
    ended(&s, "b", 0);
    expect(&s, "spawn:a");
    pass(&s, 10000);
    ended(&s, "a", 0);
    expect(&s, "end:0");
}

static void restarted_with_what_it_needs(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "db")->ready = (struct plan_ready){.given = true};
    service(&s, "app");
    worker(&s, "main");
    need(&s, "app", "db", NEED_READY);
    s.needs[1][0].on_restart = ON_RESTART_RESTART;
    begin(&s);
    probes_hold(&s, "db");
    expect(&s, "spawn:db spawn:main probe:db probe_end:db spawn:app");
    ended(&s, "db", 1);
    expect(&s, "spawn:db terminate:app probe:db");
    killed(&s, "app", SIGTERM);
    assert_int_equal(task(&s, "app").state, TASK_WAITING);
    expect(&s, "");
    probes_hold(&s, "db");
    expect(&s, "probe_end:db spawn:app");
    assert_int_equal(task(&s, "app").attempt, 1);
}

static void stopped_with_what_it_needs(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "db");
    service(&s, "app");
    worker(&s, "main");
    need(&s, "app", "db", NEED_READY);
    s.needs[1][0].on_restart = ON_RESTART_STOP;
    begin(&s);
    ended(&s, "db", 1);
    expect(&s, "spawn:db spawn:main spawn:app spawn:db terminate:app");
    ended(&s, "app", 0);
    state_is(&s, "app", TASK_STOPPED, "db was started again");
    ended(&s, "main", 0);
    ended(&s, "db", 0);
    expect(&s, "terminate:db end:0");
}

static void use(struct script *s, const char *name, char **names, size_t count)
{
    for (size_t i = 0; i < s->plan.worker_count; i++)
        if (strcmp(s->workers[i].name, name) == 0) {
            s->workers[i].mutex = names;
            s->workers[i].mutex_count = count;
        }
}

static void mutexes_are_taken_together_and_in_order(void **state)
{
    (void)state;
    static char *both[] = {(char *)"x", (char *)"y"}, *x[] = {(char *)"x"}, *y[] = {(char *)"y"};
    SCRIPT s;
    script_init(&s);
    const char *const names[] = {"holds_x", "wants_both", "wants_y", "free"};
    for (size_t i = 0; i < LENGTH_OF(names); i++)
        worker(&s, names[i]);
    use(&s, "holds_x", x, 1);
    use(&s, "wants_both", both, 2);
    use(&s, "wants_y", y, 1);
    begin(&s);
    /* wants_y came later than wants_both: it does not overtake it. */
    expect(&s, "spawn:holds_x spawn:free");
    ended(&s, "holds_x", 0);
    expect(&s, "spawn:wants_both");
    ended(&s, "wants_both", 0);
    expect(&s, "spawn:wants_y");
}

static void a_mutex_is_free_between_attempts(void **state)
{
    (void)state;
    static char *x[] = {(char *)"x"};
    SCRIPT s;
    script_init(&s);
    worker(&s, "a")->retry.max = 1;
    worker(&s, "b");
    use(&s, "a", x, 1);
    use(&s, "b", x, 1);
    begin(&s);
    expect(&s, "spawn:a");
    ended(&s, "a", 1);
    expect(&s, "spawn:b");
    pass(&s, 6000); /* the delay is over, b still has it */
    expect(&s, "");
    ended(&s, "b", 0);
    expect(&s, "spawn:a");
}

static void who_waits_for_a_mutex_can_be_stopped(void **state)
{
    (void)state;
    static char *x[] = {(char *)"x"};
    SCRIPT s;
    script_init(&s);
    worker(&s, "a");
    worker(&s, "b");
    use(&s, "a", x, 1);
    use(&s, "b", x, 1);
    begin(&s);
    signalled(&s, SIGINT);
    state_is(&s, "b", TASK_STOPPED, "stopped by SIGINT");
    killed(&s, "a", SIGTERM);
    expect(&s, "spawn:a terminate:a end:130");
}

/* c leaves the queue, gets the mutex of b, which does so, too, and loses it again: it is to stand there once.
 */
static void all_that_wait_for_a_slot_can_be_restarted_at_once(void **state)
{
    (void)state;
    static char *x[] = {(char *)"x"};
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 2;
    struct plan_retry late = {.max = 1, .backoff = 1, .delay_ms = 9000}, soon = late;
    soon.delay_ms = 1000;
    worker(&s, "c")->retry = late;
    worker(&s, "b")->retry = soon;
    worker(&s, "d")->start = false;
    worker(&s, "e")->start = false;
    use(&s, "c", x, 1);
    use(&s, "b", x, 1);
    begin(&s);
    ended(&s, "c", 1);
    ended(&s, "b", 1);
    const uint32_t others[] = {task(&s, "d").ref.task, task(&s, "e").ref.task};
    event(&s, (struct sup_event){.kind = SUP_START_TASKS, .tasks = others, .task_count = 2});
    pass(&s, 10000);
    const uint32_t both[] = {task(&s, "b").ref.task, task(&s, "c").ref.task};
    event(&s, (struct sup_event){.kind = SUP_RESTART_TASKS, .tasks = both, .task_count = 2});
    expect(&s, "spawn:c spawn:b spawn:d spawn:e");
    ended(&s, "d", 0);
    ended(&s, "e", 0);
    expect(&s, "spawn:c");
    ended(&s, "c", 0);
    expect(&s, "spawn:b");
    ended(&s, "b", 0);
    expect(&s, "end:0");
}

static void the_time_of_all_attempts(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *a = worker(&s, "a");
    a->retry.max = -1;
    a->retry.delay_ms = 1000;
    a->total_timeout_ms = 2500;
    begin(&s);
    ended(&s, "a", 1);
    pass(&s, 1000);
    ended(&s, "a", 1);
    pass(&s, 1000);
    expect(&s, "spawn:a spawn:a spawn:a");
    pass(&s, 500);
    expect(&s, "terminate:a");
    killed(&s, "a", SIGTERM);
    state_is(&s, "a", TASK_TIMEOUT, "timed out after 2.5s in all");
    expect(&s, "end:124");
}

static void between_two_attempts_too(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *a = worker(&s, "a");
    a->retry.max = 3;
    a->total_timeout_ms = 1000;
    begin(&s);
    ended(&s, "a", 1);
    pass(&s, 1000);
    state_is(&s, "a", TASK_TIMEOUT, "timed out after 1s in all");
    expect(&s, "spawn:a end:124");
}

static void output(struct script *s, const char *name, int64_t last_ms)
{
    event(s, (struct sup_event){.kind = SUP_OUTPUT, .ref = task(s, name).ref, .number = last_ms});
}

static void silence_is_asked_for_only_when_it_may_be_over(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "a")->silence_ms = 1000;
    begin(&s);
    int64_t start = s.now;
    pass(&s, 999);
    expect(&s, "spawn:a");
    pass(&s, 1);
    expect(&s, "ask_output:a");
    output(&s, "a", start + 400);
    pass(&s, 399);
    expect(&s, "");
    pass(&s, 1);
    expect(&s, "ask_output:a");
    output(&s, "a", start + 400);
    expect(&s, "terminate:a");
    killed(&s, "a", SIGTERM);
    state_is(&s, "a", TASK_TIMEOUT, "no output for 1s");
    expect(&s, "end:124");
}

static void unhealthy(struct script *s, const char *name)
{
    event(s, (struct sup_event){.kind = SUP_UNHEALTHY, .ref = task(s, name).ref, .text = STR("not alive")});
}

static void alive_is_probed_while_ready(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *a = worker(&s, "a");
    a->ready.given = a->alive.probes.given = true;
    a->retry.max = 1;
    begin(&s);
    unhealthy(&s, "a");
    expect(&s, "spawn:a probe:a");
    probes_hold(&s, "a");
    expect(&s, "probe_end:a guard:a");
    unhealthy(&s, "a");
    expect(&s, "guard_end:a terminate:a");
    ended(&s, "a", 0);
    state_is(&s, "a", TASK_RETRYING, "not alive, retry 1 of 1 in 5s");
    pass(&s, 5000);
    probes_hold(&s, "a");
    expect(&s, "spawn:a probe:a probe_end:a guard:a");
    unhealthy(&s, "a");
    killed(&s, "a", SIGTERM);
    state_is(&s, "a", TASK_FAILED, "not alive");
    expect(&s, "guard_end:a terminate:a end:1");
}

static void a_failure_at_a_slot_comes_before_the_next_one_starts(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 1;
    struct plan_worker *late = worker(&s, "late");
    late->retry.max = 1;
    late->retry.delay_ms = 1000;
    late->total_timeout_ms = 3000;
    worker(&s, "long");
    worker(&s, "next")->start = false;
    begin(&s);
    ended(&s, "late", 1);
    pass(&s, 1500);
    const uint32_t next = task(&s, "next").ref.task;
    event(&s, (struct sup_event){.kind = SUP_START_TASKS, .tasks = &next, .task_count = 1});
    s.now += 5000; /* no tick in between */
    ended(&s, "long", 0);
    expect(&s, "spawn:late spawn:long end:124");
    state_is(&s, "next", TASK_STOPPED, "stopped because late failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_is_asked_once_when_the_needs_hold),
        cmocka_unit_test(a_false_if_skips_and_a_broken_one_fails),
        cmocka_unit_test(a_need_that_is_late_is_a_timeout),
        cmocka_unit_test(a_need_that_is_met_in_time_is_not),
        cmocka_unit_test(restarted_with_what_it_needs),
        cmocka_unit_test(stopped_with_what_it_needs),
        cmocka_unit_test(mutexes_are_taken_together_and_in_order),
        cmocka_unit_test(a_mutex_is_free_between_attempts),
        cmocka_unit_test(who_waits_for_a_mutex_can_be_stopped),
        cmocka_unit_test(a_failure_at_a_slot_comes_before_the_next_one_starts),
        cmocka_unit_test(all_that_wait_for_a_slot_can_be_restarted_at_once),
        cmocka_unit_test(the_time_of_all_attempts),
        cmocka_unit_test(between_two_attempts_too),
        cmocka_unit_test(silence_is_asked_for_only_when_it_may_be_over),
        cmocka_unit_test(alive_is_probed_while_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

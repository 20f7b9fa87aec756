/* Retries, restarts, timeouts, readiness. */
#include "script.h"

#include <signal.h>

static void retries_wait_longer_and_longer(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_retry *retry = &worker(&s, "baker")->retry;
    retry->max = 3, retry->delay_ms = 1000, retry->backoff = 2, retry->max_delay_ms = 3000;
    begin(&s);
    ended(&s, "baker", 75);
    state_is(&s, "baker", TASK_RETRYING, "exit status 75, retry 1 of 3 in 1s");
    said(&s, "baker: exit status 75, retry 1 of 3 in 1s");
    pass(&s, 999);
    expect(&s, "spawn:baker");
    pass(&s, 1);
    expect(&s, "spawn:baker");
    ended(&s, "baker", 75);
    pass(&s, 1999);
    expect(&s, "");
    pass(&s, 1);
    expect(&s, "spawn:baker");
    ended(&s, "baker", 75);
    pass(&s, 3000);
    expect(&s, "spawn:baker");
    assert_int_equal(task(&s, "baker").attempt, 4);
    ended(&s, "baker", 75);
    said(&s, "baker: failed after 4 attempts: exit status 75");
    expect(&s, "end:75");
}

static void success_after_a_retry_is_flaky(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "baker")->retry.max = 1;
    begin(&s);
    ended(&s, "baker", 1);
    pass(&s, 5000);
    ended(&s, "baker", 0);
    assert_true(task(&s, "baker").flaky);
    expect(&s, "spawn:baker spawn:baker end:0");
}

static void only_failures_that_match_are_retried(void **state)
{
    (void)state;
    for (int status = 99; status <= 111; status++) {
        SCRIPT s;
        script_init(&s);
        worker(&s, "baker")->retry.max = 1;
        retry_for(&s, "baker", (struct plan_failure){FAILURE_STATUS, 100, 110});
        begin(&s);
        ended(&s, "baker", status);
        bool in = status >= 100 && status <= 110;
        assert_int_equal(task(&s, "baker").state, in ? TASK_RETRYING : TASK_FAILED);
    }
}

static void any_failure_matches_a_timeout_too(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *w = worker(&s, "baker");
    w->timeout_ms = 1000, w->retry.max = 1;
    retry_for(&s, "baker", (struct plan_failure){.kind = FAILURE_ANY});
    begin(&s);
    pass(&s, 1000);
    killed(&s, "baker", SIGTERM);
    state_is(&s, "baker", TASK_RETRYING, "timed out after 1s, retry 1 of 1 in 5s");
}

static void a_shell_passes_signals_on_as_statuses(void **state)
{
    (void)state;
    for (int shell = 0; shell < 2; shell++) {
        SCRIPT s;
        script_init(&s);
        struct plan_worker *w = worker(&s, "baker");
        w->retry.max = 5;
        w->run.shell = shell;
        retry_for(&s, "baker", (struct plan_failure){FAILURE_SIGNAL, SIGSEGV, 0});
        begin(&s);
        killed(&s, "baker", SIGSEGV);
        state_is(&s, "baker", TASK_RETRYING, "killed by SIGSEGV, retry 1 of 5 in 5s");
        pass(&s, 5000);
        ended(&s, "baker", 128 + SIGSEGV);
        assert_int_equal(task(&s, "baker").state, shell ? TASK_RETRYING : TASK_FAILED);
    }
}

static void jitter_takes_a_part_of_the_delay(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_retry *retry = &worker(&s, "baker")->retry;
    retry->max = -1, retry->delay_ms = 1000, retry->jitter = 0.5;
    begin(&s);
    bool shorter = false;
    for (int i = 0; i < 50; i++) {
        ended(&s, "baker", 1);
        int64_t delay = sup_deadline(s.sup) - s.now;
        assert_in_range(delay, 500, 1000);
        shorter |= delay < 900;
        pass(&s, 1000);
    }
    assert_true(shorter);
}

static void a_long_attempt_makes_the_count_begin_anew(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_retry *retry = &worker(&s, "baker")->retry;
    retry->max = 1, retry->reset_after_ms = 60000;
    begin(&s);
    for (int i = 0; i < 3; i++) {
        pass(&s, 60000);
        ended(&s, "baker", 1);
        assert_int_equal(task(&s, "baker").state, TASK_RETRYING);
        pass(&s, 5000);
    }
    pass(&s, 59999);
    ended(&s, "baker", 1);
    state_is(&s, "baker", TASK_FAILED, "exit status 1");
}

static void services_restart_until_that_is_too_fast(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    begin(&s);
    for (int i = 0; i < 5; i++) {
        pass(&s, 100);
        ended(&s, "oven", i % 2);
    }
    expect(&s, "spawn:oven spawn:oven spawn:oven spawn:oven spawn:oven spawn:oven");
    assert_int_equal(task(&s, "oven").restarts, 5);
    ended(&s, "oven", 0);
    state_is(&s, "oven", TASK_FAILED, "exit status 0, restarting too fast");
    expect(&s, "end:1");
}

static void slow_restarts_go_on(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    begin(&s);
    for (int i = 0; i < 100; i++) {
        pass(&s, 2000);
        ended(&s, "oven", 1);
        assert_int_equal(task(&s, "oven").state, TASK_READY);
    }
    assert_int_equal(task(&s, "oven").restarts, 100);
}

static void a_service_with_retries_fails_after_them(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven")->retry.max = 2;
    begin(&s);
    for (int i = 0; i < 2; i++) {
        ended(&s, "oven", 3);
        pass(&s, 5000);
    }
    ended(&s, "oven", 3);
    expect(&s, "spawn:oven spawn:oven spawn:oven end:3");
}

static void an_attempt_that_takes_too_long_is_stopped(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    worker(&s, "baker")->timeout_ms = 60000;
    begin(&s);
    pass(&s, 60000);
    expect(&s, "spawn:baker terminate:baker");
    pass(&s, 9999);
    expect(&s, "");
    pass(&s, 1);
    expect(&s, "kill:baker");
    killed(&s, "baker", SIGKILL);
    state_is(&s, "baker", TASK_TIMEOUT, "timed out after 1m00s");
    expect(&s, "end:124");
}

static void a_timeout_can_be_retried(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *w = worker(&s, "baker");
    w->timeout_ms = 1000, w->retry.max = 1, w->retry.delay_ms = 0;
    retry_for(&s, "baker", (struct plan_failure){.kind = FAILURE_TIMEOUT});
    begin(&s);
    pass(&s, 1000);
    ended(&s, "baker", 0);
    expect(&s, "spawn:baker terminate:baker spawn:baker");
    ended(&s, "baker", 9);
    state_is(&s, "baker", TASK_FAILED, "exit status 9");
}

static void not_ready_in_time_is_a_failure(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *oven = service(&s, "oven");
    oven->ready.given = true, oven->ready.timeout_ms = 30000;
    oven->retry.max = 1, oven->retry.delay_ms = 0;
    worker(&s, "baker");
    need(&s, "baker", "oven", NEED_READY);
    begin(&s);
    pass(&s, 30000);
    expect(&s, "spawn:oven probe:oven probe_end:oven terminate:oven");
    killed(&s, "oven", SIGTERM);
    pass(&s, 29999);
    expect(&s, "spawn:oven probe:oven");
    pass(&s, 1);
    killed(&s, "oven", SIGTERM);
    state_is(&s, "oven", TASK_FAILED, "not ready within 30s");
    state_is(&s, "baker", TASK_SKIPPED, "needs oven to be ready, which failed: not ready within 30s");
    expect(&s, "probe_end:oven terminate:oven end:124");
}

static void ready_in_time_takes_the_limit_away(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *oven = service(&s, "oven");
    oven->ready.given = true, oven->ready.timeout_ms = 30000;
    begin(&s);
    probes_hold(&s, "oven");
    assert_int_equal(sup_deadline(s.sup), -1);
}

static void a_command_that_cannot_run_tells_why(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.manual = true;
    worker(&s, "baker")->retry.max = 1;
    begin(&s);
    spawn_failed(&s, "baker", 127, "no command 'bake' in PATH");
    assert_int_equal(task(&s, "baker").state, TASK_RETRYING);
    pass(&s, 5000);
    spawn_failed(&s, "baker", 127, "no command 'bake' in PATH");
    state_is(&s, "baker", TASK_FAILED, "no command 'bake' in PATH");
    expect(&s, "spawn:baker spawn:baker end:127");
}

static void other_statuses_can_be_successes(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    int success[] = {3, 4};
    struct plan_worker *w = worker(&s, "baker");
    w->success = success, w->success_count = 2;
    w->retry.max = 1, w->retry.delay_ms = 0;
    begin(&s);
    ended(&s, "baker", 0);
    assert_int_equal(task(&s, "baker").attempt, 2);
    ended(&s, "baker", 0);
    state_is(&s, "baker", TASK_FAILED, "exit status 0");
    expect(&s, "spawn:baker spawn:baker end:1");
}

static void a_delay_leaves_the_slot_to_others(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 1;
    worker(&s, "a")->retry.max = 1;
    worker(&s, "b");
    begin(&s);
    ended(&s, "a", 1);
    expect(&s, "spawn:a spawn:b");
    pass(&s, 5000);
    expect(&s, "");
    ended(&s, "b", 0);
    expect(&s, "spawn:a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_wait_longer_and_longer),
        cmocka_unit_test(success_after_a_retry_is_flaky),
        cmocka_unit_test(only_failures_that_match_are_retried),
        cmocka_unit_test(any_failure_matches_a_timeout_too),
        cmocka_unit_test(a_shell_passes_signals_on_as_statuses),
        cmocka_unit_test(jitter_takes_a_part_of_the_delay),
        cmocka_unit_test(a_long_attempt_makes_the_count_begin_anew),
        cmocka_unit_test(services_restart_until_that_is_too_fast),
        cmocka_unit_test(slow_restarts_go_on),
        cmocka_unit_test(a_service_with_retries_fails_after_them),
        cmocka_unit_test(an_attempt_that_takes_too_long_is_stopped),
        cmocka_unit_test(a_timeout_can_be_retried),
        cmocka_unit_test(not_ready_in_time_is_a_failure),
        cmocka_unit_test(ready_in_time_takes_the_limit_away),
        cmocka_unit_test(a_command_that_cannot_run_tells_why),
        cmocka_unit_test(other_statuses_can_be_successes),
        cmocka_unit_test(a_delay_leaves_the_slot_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

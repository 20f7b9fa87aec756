/* Triggers, their runs, and the draining of events at the end. */
#include "script.h"

static void a_queue_asks_again_after_the_run(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE);
    service(&s, "svc");
    begin(&s);
    expect(&s, "arm:t spawn:svc");
    assert_int_equal(trigger_task(&s, "t").state, TASK_IDLE);
    triggered(&s, "t", 5);
    expect(&s, "spawn:t");
    assert_int_equal(trigger_task(&s, "t").state, TASK_RUNNING);
    struct sup_task run = task(&s, "t");
    assert_int_equal(run.revision, 5);
    assert_int_equal(run.parent, trigger_task(&s, "t").ref.task);
    ended(&s, "t", 0);
    expect(&s, "arm:t:5");
    triggered(&s, "t", 9);
    assert_true(task(&s, "t").ref.task > run.ref.task);
    assert_false(sup_task_at(s.sup, run.ref.task, &run));
    ended(&s, "t", 0);
    expect(&s, "spawn:t arm:t:9");
    assert_int_equal(trigger_task(&s, "t").runs, 2);
}

static void skip_forgets_what_came_meanwhile(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_SKIP);
    begin(&s);
    triggered(&s, "t", 5);
    triggered(&s, "t", 6);
    ended(&s, "t", 0);
    expect(&s, "arm:t spawn:t arm:t:5:live");
}

static void parallel_asks_at_once_within_the_slots(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.jobs = 2;
    trigger(&s, "t", OVERLAP_PARALLEL);
    begin(&s);
    triggered(&s, "t", 1);
    struct sup_ref first = task(&s, "t").ref;
    triggered(&s, "t", 2);
    expect(&s, "arm:t spawn:t arm:t:1 spawn:t arm:t:2");
    triggered(&s, "t", 3);
    expect(&s, "");
    event(&s, (struct sup_event){.kind = SUP_ENDED, .ref = first});
    expect(&s, "spawn:t arm:t:3");
}

static void restart_stops_the_run_and_keeps_the_newest(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_RESTART);
    begin(&s);
    triggered(&s, "t", 1);
    struct sup_ref first = task(&s, "t").ref;
    expect(&s, "arm:t arm:t:1 spawn:t");
    triggered(&s, "t", 2);
    struct sup_ref second = task(&s, "t").ref;
    triggered(&s, "t", 3);
    expect(&s, "arm:t:2 terminate:t arm:t:3");
    struct sup_task at;
    assert_true(sup_task_at(s.sup, second.task, &at));
    assert_int_equal(at.state, TASK_STOPPED);
    assert_string_equal(at.reason, "a newer event came");
    event(&s, (struct sup_event){.kind = SUP_ENDED, .ref = first, .signal = 15});
    expect(&s, "spawn:t");
    assert_int_equal(task(&s, "t").revision, 3);
    ended(&s, "t", 0);
    expect(&s, "");
    assert_int_equal(trigger_task(&s, "t").state, TASK_IDLE);
}

static void restart_cuts_a_delay_short(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_RESTART)->retry.max = 1;
    begin(&s);
    triggered(&s, "t", 1);
    ended(&s, "t", 1);
    triggered(&s, "t", 2);
    expect(&s, "arm:t arm:t:1 spawn:t arm:t:2 spawn:t");
    assert_int_equal(task(&s, "t").revision, 2);
}

static void max_ends_the_trigger_and_keeps_the_run_alive(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE)->trigger.max = 2;
    worker(&s, "job");
    begin(&s);
    ended(&s, "job", 0);
    expect(&s, "arm:t spawn:job");
    triggered(&s, "t", 1);
    ended(&s, "t", 0);
    triggered(&s, "t", 2);
    ended(&s, "t", 0);
    expect(&s, "spawn:t arm:t:1 spawn:t disarm:t end:0");
    assert_int_equal(trigger_task(&s, "t").state, TASK_SUCCEEDED);
}

static void a_run_that_fails_is_a_failure_of_the_run(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    trigger(&s, "t", OVERLAP_QUEUE);
    worker(&s, "job");
    begin(&s);
    triggered(&s, "t", 1);
    ended(&s, "t", 4);
    said(&s, "t: failed: exit status 4");
    assert_int_equal(trigger_task(&s, "t").state, TASK_IDLE);
    expect(&s, "arm:t spawn:job spawn:t arm:t:1");
    ended(&s, "job", 0);
    fence(&s, 1);
    expect(&s, "fence:1 disarm:t end:4");
}

static void the_end_waits_for_the_fence(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE);
    worker(&s, "job");
    service(&s, "svc");
    begin(&s);
    triggered(&s, "t", 1);
    ended(&s, "job", 0);
    expect(&s, "arm:t spawn:job spawn:svc spawn:t");
    ended(&s, "t", 0);
    expect(&s, "arm:t:1 fence:1");
    triggered(&s, "t", 2);
    fence(&s, 1);
    expect(&s, "spawn:t");
    ended(&s, "t", 0);
    expect(&s, "arm:t:2 fence:2");
    fence(&s, 1);
    expect(&s, "");
    fence(&s, 2);
    expect(&s, "disarm:t terminate:svc");
    ended(&s, "svc", 0);
    expect(&s, "end:0");
}

static void a_late_fence_is_sent_again(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE);
    worker(&s, "job");
    begin(&s);
    ended(&s, "job", 0);
    triggered(&s, "t", 1);
    ended(&s, "t", 0);
    expect(&s, "arm:t spawn:job fence:1 spawn:t arm:t:1 fence:2");
    fence(&s, 1);
    expect(&s, "");
    fence(&s, 2);
    expect(&s, "disarm:t end:0");
}

static void without_drain_nothing_is_waited_for(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE)->trigger.drain = false;
    worker(&s, "job");
    begin(&s);
    triggered(&s, "t", 1);
    struct sup_ref run = task(&s, "t").ref;
    ended(&s, "job", 0);
    expect(&s, "arm:t spawn:job spawn:t disarm:t terminate:t");
    event(&s, (struct sup_event){.kind = SUP_ENDED, .ref = run});
    expect(&s, "end:0");
}

static void lost_events_fail_the_trigger(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE);
    service(&s, "svc");
    begin(&s);
    event(&s, (struct sup_event){.kind = SUP_TRIGGER_LOST, .ref = trigger_task(&s, "t").ref, .number = 12});
    state_is(&s, "t", TASK_LOST, "12 revisions are no longer in the log; raise server.log_limit");
    expect(&s, "arm:t spawn:svc disarm:t terminate:svc");
    ended(&s, "svc", 0);
    expect(&s, "end:125");
}

static void a_refused_watch_fails_the_trigger(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE)->optional = true;
    worker(&s, "job");
    begin(&s);
    event(&s, (struct sup_event){
                  .kind = SUP_TRIGGER_FAILED, .ref = trigger_task(&s, "t").ref, .text = STR("denied")});
    state_is(&s, "t", TASK_FAILED, "denied");
    ended(&s, "job", 0);
    expect(&s, "arm:t spawn:job disarm:t end:0");
}

static void a_trigger_with_needs_is_armed_when_they_hold(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE);
    worker(&s, "a"), worker(&s, "b");
    need(&s, "t", "a", NEED_SUCCEEDED), need(&s, "b", "t", NEED_STARTED);
    begin(&s);
    triggered(&s, "t", 1);
    expect(&s, "spawn:a");
    ended(&s, "a", 0);
    expect(&s, "arm:t spawn:b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_asks_again_after_the_run),
        cmocka_unit_test(skip_forgets_what_came_meanwhile),
        cmocka_unit_test(parallel_asks_at_once_within_the_slots),
        cmocka_unit_test(restart_stops_the_run_and_keeps_the_newest),
        cmocka_unit_test(restart_cuts_a_delay_short),
        cmocka_unit_test(max_ends_the_trigger_and_keeps_the_run_alive),
        cmocka_unit_test(a_run_that_fails_is_a_failure_of_the_run),
        cmocka_unit_test(the_end_waits_for_the_fence),
        cmocka_unit_test(a_late_fence_is_sent_again),
        cmocka_unit_test(without_drain_nothing_is_waited_for),
        cmocka_unit_test(lost_events_fail_the_trigger),
        cmocka_unit_test(a_refused_watch_fails_the_trigger),
        cmocka_unit_test(a_trigger_with_needs_is_armed_when_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

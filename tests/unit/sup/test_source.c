/* Triggers whose events come from within: times, steps of the wall clock, states of other workers. */
#include "script.h"

static struct plan_worker *schedule(struct script *s, const char *name)
{
    struct plan_worker *w = trigger(s, name, OVERLAP_QUEUE);
    w->trigger.condition = CONDITION_TIME;
    w->trigger.drain = false;
    return w;
}

static void every_runs_at_once_and_from_start_to_start(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    schedule(&s, "t")->schedule.every_ms = 1000;
    worker(&s, "main");
    begin(&s);
    expect(&s, "spawn:main spawn:t");
    pass(&s, 2500); /* two times come while it runs, and one waits */
    expect(&s, "");
    ended(&s, "t", 0);
    expect(&s, "spawn:t");
    ended(&s, "t", 0);
    expect(&s, "");
    pass(&s, 500);
    expect(&s, "spawn:t");
    ended(&s, "t", 0);
    ended(&s, "main", 0);
    expect(&s, "end:0");
}

static void clock_set(struct script *s, int64_t step)
{
    s->wall_step += step;
    event(s, (struct sup_event){.kind = SUP_CLOCK});
}

/* The script begins at 22:13:21. */
static void cron_follows_the_wall_clock(void **state)
{
    (void)state;
    static const int64_t second = 1000, hour = 3600 * 1000;
    SCRIPT s;
    script_init(&s);
    struct plan_worker *t = schedule(&s, "t");
    t->schedule.calendar = true;
    assert_true(cron_parse(STR("14 * * * *"), &t->schedule.cron, NULL));
    t->schedule.zone = zone_parse_rule(STR("UTC0"), NULL);
    worker(&s, "main");
    begin(&s);
    pass(&s, 39 * second - 1);
    expect(&s, "spawn:main");
    pass(&s, 1);
    expect(&s, "spawn:t");
    ended(&s, "t", 0);
    clock_set(&s, -30 * second); /* the same minute comes again */
    pass(&s, 31 * second);
    expect(&s, "");
    clock_set(&s, hour); /* the next was jumped over */
    expect(&s, "spawn:t");
    ended(&s, "t", 0);
    clock_set(&s, 24 * hour); /* too long ago */
    expect(&s, "");
    clock_set(&s, -5 * hour); /* so far back the clock is believed */
    pass(&s, hour);
    expect(&s, "spawn:t");
    zone_free(t->schedule.zone);
}

static void states_of_a_worker_are_events(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    service(&s, "oven");
    struct plan_worker *t = trigger(&s, "t", OVERLAP_QUEUE);
    t->trigger.condition = CONDITION_WORKER;
    t->trigger.worker = (char *)"oven";
    t->trigger.moment = MOMENT_READY;
    worker(&s, "main");
    begin(&s);
    expect(&s, "spawn:oven spawn:main spawn:t");
    assert_string_equal(task(&s, "t").event_worker, "oven");
    assert_string_equal(task(&s, "t").event_state, "ready");
    ended(&s, "oven", 1);
    expect(&s, "spawn:oven");
    ended(&s, "t", 0);
    expect(&s, "spawn:t");
    ended(&s, "main", 0);
    expect(&s, ""); /* its run is waited for */
    ended(&s, "t", 0);
    ended(&s, "oven", 0);
    expect(&s, "terminate:oven end:0");
}

static void a_trigger_without_events_times_out(void **state)
{
    (void)state;
    SCRIPT s;
    script_init(&s);
    trigger(&s, "t", OVERLAP_QUEUE)->trigger.timeout_ms = 1000;
    service(&s, "svc");
    begin(&s);
    pass(&s, 900);
    triggered(&s, "t", 5);
    pass(&s, 5000);
    ended(&s, "t", 0);
    expect(&s, "arm:t spawn:svc spawn:t arm:t:5");
    pass(&s, 1000);
    state_is(&s, "t", TASK_TIMEOUT, "no event for 1s");
    ended(&s, "svc", 0);
    expect(&s, "disarm:t terminate:svc end:124");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_runs_at_once_and_from_start_to_start),
        cmocka_unit_test(cron_follows_the_wall_clock),
        cmocka_unit_test(states_of_a_worker_are_events),
        cmocka_unit_test(a_trigger_without_events_times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

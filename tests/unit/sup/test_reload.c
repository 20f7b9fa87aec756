/* Workers that come, go and change while the run goes on. */
#include <signal.h>

#include "script.h"

/* A manifest that was read again; the plan's names are those of the script. */
struct again {
    struct plan plan;
    struct plan_worker workers[8];
    struct plan_need needs[8];
    bool same[8];
};

static void read_again(const struct script *s, struct again *again)
{
    *again = (struct again){.plan = s->plan};
    again->plan.workers = again->workers;
    again->plan.worker_count = 0;
}

/* The worker `from` of the script, without its needs. */
static struct plan_worker *take(const struct script *s, struct again *again, size_t from, bool same)
{
    struct plan_worker *worker = &again->workers[again->plan.worker_count];
    *worker = s->workers[from];
    worker->need_count = 0;
    again->same[again->plan.worker_count++] = same;
    return worker;
}

static void now_needs(struct again *again, size_t worker, size_t needed, enum plan_need_is is)
{
    again->needs[worker] =
        (struct plan_need){.worker = needed, .name = again->workers[needed].name, .is = is};
    again->workers[worker].needs = &again->needs[worker];
    again->workers[worker].need_count = 1;
}

static void reload(struct script *s, const struct again *again)
{
    event(s, (struct sup_event){.kind = SUP_RELOAD, .plan = &again->plan, .same = again->same});
}

enum { BOTTOM, MIDDLE, TOP, JOB };

/* top needs middle, which needs bottom; then bottom needs middle. Until the old middle is gone the new bottom
 * would be above and below it. */
static void turn_round(struct script *s, struct again *again)
{
    script_init(s);
    worker(s, "bottom");
    service(s, "middle");
    service(s, "top");
    worker(s, "job");
    need(s, "middle", "bottom", NEED_SUCCEEDED);
    need(s, "top", "middle", NEED_READY);
    begin(s);
    ended(s, "bottom", 0);
    expect(s, "spawn:bottom spawn:job spawn:middle spawn:top");
    read_again(s, again);
    take(s, again, BOTTOM, false);
    take(s, again, MIDDLE, false);
    take(s, again, JOB, true);
    now_needs(again, 0, 1, NEED_READY);
    reload(s, again);
    expect(s, "terminate:top remove:bottom");
}

static void release(struct script *s)
{
    sup_free(s->sup); /* before the plan that it borrows */
    s->sup = NULL;
}

static void needs_can_be_turned_round_while_what_had_them_is_being_stopped(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    turn_round(&s, &again);
    killed(&s, "top", SIGTERM);
    expect(&s, "terminate:middle remove:top");
    killed(&s, "middle", SIGTERM);
    expect(&s, "spawn:middle remove:middle spawn:bottom");
    ended(&s, "bottom", 0);
    ended(&s, "job", 0);
    expect(&s, "terminate:middle");
    killed(&s, "middle", SIGTERM);
    expect(&s, "end:0");
    release(&s);
}

static void the_run_waits_for_what_is_being_replaced(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    turn_round(&s, &again);
    ended(&s, "job", 0);
    killed(&s, "top", SIGTERM);
    killed(&s, "middle", SIGTERM);
    expect(&s, "terminate:middle remove:top spawn:middle remove:middle spawn:bottom");
    ended(&s, "bottom", 0);
    killed(&s, "middle", SIGTERM);
    expect(&s, "terminate:middle end:0");
    release(&s);
}

static void a_run_ends_while_a_worker_waits_to_be_replaced(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    turn_round(&s, &again);
    signalled(&s, SIGTERM);
    expect(&s, "terminate:job");
    ended(&s, "job", 0);
    killed(&s, "top", SIGTERM);
    killed(&s, "middle", SIGTERM);
    expect(&s, "terminate:middle remove:top remove:middle end:143");
    release(&s);
}

static void what_waits_to_be_replaced_can_be_removed(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again, last;
    turn_round(&s, &again);
    read_again(&s, &last);
    take(&s, &last, JOB, true);
    reload(&s, &last);
    killed(&s, "top", SIGTERM);
    expect(&s, "terminate:middle remove:top");
    ended(&s, "job", 0);
    expect(&s, "");
    killed(&s, "middle", SIGTERM);
    expect(&s, "remove:middle end:0");
    release(&s);
}

static void what_waits_to_be_replaced_can_become_something_else(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again, last;
    turn_round(&s, &again);
    read_again(&s, &last);
    take(&s, &last, BOTTOM, false);
    take(&s, &last, JOB, true);
    reload(&s, &last);
    expect(&s, "spawn:bottom");
    killed(&s, "top", SIGTERM);
    killed(&s, "middle", SIGTERM);
    ended(&s, "bottom", 0);
    ended(&s, "job", 0);
    expect(&s, "terminate:middle remove:top remove:middle end:0");
    release(&s);
}

/* The manifest is put back before the first change has come about. */
static void the_last_manifest_counts(void **state)
{
    (void)state;
    SCRIPT s;
    struct again other, back;
    script_init(&s);
    service(&s, "server");
    worker(&s, "job");
    begin(&s);
    read_again(&s, &other);
    take(&s, &other, 0, false)->replicas = 2;
    take(&s, &other, 1, true);
    reload(&s, &other);
    read_again(&s, &back);
    take(&s, &back, 0, true);
    take(&s, &back, 1, true);
    reload(&s, &back);
    expect(&s, "spawn:server spawn:job terminate:server");
    killed(&s, "server", SIGTERM);
    expect(&s, "spawn:server remove:server");
    assert_ptr_equal(sup_group_at(s.sup, 0).worker, &back.workers[0]);
    release(&s);
}

static void what_was_removed_can_come_again(void **state)
{
    (void)state;
    SCRIPT s;
    struct again gone, back;
    script_init(&s);
    service(&s, "server");
    worker(&s, "job");
    begin(&s);
    read_again(&s, &gone);
    take(&s, &gone, 1, true);
    reload(&s, &gone);
    killed(&s, "server", SIGTERM);
    expect(&s, "spawn:server spawn:job terminate:server remove:server");
    read_again(&s, &back);
    take(&s, &back, 0, false);
    take(&s, &back, 1, true);
    reload(&s, &back);
    expect(&s, "spawn:server");
    release(&s);
}

/* While it becomes what it is to be, what it needs is still what nobody starts. */
static void what_waits_for_chance_is_judged_by_the_new_manifest(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    script_init(&s);
    worker(&s, "app");
    service(&s, "server")->start = false;
    worker(&s, "job");
    need(&s, "app", "server", NEED_READY);
    begin(&s);
    read_again(&s, &again);
    take(&s, &again, 0, false);
    struct plan_worker *server = take(&s, &again, 1, false);
    server->start = server->ready.given = true;
    take(&s, &again, 2, true);
    now_needs(&again, 0, 1, NEED_READY);
    reload(&s, &again);
    expect(&s, "spawn:job spawn:server remove:app remove:server probe:server");
    ended(&s, "job", 0);
    expect(&s, "");
    probes_hold(&s, "server");
    expect(&s, "probe_end:server spawn:app");
    release(&s);
}

static void what_comes_to_wait_for_chance_does_not_keep_the_run_alive(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    script_init(&s);
    worker(&s, "app");
    worker(&s, "first");
    worker(&s, "job");
    need(&s, "app", "first", NEED_SUCCEEDED);
    begin(&s);
    read_again(&s, &again);
    take(&s, &again, 0, true);
    take(&s, &again, 1, false)->start = false;
    take(&s, &again, 2, true);
    now_needs(&again, 0, 1, NEED_SUCCEEDED);
    reload(&s, &again);
    killed(&s, "first", SIGTERM);
    expect(&s, "spawn:first spawn:job terminate:first remove:first");
    ended(&s, "job", 0);
    expect(&s, "end:0");
    release(&s);
}

static void what_comes_in_its_place_is_not_stopped_for_a_failure(void **state)
{
    (void)state;
    struct plan_row rows[] = {{.label = (char *)"[a]"}};
    SCRIPT s;
    struct again again;
    script_init(&s);
    s.plan.run.fail = FAIL_KEEP_GOING;
    struct plan_worker *part = worker(&s, "part");
    part->rows = rows;
    part->row_count = 1;
    part->fail_fast = true;
    service(&s, "top");
    worker(&s, "job");
    need(&s, "top", "part", NEED_STARTED);
    begin(&s);
    read_again(&s, &again);
    take(&s, &again, 0, false);
    take(&s, &again, 2, true);
    reload(&s, &again);
    expect(&s, "spawn:part[a] spawn:job spawn:top terminate:top");
    ended(&s, "part[a]", 1);
    expect(&s, "spawn:part[a] remove:part[a]");
    release(&s);
}

static void cannot_join(struct script *s, struct again *again, size_t worker)
{
    struct sup_event add = {.kind = SUP_ADD, .plan = &again->plan, .number = (int64_t)worker};
    struct err err;
    assert_false(sup_allows(s->sup, &add, &err));
    assert_string_equal(err.message, "'first' cannot need what needs it; give it another name");
    event(s, add);
    expect(s, "");
}

static void what_joins_must_not_need_what_needs_its_name(void **state)
{
    (void)state;
    SCRIPT s;
    struct again again;
    script_init(&s);
    worker(&s, "first");
    worker(&s, "second");
    need(&s, "second", "first", NEED_SUCCEEDED);
    begin(&s);
    ended(&s, "first", 0);
    expect(&s, "spawn:first spawn:second");
    read_again(&s, &again);
    take(&s, &again, 0, false);
    take(&s, &again, 1, true);
    now_needs(&again, 0, 1, NEED_SUCCEEDED);
    cannot_join(&s, &again, 0);
    ended(&s, "second", 0);
    expect(&s, "end:0");
    release(&s);
}

static void nor_what_needed_it_and_was_removed(void **state)
{
    (void)state;
    SCRIPT s;
    struct again gone, again;
    script_init(&s);
    worker(&s, "first");
    worker(&s, "second");
    worker(&s, "job");
    need(&s, "second", "first", NEED_SUCCEEDED);
    begin(&s);
    ended(&s, "first", 0);
    expect(&s, "spawn:first spawn:job spawn:second");
    read_again(&s, &gone);
    take(&s, &gone, 2, true);
    reload(&s, &gone);
    expect(&s, "terminate:second remove:first");
    read_again(&s, &again);
    take(&s, &again, 0, false);
    take(&s, &again, 1, true);
    now_needs(&again, 0, 1, NEED_STARTED);
    cannot_join(&s, &again, 0);
    release(&s);
}

static void nor_what_is_about_to_need_it(void **state)
{
    (void)state;
    SCRIPT s;
    struct again changed, again;
    script_init(&s);
    worker(&s, "first");
    service(&s, "second");
    worker(&s, "job");
    begin(&s);
    ended(&s, "first", 0);
    expect(&s, "spawn:first spawn:second spawn:job");
    read_again(&s, &changed);
    take(&s, &changed, 0, true);
    take(&s, &changed, 1, false);
    take(&s, &changed, 2, true);
    now_needs(&changed, 1, 0, NEED_SUCCEEDED);
    reload(&s, &changed);
    expect(&s, "terminate:second");
    read_again(&s, &again);
    take(&s, &again, 0, false);
    take(&s, &again, 1, true);
    now_needs(&again, 0, 1, NEED_READY);
    cannot_join(&s, &again, 0);
    killed(&s, "second", SIGTERM);
    expect(&s, "spawn:second remove:second");
    release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_can_be_turned_round_while_what_had_them_is_being_stopped),
        cmocka_unit_test(the_run_waits_for_what_is_being_replaced),
        cmocka_unit_test(a_run_ends_while_a_worker_waits_to_be_replaced),
        cmocka_unit_test(what_waits_to_be_replaced_can_be_removed),
        cmocka_unit_test(what_waits_to_be_replaced_can_become_something_else),
        cmocka_unit_test(the_last_manifest_counts),
        cmocka_unit_test(what_was_removed_can_come_again),
        cmocka_unit_test(what_waits_for_chance_is_judged_by_the_new_manifest),
        cmocka_unit_test(what_comes_to_wait_for_chance_does_not_keep_the_run_alive),
        cmocka_unit_test(what_comes_in_its_place_is_not_stopped_for_a_failure),
        cmocka_unit_test(what_joins_must_not_need_what_needs_its_name),
        cmocka_unit_test(nor_what_needed_it_and_was_removed),
        cmocka_unit_test(nor_what_is_about_to_need_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Kept answers: found again, forgotten when done or old, and bounded; what is forgotten is never new again.
 */
#include "store_test.h"

#include <stdlib.h>

#define ANNE "0123456789abcdef0123456789abcdef"
#define BOB  "ffffffffffffffffffffffffffffffff"

static enum answer_state find(struct store *store, const char *client, int64_t seq, int64_t now_ms)
{
    struct answer answer;
    return answer_find(store, str_of(client), seq, now_ms, &answer);
}

static void keep(struct store *store, const char *client, int64_t seq, const char *header, const char *value)
{
    struct answer answer = {str_of(header), str_of(value)};
    answer_keep(store, str_of(client), seq, &answer);
}

static struct store *store_make(void)
{
    return store_new(&(struct store_limits){1 << 20, 1 << 20});
}

static void found_again(void **state)
{
    (void)state;
    struct store *store = store_make();
    struct answer answer;
    assert_int_equal(answers_due(store), -1);
    assert_int_equal(find(store, ANNE, 1, 0), ANSWER_NEW);
    keep(store, ANNE, 1, ",\"ok\":true}", "[1]");
    assert_int_equal(find(store, BOB, 1, 0), ANSWER_NEW);
    keep(store, BOB, 1, ",\"ok\":false}", NULL);
    assert_int_equal(answer_find(store, STR(ANNE), 1, 0, &answer), ANSWER_KEPT);
    assert_str(answer.header, ",\"ok\":true}");
    assert_str(answer.value, "[1]");
    assert_int_equal(answer_find(store, STR(BOB), 1, 0, &answer), ANSWER_KEPT);
    assert_str(answer.header, ",\"ok\":false}");
    assert_null(answer.value.data);
    assert_int_equal(find(store, ANNE, 2, 0), ANSWER_NEW);
    store_free(store);
}

static void numbers_in_any_order(void **state)
{
    (void)state;
    struct store *store = store_make();
    for (int seq = 1; seq <= 3; seq++)
        assert_int_equal(find(store, ANNE, seq, 0), ANSWER_NEW);
    answer_expect(store, STR(ANNE), 1);
    answer_expect(store, STR(ANNE), 1);
    keep(store, ANNE, 3, "three", NULL);
    /* The first one waits: it can still be done. The second one was never seen again and cannot. */
    assert_int_equal(find(store, ANNE, 1, 0), ANSWER_OPEN);
    assert_int_equal(find(store, ANNE, 2, 0), ANSWER_GONE);
    /* Nor is its client forgotten meanwhile, however long it waits. */
    answers_expire(store, ANSWER_KEPT_MS);
    answers_expire(store, 3 * ANSWER_KEPT_MS);
    assert_int_equal(find(store, ANNE, 1, 3 * ANSWER_KEPT_MS), ANSWER_OPEN);
    answer_unexpect(store, STR(ANNE));
    answer_unexpect(store, STR(ANNE));
    keep(store, ANNE, 1, "one", NULL);
    struct answer answer;
    assert_int_equal(answer_find(store, STR(ANNE), 1, 0, &answer), ANSWER_KEPT);
    assert_str(answer.header, "one");
    assert_int_equal(answer_find(store, STR(ANNE), 3, 0, &answer), ANSWER_KEPT);
    assert_str(answer.header, "three");
    store_free(store);
}

static void done(void **state)
{
    (void)state;
    struct store *store = store_make();
    for (int seq = 1; seq <= 5; seq++) {
        assert_int_equal(find(store, ANNE, seq, 0), ANSWER_NEW);
        keep(store, ANNE, seq, "answer", "1");
    }
    answers_done(store, STR(ANNE), 4);
    answers_done(store, STR(BOB), 4);
    for (int seq = 1; seq <= 3; seq++)
        assert_int_equal(find(store, ANNE, seq, 0), ANSWER_GONE);
    assert_int_equal(find(store, ANNE, 4, 0), ANSWER_KEPT);
    answers_done(store, STR(ANNE), 100);
    assert_int_equal(find(store, ANNE, 5, 0), ANSWER_GONE);
    assert_int_equal(find(store, ANNE, 6, 0), ANSWER_NEW);
    store_free(store);
}

static void expiry(void **state)
{
    (void)state;
    struct store *store = store_make();
    find(store, ANNE, 1, 1000);
    keep(store, ANNE, 1, "answer", NULL);
    find(store, BOB, 1, 2000);
    keep(store, BOB, 1, "answer", NULL);
    assert_true(answers_due(store) >= 1000 + ANSWER_KEPT_MS);
    answers_expire(store, 999 + ANSWER_KEPT_MS);
    /* Asking is a request: it is kept for as long again. */
    assert_int_equal(find(store, ANNE, 1, 3000), ANSWER_KEPT);
    answers_expire(store, 2000 + ANSWER_KEPT_MS);
    assert_int_equal(find(store, BOB, 1, 3000), ANSWER_NEW);
    assert_int_equal(find(store, ANNE, 1, 3000), ANSWER_KEPT);
    answers_expire(store, answers_due(store));
    assert_int_equal(answers_due(store), -1);
    store_free(store);
}

static void one_client_is_bounded(void **state)
{
    (void)state;
    struct store *store = store_make();
    for (int seq = 1; seq <= 1025; seq++) {
        assert_int_equal(find(store, ANNE, seq, 0), ANSWER_NEW);
        keep(store, ANNE, seq, "answer", NULL);
    }
    assert_int_equal(find(store, ANNE, 1, 0), ANSWER_GONE);
    for (int seq = 2; seq <= 1025; seq++)
        assert_int_equal(find(store, ANNE, seq, 0), ANSWER_KEPT);
    store_free(store);
}

/* Past the bound answers go, the oldest client's first; their requests are refused, never done again. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct store *store = store_make();
    size_t len = 4 << 20;
    AUTO_FREE char *text = mem_new(len + 1);
    memset(text, 'x', len);
    char name[33];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%032d", i);
        assert_int_equal(find(store, name, 1, i), ANSWER_NEW);
        keep(store, name, 1, "answer", text);
    }
    int kept = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%032d", i);
        enum answer_state is = find(store, name, 1, 40);
        assert_int_equal(is, i < 25 ? ANSWER_GONE : ANSWER_KEPT);
        kept += is == ANSWER_KEPT;
    }
    assert_int_equal(kept, 15);
    /* Those that lost theirs get new ones, at the cost of others again. */
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%032d", i);
        assert_int_equal(find(store, name, 2, 41), ANSWER_NEW);
        keep(store, name, 2, "answer", text);
        assert_int_equal(find(store, name, 2, 41), ANSWER_KEPT);
    }
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again),
        cmocka_unit_test(numbers_in_any_order),
        cmocka_unit_test(done),
        cmocka_unit_test(expiry),
        cmocka_unit_test(one_client_is_bounded),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

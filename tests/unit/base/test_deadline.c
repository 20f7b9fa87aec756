/* Deadlines in order, against a naive search for the earliest. */
#include "../unit.h"

#define ITEMS 60

static void heap_check(uint64_t seed, const struct deadlines *heap, const struct deadline *items)
{
    size_t count = 0;
    const struct deadline *first = NULL;
    for (size_t i = 0; i < ITEMS; i++) {
        if (items[i].place == 0)
            continue;
        count++;
        assert_seeded(seed, heap->items[items[i].place - 1] == &items[i]);
        if (!first || items[i].at < first->at)
            first = &items[i];
    }
    assert_seeded(seed, heap->count == count);
    assert_seeded(seed, first ? deadline_first(heap)->at == first->at : !deadline_first(heap));
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uint64_t random = seed;
        struct deadlines heap = {0};
        struct deadline items[ITEMS] = {0};
        for (int step = 0; step < 300; step++) {
            struct deadline *item = &items[random_below(&random, ITEMS)];
            if (random_below(&random, 3)) {
                int64_t at = (int64_t)random_below(&random, 40) - 20;
                deadline_set(&heap, item, at);
                assert_seeded(seed, item->place > 0 && item->at == at);
            } else {
                deadline_remove(&heap, item);
                assert_seeded(seed, item->place == 0);
            }
            heap_check(seed, &heap, items);
        }
        int64_t before = INT64_MIN;
        for (struct deadline *first; (first = deadline_first(&heap)); before = first->at) {
            assert_seeded(seed, first->at >= before);
            deadline_remove(&heap, first);
        }
        heap_check(seed, &heap, items);
        deadlines_release(&heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Manifests: whatever the text, there is a plan or at least one problem with its place. */
#include "fuzz.h"
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan_problems problems = {0};
    struct plan *plan =
        plan_parse((struct str){(const char *)data, size}, "fuzz.yaml", "/nowhere", NULL, &problems);
    MUST(plan || problems.count > 0);
    for (size_t i = 0; i < problems.count; i++) {
        AUTO_BUF struct buf text = {0};
        plan_problem_print(&text, &problems.items[i], i % 2);
        MUST(text.len > 0);
    }
    plan_problems_release(&problems);
    plan_free(plan);
    return 0;
}

/* Reads manifests and prints their problems, as a test of the examples; status 1 when there were any. */
#include "plan.h"

static bool check(const char *file)
{
    struct plan_problems problems = {0};
    struct plan_options options = {.file = file};
    struct plan *plan = plan_load(&options, &problems);
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < problems.count; i++)
        plan_problem_print(&text, &problems.items[i], false);
    fwrite(text.data, 1, text.len, stdout);
    plan_problems_release(&problems);
    plan_free(plan);
    return plan != NULL;
}

int main(int argc, char **argv)
{
    bool good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = check(argv[i]) && good;
    return good ? 0 : 1;
}

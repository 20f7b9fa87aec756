/* The next time that matters to each task. Ties go to the lower number, so that a run can be replayed. */
#include "sup_priv.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* A process that is being started or stopped is not stopped for the sake of all attempts. */
int64_t task_due(const struct task *task)
{
    bool total = task->state == TASK_RUNNING || task->state == TASK_READY || task->state == TASK_RETRYING;
    int64_t due = earlier(earlier(task->limit_ms, task->alarm_ms), task->silence_ms);
    return total ? earlier(due, task->total_ms) : due;
}

void due_update(struct sup *sup, struct task *task)
{
    int64_t due = task_due(task);
    task->due.rank = task->ref.task;
    if (due < 0)
        deadline_remove(&sup->dues, &task->due);
    else
        deadline_set(&sup->dues, &task->due, due);
}

struct task *due_first(const struct sup *sup)
{
    struct deadline *first = deadline_first(&sup->dues);
    return first ? (struct task *)((char *)first - offsetof(struct task, due)) : NULL;
}

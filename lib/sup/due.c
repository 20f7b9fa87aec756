/* The next time that matters to each task. Ties go to the lower number, so that a run can be replayed. */
#include "sup_priv.h"

int64_t task_due(const struct task *task)
{
    if (task->limit_ms < 0 || (task->alarm_ms >= 0 && task->alarm_ms < task->limit_ms))
        return task->alarm_ms;
    return task->limit_ms;
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

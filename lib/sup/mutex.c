/* Mutexes: an instance stands in line for all of its own at once, and takes them together when it is first in
 * every line and none is held. So nobody holds one and waits for another, and nobody is overtaken. */
#include "sup_priv.h"

#include <stdlib.h>

static struct mutex *mutex_find(struct sup *sup, const char *name)
{
    struct mutex *mutex = table_get(&sup->mutexes, str_of(name));
    if (mutex)
        return mutex;
    mutex = mem_new(sizeof *mutex);
    table_put(&sup->mutexes, str_of(name), mutex);
    return mutex;
}

void mutexes_release(struct sup *sup)
{
    size_t at = 0;
    for (struct mutex *mutex; (mutex = table_next(&sup->mutexes, &at));)
        free(mutex);
    table_release(&sup->mutexes);
}

static void line_join(struct lock *lock)
{
    struct mutex *mutex = lock->mutex;
    lock->next = NULL;
    lock->prev = mutex->last;
    if (mutex->last)
        mutex->last->next = lock;
    else
        mutex->first = lock;
    mutex->last = lock;
}

static void line_leave(struct lock *lock)
{
    struct mutex *mutex = lock->mutex;
    if (lock->prev)
        lock->prev->next = lock->next;
    else
        mutex->first = lock->next;
    if (lock->next)
        lock->next->prev = lock->prev;
    else
        mutex->last = lock->prev;
}

static bool all_free(const struct task *task)
{
    for (size_t i = 0; i < task->worker->mutex_count; i++)
        if (task->locks[i].mutex->holder || task->locks[i].mutex->first != &task->locks[i])
            return false;
    return true;
}

static bool try_all(struct task *task)
{
    if (!all_free(task))
        return false;
    for (size_t i = 0; i < task->worker->mutex_count; i++) {
        line_leave(&task->locks[i]);
        task->locks[i].mutex->holder = task;
    }
    task->locking = false;
    task->locked = true;
    return true;
}

static void line_begin(struct sup *sup, struct task *task)
{
    if (!task->locks)
        task->locks = mem_array(task->worker->mutex_count, sizeof *task->locks);
    for (size_t i = 0; i < task->worker->mutex_count; i++) {
        task->locks[i] = (struct lock){.task = task, .mutex = mutex_find(sup, task->worker->mutex[i])};
        line_join(&task->locks[i]);
    }
    task->locking = true;
}

bool mutex_take(struct sup *sup, struct task *task)
{
    if (task->worker->mutex_count == 0 || task->locked)
        return true;
    if (task->locking)
        return false;
    line_begin(sup, task);
    return try_all(task);
}

/* The first in line may have come up: it wants a slot now. */
static void next_up(struct sup *sup, const struct mutex *mutex)
{
    struct task *next = mutex->first ? mutex->first->task : NULL;
    if (next && try_all(next))
        list_add(&sup->runnable, next);
}

void mutex_leave(struct sup *sup, struct task *task)
{
    bool locked = task->locked, locking = task->locking;
    task->locked = task->locking = false;
    for (size_t i = 0; i < task->worker->mutex_count && (locked || locking); i++) {
        if (locking)
            line_leave(&task->locks[i]);
        else
            task->locks[i].mutex->holder = NULL;
    }
    for (size_t i = 0; i < task->worker->mutex_count && (locked || locking); i++)
        next_up(sup, task->locks[i].mutex);
}

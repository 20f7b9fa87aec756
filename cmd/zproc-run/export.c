/* What a run leaves for other programs where they asked for it: --junit, --events. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool open_file(const char *option, const char *path, int *fd, struct err *err)
{
    if (!path)
        return true;
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
    return *fd >= 0 || err_set(err, ERR_INVALID, "cannot write '%s' (%s): %s", path, option, strerror(errno));
}

bool export_open(struct run *run, struct err *err)
{
    return open_file("--junit", run->options->junit, &run->export.junit, err) &&
           open_file("--events", run->options->events, &run->export.events, err);
}

static void write_out(struct run *run, const char *path, int *fd, const struct buf *text)
{
    if (fd_write_all(*fd, text->data, text->len))
        return;
    int number = errno;
    fd_close(fd);
    run_say(run, 1, "'%s' is not complete: %s", path, strerror(number));
}

void export_event(struct run *run, uint32_t number)
{
    AUTO_BUF struct buf record = {0}, line = {0};
    struct task *task = number == SUP_NO_TASK ? NULL : run_task(run, number);
    if (run->export.events < 0 || (!task && number != SUP_NO_TASK) || !record_print(run, number, &record))
        return;
    /* Several changes of one step are told of one by one; it is the state behind them that is shown. */
    uint64_t hash = str_hash(buf_str(&record));
    uint64_t *last = task ? &task->exported : &run->export.last;
    if (*last == hash)
        return;
    *last = hash;
    buf_add_format(&line, "{\"time\":%lld,\"name\":", (long long)time_wall_ms());
    string_print(&line, str_of(task ? task->name : "run"));
    if (task)
        buf_add_format(&line, ",\"task\":%u", task->number);
    if (task && task->parent != SUP_NO_TASK)
        buf_add_format(&line, ",\"of\":%u", task->parent);
    buf_add_format(&line, ",\"record\":%s}\n", record.data);
    write_out(run, run->options->events, &run->export.events, &line);
}

void export_summary(struct run *run, const struct view_summary *summary)
{
    AUTO_BUF struct buf text = {0};
    if (run->export.junit < 0)
        return;
    view_summary_junit(&text, summary);
    write_out(run, run->options->junit, &run->export.junit, &text);
}

void export_close(struct run *run)
{
    fd_close(&run->export.junit);
    fd_close(&run->export.events);
}

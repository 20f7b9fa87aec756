/* Supervisors that are measured beside zproc: each is told in its own way to run the same services. */
#include "bench.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool zproc_write(const char *folder, const char *worker, const char *fifo, int count)
{
    AUTO_BUF struct buf text = {0};
    AUTO_FREE char *path = mem_format("%s/zproc.yaml", folder);
    buf_add_text(&text, "version: 1\nworkers:\n");
    for (int i = 0; i < count; i++)
        buf_add_format(
            &text, "  w%d:\n    run: ['%s', '%s']\n    service: true\n    retry: {max: null, delay: 0s}\n", i,
            worker, fifo);
    return file_write(path, buf_str(&text));
}

static bool supervisord_write(const char *folder, const char *worker, const char *fifo, int count)
{
    AUTO_BUF struct buf text = {0};
    AUTO_FREE char *path = mem_format("%s/supervisord.conf", folder);
    buf_add_format(&text,
                   "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                   "pidfile=%s/supervisord.pid\nchildlogdir=%s\n",
                   folder, folder);
    for (int i = 0; i < count; i++)
        buf_add_format(&text, "[program:w%d]\ncommand=%s %s\n", i, worker, fifo);
    return file_write(path, buf_str(&text));
}

/* A folder with a script for each service: runit's form and s6's. */
static bool folders_write(const char *folder, const char *worker, const char *fifo, int count)
{
    AUTO_FREE char *script = mem_format("#!/bin/sh\nexec '%s' '%s'\n", worker, fifo);
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *service = mem_format("%s/w%d", folder, i);
        AUTO_FREE char *run = mem_format("%s/run", service);
        if (mkdir(service, 0700) != 0 || !file_write(run, str_of(script)) || chmod(run, 0700) != 0)
            return false;
    }
    return true;
}

static const struct {
    const char *name, *program;
    int stop; /* the signal that ends it and its services */
    bool (*write)(const char *folder, const char *worker, const char *fifo, int count);
} kinds[SUPERVISOR_KINDS] = {
    [SUPERVISOR_ZPROC] = {"zproc", "zproc", SIGTERM, zproc_write},
    [SUPERVISOR_SUPERVISORD] = {"supervisord", "supervisord", SIGTERM, supervisord_write},
    [SUPERVISOR_RUNIT] = {"runit", "runsvdir", SIGHUP, folders_write},
    [SUPERVISOR_S6] = {"s6", "s6-svscan", SIGTERM, folders_write},
};

const char *supervisor_name(enum supervisor_kind kind)
{
    return kinds[kind].name;
}

static struct command command_of(const struct supervisor *supervisor)
{
    const char *program = supervisor->program, *config = supervisor->config;
    switch (supervisor->kind) {
    case SUPERVISOR_ZPROC:
        return (struct command){{program, "run", "--output", "quiet", "-f", config}};
    case SUPERVISOR_SUPERVISORD:
        return (struct command){{program, "-c", config}};
    default:
        return (struct command){{program, config}};
    }
}

static char *program_folder(const char *program)
{
    char *real = realpath(program, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (slash)
        *slash = '\0';
    return real;
}

bool supervisor_open(struct bench *bench, enum supervisor_kind kind, const char *worker, const char *fifo,
                     int count, struct supervisor *supervisor)
{
    const char *why;
    *supervisor = (struct supervisor){.kind = kind, .pid = -1};
    supervisor->program =
        kind == SUPERVISOR_ZPROC ? runner(bench, &why) : program_in_path(kinds[kind].program);
    if (!supervisor->program)
        return false;
    AUTO_FREE char *folder = mem_format("%s/%s-%d", bench->folder, kinds[kind].name, count);
    if (mkdir(folder, 0700) != 0 || !kinds[kind].write(folder, worker, fifo, count))
        return false;
    supervisor->folder = kind == SUPERVISOR_SUPERVISORD ? NULL : program_folder(supervisor->program);
    supervisor->config = kind == SUPERVISOR_ZPROC         ? mem_format("%s/zproc.yaml", folder)
                         : kind == SUPERVISOR_SUPERVISORD ? mem_format("%s/supervisord.conf", folder)
                                                          : mem_text(folder);
    return true;
}

bool supervisor_start(struct supervisor *supervisor)
{
    struct command command = command_of(supervisor);
    supervisor->pid = process_start(&command);
    return supervisor->pid > 0;
}

void supervisor_stop(struct supervisor *supervisor)
{
    process_end_by(supervisor->pid, kinds[supervisor->kind].stop);
    supervisor->pid = -1;
}

void supervisor_shut(struct supervisor *supervisor)
{
    supervisor_stop(supervisor);
    free(supervisor->program);
    free(supervisor->config);
    free(supervisor->folder);
}

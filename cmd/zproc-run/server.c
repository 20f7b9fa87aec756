/* The state server of this run: started on a socket that stays ours, watched, stopped last. */
#include "run_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END_KNOWN_MS    500 /* after a broken connection: how long the server's own end is waited for */
#define START_WINDOW_MS 10000
#define STOP_GRACE_MS   2000 /* then it is killed */

static char *describe_end(const struct child_end *end)
{
    if (end->signal > 0)
        return mem_format("was killed by signal %d (%s)", end->signal, strsignal(end->signal));
    return mem_format("ended with status %d", end->status);
}

/* The state cannot be had any more. One in memory is gone with its server: starting another one would only
 * hide that. */
static void server_lost(struct run *run, const char *why)
{
    if (run->server.lost)
        return;
    run->server.lost = true;
    timer_set(run->server.timer, -1);
    fd_close(&run->server.endpoint.fd); /* clients in the backlog are told at once */
    state_close(run);
    AUTO_FREE char *text = run->external ? mem_format("%s: %s", run->address, why)
                           : run->server.persist
                               ? mem_format("it %s", why)
                               : mem_format("it %s; the state was in memory and is gone", why);
    run_event(run, (struct sup_event){.kind = SUP_SERVER_LOST, .text = str_of(text)});
}

static bool server_again(struct run *run, struct err *err);

static void server_ended(void *ctx, struct child *child, const struct child_end *end)
{
    struct run *run = ctx;
    (void)child;
    run->server.child = NULL;
    free(run->server.end);
    run->server.end = describe_end(end);
    struct err err;
    if (run->server.closing)
        loop_stop(run->loop);
    else if (run->over || run->server.lost)
        return;
    else if (!run->server.persist || (!run->state.watcher && !run->server.missed))
        server_lost(run, run->server.end);
    else if (server_again(run, &err))
        run_work(run);
    else
        server_lost(run, err.message);
}

void server_timer(void *ctx)
{
    struct run *run = ctx;
    if (!run->server.closing && run->server.persist && run->server.child)
        child_kill(run->server.child); /* another one is started when it has ended */
    else if (!run->server.closing)
        server_lost(run, "closed the connection");
    else if (run->server.child)
        child_kill(run->server.child);
}

void server_missed(struct run *run, const char *why)
{
    if (run->server.missed || run->server.lost || run->over)
        return;
    run->server.missed = true;
    if (run->server.child)
        timer_set(run->server.timer, time_now_ms() + END_KNOWN_MS);
    else
        server_lost(run, why);
}

static bool spawn_server(struct run *run, int ready, struct err *err)
{
    static const char *const levels[] = {
        [PLAN_PROCESS] = "process", [PLAN_SECOND] = "second", [PLAN_ALWAYS] = "always"};
    const struct plan *plan = run->plan;
    AUTO_FREE char *program = mem_format("%s/zproc-server", run->programs);
    char listen_fd[16], ready_fd[16], log_limit[24], state_limit[24];
    snprintf(listen_fd, sizeof listen_fd, "%d", run->server.endpoint.fd);
    snprintf(ready_fd, sizeof ready_fd, "%d", ready);
    snprintf(log_limit, sizeof log_limit, "%lld", (long long)plan->server.log_limit);
    snprintf(state_limit, sizeof state_limit, "%lld", (long long)plan->server.state_limit);
    char *argv[] = {program,
                    "--listen-fd",
                    listen_fd,
                    "--address",
                    run->server.endpoint.address,
                    "--log-limit",
                    log_limit,
                    "--state-limit",
                    state_limit,
                    "--ready-fd",
                    ready_fd,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL,
                    NULL};
    size_t count = 11;
    if (run->server.persist) {
        argv[count++] = (char *)"--persist";
        argv[count++] = run->server.persist;
        argv[count++] = (char *)"--durability";
        argv[count++] = (char *)levels[plan->server.durability];
    }
    if (plan->server.insecure)
        argv[count++] = (char *)"--insecure";
    struct child_spec spec = {.argv = argv,
                              .env = environ,
                              .inherit_output = true,
                              .die_with_parent = true,
                              .keep = (int[]){run->server.endpoint.fd, ready},
                              .keep_count = 2};
    static const struct child_callbacks callbacks = {.ended = server_ended};
    run->server.child = child_spawn(run->children, &spec, &callbacks, run, err);
    return run->server.child || err_wrap(err, "cannot start the state server");
}

/* A single command has no folder of its own; its state is as short-lived as the command. */
static bool persist_choose(struct run *run, struct err *err)
{
    const struct plan *plan = run->plan;
    struct server *server = &run->server;
    const char *wanted = plan->server.persist, *dir = plan->run.dir;
    if (run->options->command || strcmp(wanted, "none") == 0)
        return true;
    server->persist_ours = strcmp(wanted, "run") == 0;
    AUTO_FREE char *path = server->persist_ours ? mem_format("%s/state/%s", dir, run->id) : mem_text(wanted);
    server->persist = path[0] == '/' ? mem_text(path) : mem_format("%s/%s", plan->dir, path);
    /* The server makes its own folder, which only this user may enter; what is above is as for logs. */
    AUTO_FREE char *parent =
        mem_copy(server->persist, (size_t)(strrchr(server->persist, '/') - server->persist));
    if (!*parent || dir_make(parent, 0755, err))
        return true;
    return err_wrap(err, "no place for the state (%s in the manifest names another)",
                    server->persist_ours ? "run.dir" : "server.persist");
}

/* A state that belongs to the run alone goes with it. */
static void persist_remove(struct server *server)
{
    DIR *dir = server->persist_ours ? opendir(server->persist) : NULL;
    for (const struct dirent *item; dir && (item = readdir(dir));)
        unlinkat(dirfd(dir), item->d_name, 0);
    if (dir) {
        closedir(dir);
        rmdir(server->persist);
        *strrchr(server->persist, '/') = '\0';
        rmdir(server->persist); /* when it was the last one */
    }
    free(server->persist);
    server->persist = NULL;
}

static bool server_launch(struct run *run, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    run->server.ready = ends[0];
    bool ok = spawn_server(run, ends[1], err);
    close(ends[1]);
    return ok;
}

bool server_start(struct run *run, struct err *err)
{
    struct server *server = &run->server;
    if (!persist_choose(run, err))
        return false;
    if (!endpoint_open(&server->endpoint, run->plan->server.address, run->plan->dir,
                       run->plan->server.insecure, err))
        return false;
    if (server->endpoint.path)
        control_leave(run, server->endpoint.path, NULL);
    return server_launch(run, err);
}

bool server_wait(struct run *run, struct err *err)
{
    AUTO_BUF struct buf line = {0};
    int64_t until = time_now_ms() + STARTUP_MS;
    while (!line.data || !memchr(line.data, '\n', line.len)) {
        int64_t left = until - time_now_ms();
        struct pollfd item = {.fd = run->server.ready, .events = POLLIN};
        int found = left > 0 ? poll(&item, 1, (int)left) : 0;
        if (found < 0 && errno == EINTR)
            continue;
        if (found == 0)
            return err_set(err, ERR_TIMEOUT, "the state server did not start within %d s", STARTUP_MS / 1000);
        ssize_t got = read(run->server.ready, buf_reserve(&line, 512), 512);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_set(err, ERR_INTERNAL, "the state server ended while it was starting");
        buf_commit(&line, (size_t)got);
    }
    fd_close(&run->server.ready);
    if (!run->address)
        run->address = mem_text(run->server.endpoint.address);
    return true;
}

/* Whether it may be started again: not when it has died too often lately. */
static bool start_allowed(struct server *server, struct err *err)
{
    int64_t now = time_now_ms(), *oldest = &server->starts[server->start_count % SERVER_STARTS_MAX];
    if (server->start_count >= SERVER_STARTS_MAX && now - *oldest < START_WINDOW_MS)
        return err_set(err, ERR_INTERNAL, "%s, as it has %d times within %d s before", server->end,
                       SERVER_STARTS_MAX, START_WINDOW_MS / 1000);
    *oldest = now;
    server->start_count++;
    return true;
}

/* The state is in its folder, and the socket is ours: clients notice a pause. */
static bool server_again(struct run *run, struct err *err)
{
    struct server *server = &run->server;
    if (!start_allowed(server, err))
        return false;
    run_say(run, 1, "the state server %s; starting it again", server->end);
    timer_set(server->timer, -1);
    if (!server_launch(run, err))
        return err_wrap(err, "%s and could not be started again", server->end);
    server->missed = !server_wait(run, err) || !state_reopen(run, err);
    if (server->missed && server->child)
        child_kill(server->child); /* it is no better than the one before: its end leads here again */
    fd_close(&server->ready);
    return true;
}

void server_stop(struct run *run)
{
    struct server *server = &run->server;
    server->closing = true;
    if (server->child) {
        child_signal(server->child, SIGTERM);
        timer_set(server->timer, time_now_ms() + STOP_GRACE_MS);
    }
    while (server->child)
        loop_run(run->loop);
    if (server->timer)
        timer_free(server->timer);
    server->timer = NULL;
    fd_close(&server->ready);
    endpoint_close(&server->endpoint);
    persist_remove(server);
    free(server->end);
    server->end = NULL;
}

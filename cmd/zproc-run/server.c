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
#define RETRY_MS        50   /* after which a server that is not there yet is looked for again */

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
    starts_look(run, "the state server was lost"); /* what they wait for does not come any more */
}

static void server_again(struct run *run);

/* All has ended: the last records are not worth another server. */
static void close_late(struct run *run)
{
    state_close(run);
    run_wake(run);
}

static void start_failed(struct run *run, const char *what)
{
    struct err err;
    if (run->options->background >= 0)
        err_set(&err, ERR_INTERNAL, "%s; %s/run.log has what it said", what, run->folder.run);
    else
        err_set(&err, ERR_INTERNAL, "%s", what);
    run_fail(run, &err);
}

static void server_ended(void *ctx, struct child *child, const struct child_end *end)
{
    struct run *run = ctx;
    (void)child;
    run->server.child = NULL;
    free(run->server.end);
    run->server.end = describe_end(end);
    if (run->server.closing)
        loop_stop(run->loop);
    else if (run->server.lost)
        return;
    else if (!run->begun)
        start_failed(run, "the state server ended while it was starting");
    else if (run->over)
        close_late(run);
    else if (!run->server.persist)
        server_lost(run, run->server.end);
    else
        server_again(run);
}

void server_timer(void *ctx)
{
    struct run *run = ctx;
    if (!run->begun && !run->server.closing)
        server_connect(run);
    else if (!run->server.closing && run->server.persist && run->server.child)
        child_kill(run->server.child); /* another one is started when it has ended */
    else if (!run->server.closing)
        server_lost(run, "closed the connection");
    else if (run->server.child)
        child_kill(run->server.child);
}

/* Before anything runs: a server that is not ours may be starting, and of our own we hear why it has ended.
 */
static void connect_failed(struct run *run, const struct err *why)
{
    bool again = run->external ? why->code == ERR_UNREACHABLE : run->server.child != NULL;
    run->trouble = *why;
    if (again && time_now_ms() < run->start_until)
        timer_set(run->server.timer, time_now_ms() + RETRY_MS);
    else
        run_fail(run, why);
}

void server_missed(struct run *run, const struct err *why)
{
    if (run->server.lost)
        return;
    if (run->over) {
        close_late(run);
        return;
    }
    state_detach(run);
    if (!run->begun) {
        connect_failed(run, why);
        return;
    }
    run->server.missed = true;
    if (run->server.child)
        timer_set(run->server.timer, time_now_ms() + END_KNOWN_MS);
    else
        server_lost(run, why->message);
}

void server_connect(struct run *run)
{
    struct err err = {0};
    if (!state_connect(run, run->begun, &err))
        server_missed(run, &err);
}

void server_taken_up(struct run *run)
{
    run->server.missed = false;
    timer_set(run->server.timer, -1);
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

static void ready_close(struct run *run)
{
    if (run->server.ready_watcher)
        watcher_free(run->server.ready_watcher);
    run->server.ready_watcher = NULL;
    fd_close(&run->server.ready);
}

/* The line that it writes when it serves; without one it has ended, or is about to. */
static void ready_readable(void *ctx, short events)
{
    struct run *run = ctx;
    char line[512];
    (void)events;
    ssize_t got = read(run->server.ready, line, sizeof line);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got > 0 && !memchr(line, '\n', (size_t)got))
        return;
    ready_close(run);
    if (got <= 0)
        return;
    if (!run->address)
        run->address = mem_text(run->server.endpoint.address);
    server_connect(run);
    run_work(run);
    run_wake(run);
}

static bool server_launch(struct run *run, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    ready_close(run);
    run->server.ready = ends[0];
    run->server.ready_watcher = watcher_new(run->loop, ends[0], POLLIN, ready_readable, run);
    bool ok = spawn_server(run, ends[1], err);
    close(ends[1]);
    return ok;
}

bool server_start(struct run *run, struct err *err)
{
    struct server *server = &run->server;
    if (!persist_choose(run, err))
        return false;
    if (!endpoint_open(run, err))
        return false;
    if (!run->key.given && endpoint_is_open_to_all(&server->endpoint))
        run_say(run, 1,
                "warning: the server has no secret key: whoever can reach '%s' can run commands as you",
                run->plan->server.address);
    return server_launch(run, err);
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

/* The state is in its folder, and the socket is ours: clients notice a pause, and workers go on meanwhile. It
 * has a while to start and to take up the connection; else it is killed, which leads here again. */
static void server_again(struct run *run)
{
    struct server *server = &run->server;
    struct err err = {0};
    bool allowed = start_allowed(server, &err);
    if (allowed) {
        run_say(run, 1, "the state server %s; starting it again", server->end);
        state_detach(run);
        server->missed = true;
        timer_set(server->timer, time_now_ms() + STARTUP_MS);
    }
    if (allowed && server_launch(run, &err))
        return;
    if (allowed)
        err_wrap(&err, "%s and could not be started again", server->end);
    server_lost(run, err.message);
}

void server_leave(struct run *run)
{
    run->server.closing = true;
    ready_close(run);
}

void server_stop(struct run *run)
{
    struct server *server = &run->server;
    if (server->child) {
        child_signal(server->child, SIGTERM);
        timer_set(server->timer, time_now_ms() + STOP_GRACE_MS);
    }
    while (server->child)
        loop_run(run->loop);
    if (server->timer)
        timer_free(server->timer);
    server->timer = NULL;
    endpoint_close(&server->endpoint);
    persist_remove(server);
    free(server->end);
    server->end = NULL;
}

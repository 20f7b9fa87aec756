/* Runs: from start to exit, and a hundred workers at once. */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_ROUNDS   60
#define START_ROUNDS 7
#define WORKERS      100
#define PROCESSES    4096

/* ---- One `true` ---- */

bool file_write(const char *path, struct str text)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 && fd_write_all(fd, text.data, text.len);
}

static void run_row(struct bench *bench, const char *what, const struct command *run)
{
    struct command bare = {{"/bin/true"}};
    struct samples ours = {0}, theirs = {0};
    bool fine = true;
    for (int i = -2; fine && i < RUN_ROUNDS; i++) {
        double time = process_time(run), bare_time = process_time(&bare);
        fine = time > 0 && bare_time > 0;
        if (fine && i >= 0) {
            samples_add(&ours, time);
            samples_add(&theirs, bare_time);
        }
    }
    if (fine)
        row_add(bench, (struct row){.what = what,
                                    .peer_name = "true on its own",
                                    .zproc = samples_median(&ours),
                                    .peer = samples_median(&theirs),
                                    .reach = REACH_MOST,
                                    .figure = 15e6});
    else
        row_break(bench, what, "the run failed");
    samples_release(&ours);
    samples_release(&theirs);
}

char *runner(const struct bench *bench, const char **why)
{
    AUTO_FREE char *supervisor = program_in(bench->bin, "zproc-run");
    AUTO_FREE char *server = program_in(bench->bin, "zproc-server");
    *why = !supervisor ? "zproc-run is not built"
           : !server   ? "zproc-server is not built"
                       : "zproc is not built";
    return supervisor && server ? program_in(bench->bin, "zproc") : NULL;
}

void run_rows(struct bench *bench)
{
    const char *why;
    AUTO_FREE char *zproc = runner(bench, &why);
    if (!zproc) {
        row_skip(bench, "a run of one `true` from start to exit", why);
        return;
    }
    struct command plain = {{zproc, "run", "--", "/bin/true"}};
    struct command manifest = {{zproc, "run", "-q", "-f", "one.yaml"}};
    run_row(bench, "zproc run -- true, from start to exit", &plain);
    if (file_write("one.yaml", STR("version: 1\nworkers:\n  one:\n    run: [/bin/true]\n")))
        run_row(bench, "a manifest of one worker, from start to exit", &manifest);
    else
        row_break(bench, "a manifest of one worker", "cannot write the manifest");
}

/* ---- A hundred workers ---- */

/* Waits for a pid of every worker. */
static bool all_wait(int fifo)
{
    int64_t until = time_now_ms() + 30000;
    for (int got = 0; got < WORKERS;) {
        pid_t pids[WORKERS];
        struct pollfd poll_fd = {.fd = fifo, .events = POLLIN};
        int64_t left = until - time_now_ms();
        if (left <= 0 || poll(&poll_fd, 1, (int)left) < 0)
            return false;
        ssize_t n = read(fifo, pids, sizeof pids);
        got += n > 0 ? (int)((size_t)n / sizeof *pids) : 0;
    }
    return true;
}

static double pss_bytes(pid_t pid)
{
    long kib = 0;
    AUTO_FREE char *path = mem_format("/proc/%d/smaps_rollup", (int)pid);
    AUTO_BUF struct buf text = {0};
    if (!file_read(path, 1 << 16, &text, NULL))
        return 0;
    const char *at = strstr(text.data, "\nPss:");
    if (at)
        sscanf(at, "\nPss: %ld", &kib);
    return (double)kib * 1024;
}

static pid_t parent_of(pid_t pid)
{
    int parent = 0;
    AUTO_FREE char *path = mem_format("/proc/%d/stat", (int)pid);
    AUTO_BUF struct buf text = {0};
    if (!file_read(path, 4096, &text, NULL))
        return 0;
    const char *at = strrchr(text.data, ')');
    if (at)
        sscanf(at + 1, " %*c %d", &parent);
    return parent;
}

static bool runs_in(const char *folder, pid_t pid)
{
    char target[4096];
    AUTO_FREE char *path = mem_format("/proc/%d/exe", (int)pid);
    ssize_t len = readlink(path, target, sizeof target - 1);
    target[len > 0 ? len : 0] = '\0';
    return str_starts_with(str_of(target), str_of(folder));
}

double programs_sum(pid_t top, const char *folder, double (*measure)(pid_t pid))
{
    if (!folder)
        return measure(top);
    struct dirent *entry;
    double sum = 0;
    DIR *proc = opendir("/proc");
    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)atoi(entry->d_name), ancestor = pid;
        for (int depth = 0; ancestor > 1 && ancestor != top && depth < 8; depth++)
            ancestor = parent_of(ancestor);
        if (pid > 0 && ancestor == top && runs_in(folder, pid))
            sum += measure(pid);
    }
    if (proc)
        closedir(proc);
    return sum;
}

struct hundred {
    struct supervisor supervisor;
    bool there, failed;
    struct samples times, memory;
};

/* Pids of workers of the one before, which may have ended late. */
static void fifo_drain(int fifo)
{
    char bytes[4096];
    while (read(fifo, bytes, sizeof bytes) > 0)
        ;
}

static void start_all(struct hundred *side, int fifo)
{
    fifo_drain(fifo);
    double start = now_ns();
    side->failed = !supervisor_start(&side->supervisor) || !all_wait(fifo);
    if (!side->failed) {
        samples_add(&side->times, now_ns() - start);
        samples_add(&side->memory, programs_sum(side->supervisor.pid, side->supervisor.folder, pss_bytes));
    }
    supervisor_stop(&side->supervisor);
}

static void hundred_peer_rows(struct bench *bench, struct hundred *peer, struct row time, struct row memory)
{
    const char *name = supervisor_name(peer->supervisor.kind);
    if (!peer->there || peer->failed) {
        row_skip(bench, time.what, peer->there ? "a peer did not start them" : "a peer is not installed");
        return;
    }
    bool measured = peer->supervisor.kind == SUPERVISOR_SUPERVISORD;
    time.reach = measured ? REACH_FASTER : REACH_NONE;
    time.figure = 5;
    memory.reach = REACH_NONE;
    time.peer_name = memory.peer_name = name;
    time.peer = samples_median(&peer->times);
    memory.peer = samples_median(&peer->memory);
    row_add(bench, time);
    row_add(bench, memory);
}

static void hundred_rows_put(struct bench *bench, struct hundred sides[SUPERVISOR_KINDS])
{
    struct hundred *zproc = &sides[SUPERVISOR_ZPROC];
    struct row time = {.what = "start of 100 workers until all of them run",
                       .zproc = samples_median(&zproc->times),
                       .reach = REACH_MOST,
                       .figure = 0.2e9};
    struct row memory = {.what = "memory (PSS) with 100 workers, all of the supervisor",
                         .unit = UNIT_MEMORY,
                         .zproc = samples_median(&zproc->memory),
                         .reach = REACH_MOST,
                         .figure = 8e6};
    if (!zproc->there || zproc->failed) {
        row_break(bench, time.what, "not all of them started");
        return;
    }
    row_add(bench, time);
    row_add(bench, memory);
    for (int kind = SUPERVISOR_SUPERVISORD; kind < SUPERVISOR_KINDS; kind++)
        hundred_peer_rows(bench, &sides[kind], time, memory);
}

static void hundred_measure(struct bench *bench, struct hundred sides[SUPERVISOR_KINDS], int fifo)
{
    for (int i = 0; i < START_ROUNDS; i++)
        for (int kind = 0; kind < SUPERVISOR_KINDS; kind++)
            if (sides[kind].there && !sides[kind].failed)
                start_all(&sides[kind], fifo);
    hundred_rows_put(bench, sides);
}

void worker_rows(struct bench *bench)
{
    const char *why;
    struct hundred sides[SUPERVISOR_KINDS] = {0};
    AUTO_FREE char *program = runner(bench, &why);
    AUTO_FREE char *worker = program_in(bench->own, "bench_worker");
    if (!program || !worker) {
        row_skip(bench, "start of 100 workers until all of them run",
                 program ? "bench_worker is not built" : why);
        return;
    }
    AUTO_FREE char *path = mem_format("%s/fifo", bench->folder);
    AUTO_FD int fifo = mkfifo(path, 0600) == 0 ? open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
    for (int kind = 0; fifo >= 0 && kind < SUPERVISOR_KINDS; kind++)
        sides[kind].there = supervisor_open(bench, kind, worker, path, WORKERS, &sides[kind].supervisor);
    hundred_measure(bench, sides, fifo);
    for (int kind = 0; kind < SUPERVISOR_KINDS; kind++) {
        supervisor_shut(&sides[kind].supervisor);
        samples_release(&sides[kind].times);
        samples_release(&sides[kind].memory);
    }
}

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
    struct command command;
    const char *folder; /* of the programs whose memory counts */
    bool there, failed;
    struct samples times, memory;
};

static void start_all(struct hundred *side, int fifo)
{
    double start = now_ns();
    pid_t pid = process_start(&side->command);
    side->failed = pid <= 0 || !all_wait(fifo);
    if (!side->failed) {
        samples_add(&side->times, now_ns() - start);
        samples_add(&side->memory, programs_sum(pid, side->folder, pss_bytes));
    }
    process_end(pid);
}

static bool manifest_write(const char *worker)
{
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "version: 1\nworkers:\n");
    for (int i = 0; i < WORKERS; i++)
        buf_add_format(&text, "  w%d:\n    run: [%s, %s]\n    service: true\n", i, worker, "fifo");
    return file_write("hundred.yaml", buf_str(&text));
}

static bool supervisord_write(const char *worker)
{
    AUTO_BUF struct buf text = {0};
    buf_add_text(&text, "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
                        "pidfile=supervisord.pid\n");
    for (int i = 0; i < WORKERS; i++)
        buf_add_format(&text, "[program:w%d]\ncommand=%s fifo\n", i, worker);
    return file_write("supervisord.conf", buf_str(&text));
}

static void hundred_rows_put(struct bench *bench, struct hundred *zproc, struct hundred *peer)
{
    static const char started[] = "start of 100 workers until all of them run";
    static const char memory[] = "memory (PSS) with 100 workers, supervisor and server";
    struct row time = {
        .what = started, .zproc = samples_median(&zproc->times), .reach = REACH_MOST, .figure = 0.2e9};
    struct row pss = {.what = memory,
                      .unit = UNIT_MEMORY,
                      .zproc = samples_median(&zproc->memory),
                      .reach = REACH_MOST,
                      .figure = 8e6};
    if (zproc->failed || peer->failed) {
        row_break(bench, started, zproc->failed ? "not all of them started" : "the peer did not start them");
        return;
    }
    if (peer->there) {
        pss.peer_name = "supervisord";
        pss.peer = samples_median(&peer->memory);
    }
    row_add(bench, time);
    if (peer->there) {
        time.reach = REACH_FASTER;
        time.figure = 5;
        time.peer_name = "supervisord";
        time.peer = samples_median(&peer->times);
        row_add(bench, time);
    } else {
        row_skip(bench, "start of 100 workers, against supervisord", "supervisord is not installed");
    }
    row_add(bench, pss);
}

static void hundred_measure(struct bench *bench, struct hundred *zproc, struct hundred *peer)
{
    AUTO_FD int fifo = mkfifo("fifo", 0600) == 0 ? open("fifo", O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
    zproc->failed = fifo < 0;
    for (int i = 0; i < START_ROUNDS && !zproc->failed && !peer->failed; i++) {
        start_all(zproc, fifo);
        if (peer->there)
            start_all(peer, fifo);
    }
    hundred_rows_put(bench, zproc, peer);
    samples_release(&zproc->times);
    samples_release(&zproc->memory);
    samples_release(&peer->times);
    samples_release(&peer->memory);
}

void worker_rows(struct bench *bench)
{
    const char *why;
    AUTO_FREE char *program = runner(bench, &why);
    AUTO_FREE char *worker = program_in(bench->own, "bench_worker");
    AUTO_FREE char *supervisord = program_in_path("supervisord");
    if (!program || !worker) {
        row_skip(bench, "start of 100 workers until all of them run",
                 program ? "bench_worker is not built" : why);
        row_skip(bench, "memory (PSS) with 100 workers", program ? "bench_worker is not built" : why);
        return;
    }
    struct hundred zproc = {{{program, "run", "-f", "hundred.yaml", "--output", "quiet"}},
                            .folder = bench->bin};
    struct hundred peer = {{{supervisord, "-c", "supervisord.conf"}}, .there = supervisord};
    if (manifest_write(worker) && supervisord_write(worker))
        hundred_measure(bench, &zproc, &peer);
    else
        row_break(bench, "start of 100 workers", "cannot write the manifest");
}

/* What a run does besides starting: restart what was killed, take output, stay idle, get through many jobs.
 */
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTARTS       200
#define PACED_RESTARTS 7
#define PACE_MS        1300
#define FLOOD_MB       256
#define FLOOD_ROUNDS   5
#define IDLE_MS        10000
#define JOBS_AT_ONCE   50

static char *subject_find(struct bench *bench, const char *name, const char *what)
{
    char *program = program_in(bench->own, name);
    if (!program)
        row_skip(bench, what, "the benchmark's own programs are not built");
    return program;
}

static char *runner_find(struct bench *bench, const char *what)
{
    const char *why;
    char *program = runner(bench, &why);
    if (!program)
        row_skip(bench, what, why);
    return program;
}

/* ---- Restart after a kill ---- */

static pid_t pid_wait(int fifo)
{
    pid_t pid;
    struct pollfd item = {.fd = fifo, .events = POLLIN};
    return poll(&item, 1, 15000) == 1 && read(fifo, &pid, sizeof pid) == sizeof pid ? pid : -1;
}

/* Killed until its successor runs. */
static bool restarts_time(int fifo, struct samples *times)
{
    pid_t pid = pid_wait(fifo);
    for (int i = 0; pid > 0 && i < RESTARTS; i++) {
        double start = now_ns();
        kill(pid, SIGKILL);
        pid = pid_wait(fifo);
        samples_add(times, now_ns() - start);
    }
    return pid > 0;
}

/* What starting the same program takes without anybody in between. */
static bool starts_time(const char *worker, const char *path, int fifo, struct samples *times)
{
    struct command command = {{worker, path}};
    bool fine = true;
    for (int i = 0; fine && i < RESTARTS; i++) {
        double start = now_ns();
        pid_t pid = process_start(&command);
        fine = pid > 0 && pid_wait(fifo) > 0;
        samples_add(times, now_ns() - start);
        process_end(pid);
    }
    return fine;
}

static void restart_measure(struct bench *bench, struct row row, const char *worker)
{
    struct samples ours = {0}, bare = {0};
    struct supervisor zproc;
    AUTO_FREE char *path = mem_format("%s/restarts", bench->folder);
    AUTO_FD int fifo = mkfifo(path, 0600) == 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool fine = fifo >= 0 && supervisor_open(bench, SUPERVISOR_ZPROC, worker, path, 1, &zproc) &&
                supervisor_start(&zproc) && restarts_time(fifo, &ours);
    supervisor_shut(&zproc);
    row.peer_name = "fork and exec, no kill";
    row.reach = REACH_MOST;
    row.figure = 5e6;
    if (fine && starts_time(worker, path, fifo, &bare)) {
        row.zproc = samples_median(&ours);
        row.peer = samples_median(&bare);
        row_add(bench, row);
    } else {
        row_break(bench, row.what, "it was not restarted");
    }
    samples_release(&ours);
    samples_release(&bare);
}

/* Peers hold back what ends within a second of its start; so each side is left alone for longer than that
 * before a kill. All of them run at once and take turns. */
struct paced {
    struct supervisor supervisor;
    int fifo;
    pid_t service;
    struct samples times;
};

static bool paced_open(struct bench *bench, enum supervisor_kind kind, const char *worker, struct paced *side)
{
    AUTO_FREE char *path = mem_format("%s/paced-%s", bench->folder, supervisor_name(kind));
    *side = (struct paced){.supervisor = {.kind = kind, .pid = -1}, .fifo = -1, .service = -1};
    if (mkfifo(path, 0600) != 0 || (side->fifo = open(path, O_RDWR | O_CLOEXEC)) < 0)
        return false;
    /* A count of its own: the folder of the row before is there still. */
    return supervisor_open(bench, kind, worker, path, 2, &side->supervisor) &&
           supervisor_start(&side->supervisor) && (side->service = pid_wait(side->fifo)) > 0 &&
           pid_wait(side->fifo) > 0;
}

static void paced_turn(struct paced *side)
{
    double start = now_ns();
    kill(side->service, SIGKILL);
    side->service = pid_wait(side->fifo);
    if (side->service > 0)
        samples_add(&side->times, now_ns() - start);
}

static void paced_rows(struct bench *bench, const char *worker)
{
    struct paced sides[SUPERVISOR_KINDS];
    for (int kind = 0; kind < SUPERVISOR_KINDS; kind++)
        if (!paced_open(bench, kind, worker, &sides[kind]))
            sides[kind].service = -1;
    for (int i = 0; i < PACED_RESTARTS; i++) {
        poll(NULL, 0, PACE_MS);
        for (int kind = 0; kind < SUPERVISOR_KINDS; kind++)
            if (sides[kind].service > 0)
                paced_turn(&sides[kind]);
    }
    struct row row = {.what = "restart after a kill, once it had run for a while"};
    row.zproc = samples_median(&sides[SUPERVISOR_ZPROC].times);
    for (int kind = SUPERVISOR_SUPERVISORD; kind < SUPERVISOR_KINDS; kind++) {
        row.peer_name = supervisor_name(kind);
        row.peer = samples_median(&sides[kind].times);
        if (row.peer > 0)
            row_add(bench, row);
        else
            row_skip(bench, row.what, "a peer is not installed, or did not restart it");
    }
    for (int kind = 0; kind < SUPERVISOR_KINDS; kind++) {
        supervisor_shut(&sides[kind].supervisor);
        fd_close(&sides[kind].fifo);
        samples_release(&sides[kind].times);
    }
}

void restart_rows(struct bench *bench)
{
    struct row row = {.what = "restart after a kill, delay 0"};
    AUTO_FREE char *program = runner_find(bench, row.what);
    AUTO_FREE char *worker = program ? subject_find(bench, "bench_worker", row.what) : NULL;
    if (!worker)
        return;
    restart_measure(bench, row, worker);
    paced_rows(bench, worker);
}

/* ---- Output ---- */

static void output_measure(struct bench *bench, struct row row, const char *program, const char *flood)
{
    struct samples ours = {0}, plain = {0};
    AUTO_FREE char *manifest = mem_format(
        "version: 1\nworkers:\n  one:\n    run: ['%s', '%d']\n    log: {file: flood.log}\n", flood, FLOOD_MB);
    AUTO_FREE char *script = mem_format("'%s' %d >plain.log", flood, FLOOD_MB);
    struct command run = {{program, "run", "--output", "quiet", "-f", "flood.yaml"}};
    struct command shell = {{"/bin/sh", "-c", script}};
    bool fine = file_write("flood.yaml", str_of(manifest));
    for (int i = 0; fine && i < FLOOD_ROUNDS; i++) {
        unlink("flood.log");
        unlink("plain.log");
        double time = process_time(&run), plain_time = process_time(&shell);
        fine = time > 0 && plain_time > 0;
        samples_add(&ours, FLOOD_MB * 1048576.0 / (time / 1e9));
        samples_add(&plain, FLOOD_MB * 1048576.0 / (plain_time / 1e9));
    }
    row.zproc = samples_median(&ours);
    row.peer = samples_median(&plain);
    if (fine)
        row_add(bench, row);
    else
        row_break(bench, row.what, "the run failed");
    samples_release(&ours);
    samples_release(&plain);
}

void output_rows(struct bench *bench)
{
    struct row row = {.what = "a worker's output through run to a file",
                      .peer_name = "the shell's redirection",
                      .unit = UNIT_STREAM,
                      .reach = REACH_LEAST,
                      .figure = 500e6};
    AUTO_FREE char *program = runner_find(bench, row.what);
    AUTO_FREE char *flood = program ? subject_find(bench, "bench_flood", row.what) : NULL;
    if (flood)
        output_measure(bench, row, program, flood);
}

/* ---- Idle ---- */

/* Context switches of a process's threads so far: none of them was woken while the number stands. */
static double switches(pid_t pid)
{
    double sum = 0;
    AUTO_FREE char *folder = mem_format("/proc/%d/task", (int)pid);
    DIR *tasks = opendir(folder);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        AUTO_FREE char *path = mem_format("%s/%s/status", folder, entry->d_name);
        AUTO_BUF struct buf text = {0};
        long count = 0;
        const char *at = entry->d_name[0] != '.' && file_read(path, 1 << 16, &text, NULL)
                             ? strstr(text.data, "\nvoluntary_ctxt_switches:")
                             : NULL;
        if (at && sscanf(at, "\nvoluntary_ctxt_switches: %ld", &count) == 1)
            sum += (double)count;
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

void idle_rows(struct bench *bench)
{
    static const char what[] = "wake-ups of an idle run in 10 s";
    AUTO_FREE char *program = runner_find(bench, what);
    if (!program)
        return;
    AUTO_FREE char *manifest = mem_format("version: 1\nworkers:\n"
                                          "  sleeper:\n    run: [sleep, '1000']\n    service: true\n"
                                          "  watcher:\n    run: ['%s', watch, --when, over == 1]\n",
                                          program);
    struct command command = {{program, "run", "--output", "quiet", "-f", "idle.yaml"}};
    pid_t pid = file_write("idle.yaml", str_of(manifest)) ? process_start(&command) : -1;
    poll(NULL, 0, 2000); /* everything has started and settled */
    double before = programs_sum(pid, bench->bin, switches);
    poll(NULL, 0, IDLE_MS);
    double after = programs_sum(pid, bench->bin, switches);
    process_end(pid);
    if (pid > 0 && before > 0)
        row_add(bench,
                (struct row){.what = what, .unit = UNIT_COUNT, .zproc = after - before, .reach = REACH_MOST});
    else
        row_break(bench, what, "the run did not start");
}

/* ---- Many jobs ---- */

static double jobs_time(const char *program, int jobs)
{
    AUTO_BUF struct buf text = {0};
    buf_add_format(&text, "version: 1\nrun: {jobs: %d}\nworkers:\n", JOBS_AT_ONCE);
    for (int i = 0; i < jobs; i++)
        buf_add_format(&text, "  w%d: {run: [/bin/true]}\n", i);
    struct command run = {{program, "run", "--output", "quiet", "-f", "jobs.yaml"}};
    return file_write("jobs.yaml", buf_str(&text)) ? process_time(&run) / jobs : -1;
}

void job_rows(struct bench *bench)
{
    static const char what[] = "a job of 10,000 in one manifest, 50 at a time";
    AUTO_FREE char *program = runner_find(bench, what);
    if (!program)
        return;
    struct samples rounds = {0};
    bool fine = true;
    for (int i = 0; fine && i < 3; i++) {
        samples_add(&rounds, jobs_time(program, 1000));
        fine = rounds.values[i] > 0;
    }
    double few = samples_median(&rounds), many = fine ? jobs_time(program, 10000) : -1;
    samples_release(&rounds);
    if (many > 0)
        row_add(bench, (struct row){.what = what,
                                    .peer_name = "a job of 1,000",
                                    .zproc = many,
                                    .peer = few,
                                    .reach = REACH_RATIO_MOST,
                                    .figure = 1.3});
    else
        row_break(bench, what, "the run failed");
}

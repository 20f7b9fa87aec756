/* The benchmark's parts. Every row compares with a peer in the same run, the two sides taking turns, so that
 * noise of the machine hits both. A row whose subject or peer is missing is skipped with a word. */
#ifndef ZPROC_BENCH_H
#define ZPROC_BENCH_H

#include "client.h"

#include <sys/types.h>

/* ---- The table ---- */

enum reach {
    REACH_NONE,
    REACH_RATIO_MOST,  /* zproc / peer ≤ figure */
    REACH_FASTER,      /* peer / zproc ≥ figure */
    REACH_RATIO_LEAST, /* zproc / peer ≥ figure */
    REACH_MOST,        /* zproc ≤ figure, in the unit's base */
    REACH_LEAST,       /* zproc ≥ figure */
};
enum unit {
    UNIT_TIME,   /* ns */
    UNIT_RATE,   /* a second */
    UNIT_MEMORY, /* bytes */
    UNIT_STREAM, /* bytes a second */
    UNIT_COUNT,
};

struct row {
    const char *what, *peer_name; /* peer_name may be NULL */
    const char *skipped;          /* why; NULL: measured */
    enum unit unit;
    double zproc, peer;
    enum reach reach;
    double figure;
};

struct bench {
    const char *bin;    /* folder of zproc's programs */
    const char *own;    /* folder of the benchmark's programs */
    const char *folder; /* empty, and the working folder; everything made here goes with it */
    struct row *rows;
    size_t row_count, row_capacity;
    bool broken;
};

void row_add(struct bench *bench, struct row row);
void row_skip(struct bench *bench, const char *what, const char *why);
/* Something that must work did not: said on stderr, and the whole benchmark fails in the end. */
void row_break(struct bench *bench, const char *what, const char *why);
void table_print(const struct bench *bench);

/* ---- Samples ---- */

struct samples {
    double *values;
    size_t count, capacity;
};
void samples_add(struct samples *samples, double value);
double samples_median(struct samples *samples); /* sorts */
/* What so much of them (0 to 1) does not exceed; sorts. */
double samples_least(struct samples *samples, double part);
void samples_release(struct samples *samples);
double now_ns(void);

/* ---- Processes ---- */

#define COMMAND_MAX 16
struct command {
    const char *argv[COMMAND_MAX];
};
/* Starts without waiting; output goes nowhere. It ends with this process, whatever happens. -1: cannot. */
pid_t process_start(const struct command *command);
/* SIGTERM (or another signal), after 15 s SIGKILL; waits. */
void process_end(pid_t pid);
void process_end_by(pid_t pid, int signal);
/* From start to exit in ns; -1 when it cannot be started or fails. */
double process_time(const struct command *command);
/* A program's path (borrowed from the heap, freed by the caller), NULL when it is not there. */
char *program_in(const char *folder, const char *name);
char *program_in_path(const char *name);
/* Waits until somebody listens at a Unix socket; false when the process that should has ended. */
bool socket_wait(const char *path, pid_t pid);

/* ---- Servers: subject and peers; address or path is freed by the caller ---- */

struct server {
    pid_t pid;     /* -1: not started */
    char *path;    /* of its socket */
    char *address; /* ipc://path */
};
/* False with why (static text) when the program is missing or does not start. */
bool server_open(struct bench *bench, const char *name, struct server *server, const char **why);
/* With a level of durability other than none its state is kept in a folder of the benchmark's. */
bool server_open_durable(struct bench *bench, const char *durability, struct server *server,
                         const char **why);
bool redis_open(struct bench *bench, struct server *server, const char **why);
bool echo_open(struct bench *bench, const char *kind, struct server *server, const char **why);
void server_shut(struct server *server);

/* ---- Requests ---- */

bool ask_get(struct client *client, const char *key);
bool ask_set(struct client *client, const char *key, const char *value);

/* Sends a watch for the key's next change; it waits for two minutes at most. */
bool watch_send(struct client *client, const char *key);
/* The server has the watches that were sent: a later request was answered. */
bool watches_settled(struct client *client);

/* ---- Runs ---- */

/* The front program, when it and what it starts for `run` are there; freed by the caller. */
char *runner(const struct bench *bench, const char **why);
bool file_write(const char *path, struct str text);
/* The sum over top and what it has started, as far as the programs lie in the folder; without a folder of top
 * alone. */
double programs_sum(pid_t top, const char *folder, double (*measure)(pid_t pid));

/* ---- Supervisors: zproc and its peers ---- */

enum supervisor_kind {
    SUPERVISOR_ZPROC,
    SUPERVISOR_SUPERVISORD,
    SUPERVISOR_RUNIT,
    SUPERVISOR_S6,
    SUPERVISOR_KINDS
};
struct supervisor {
    enum supervisor_kind kind;
    char *program, *config;
    char *folder; /* of the programs whose memory counts; NULL: only the supervisor itself */
    pid_t pid;    /* -1: not started */
};
const char *supervisor_name(enum supervisor_kind kind);
/* Writes its configuration for so many services `worker fifo`, absolute paths both. False when it is not
 * installed, or when that cannot be written. */
bool supervisor_open(struct bench *bench, enum supervisor_kind kind, const char *worker, const char *fifo,
                     int count, struct supervisor *supervisor);
bool supervisor_start(struct supervisor *supervisor);
/* Ends it with its services. */
void supervisor_stop(struct supervisor *supervisor);
void supervisor_shut(struct supervisor *supervisor);

/* ---- Load: many clients in one event loop, one request of each under way. The same loop for every server,
 * with requests made beforehand and answers looked at only as far as their form needs: what is measured is
 * the server, not a client's comfort. ---- */

#define DRIVE_CLIENTS_MOST 64
enum drive_kind { DRIVE_GET, DRIVE_SET, DRIVE_SET_NUMBERED };
struct drive;
/* NULL when a connection cannot be made. Client N asks for the key `key:N`. */
struct drive *drive_zproc(const struct server *server, enum drive_kind kind, int clients);
struct drive *drive_redis(const struct server *server, enum drive_kind kind, int clients);
/* Answers a second, over some time; -1 when an answer failed or did not come. */
double drive_turn(struct drive *drive);
void drive_close(struct drive *drive); /* NULL is fine */

/* ---- Rows ---- */

void fresh_rows(struct bench *bench);
void trip_rows(struct bench *bench);
void watch_rows(struct bench *bench);
void many_rows(struct bench *bench);
void load_rows(struct bench *bench);
void hostile_rows(struct bench *bench);
void durable_rows(struct bench *bench);
void run_rows(struct bench *bench);
void worker_rows(struct bench *bench);
void restart_rows(struct bench *bench);
void output_rows(struct bench *bench);
void idle_rows(struct bench *bench);
void job_rows(struct bench *bench);
void map_rows(struct bench *bench);

#endif

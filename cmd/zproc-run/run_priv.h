/* The supervisor's program: what its files share. sup_step decides; the files here carry out its effects and
 * hand it what happens. One thread, one loop. */
#ifndef ZPROC_RUN_PRIV_H
#define ZPROC_RUN_PRIV_H

#include "client.h"
#include "proc.h"
#include "sup.h"
#include "view.h"

struct run;
struct task;
struct process;

#define STARTUP_MS 5000 /* how long each step of the start may take */

/* ---- options.c ---- */

enum output_mode { OUTPUT_PREFIX, OUTPUT_GROUP, OUTPUT_FAILED, OUTPUT_QUIET, OUTPUT_RAW, OUTPUT_JSON };
struct options {
    const char **manifests, **vars, **workers; /* no manifest: zproc.yaml of the current folder */
    size_t manifest_count, var_count, worker_count;
    char **command; /* behind `--`; NULL: a manifest */
    int64_t jobs;   /* -1: as the manifest says */
    int fail;       /* enum plan_fail, -1: as the manifest says */
    const char *server, *junit, *events;
    enum output_mode output;
    bool output_given, check, dry_run, colourless, json, quiet;
    int control;    /* descriptor of the guardian, -1: none */
    int background; /* descriptor where it is told that the run is up, -1: a run in the foreground */
};
/* False with err when something is wrong with them. */
bool options_parse(struct options *options, int argc, char **argv, struct err *err);
void options_release(struct options *options);
/* What the command line says over the manifest. */
void options_apply(const struct options *options, struct plan *plan);

/* ---- folder.c: .zproc of the manifest's folder, and the folder of this run in it ---- */

struct folder {
    char *root;    /* absolute; NULL: none */
    char *run;     /* logs/ID below it; NULL for a run without manifest */
    char *address; /* the file that records the server's address, NULL: not written */
    char *recorded;
    char *key;    /* the link to the key's file; NULL: none */
    char *before; /* what stood there: a run that may go on when this one has ended; NULL: nothing */
    int taken;    /* held on `root` by a run in the background; -1: not */
    int lock;     /* held on `run` while the run goes on, so that its logs are not cleared away; -1: none */
    bool made;    /* root did not exist before */
};
/* A new file with this text, put in place of the old one as a whole. */
bool file_replace(const char *path, struct str text, struct err *err);
/* Adds a task's name as that of a file: no two names come out alike, and none is a path. */
void file_name_add(struct buf *buf, const struct task *task);
/* Makes ID: sortable by time, unpredictable. */
void run_id_make(char id[32]);
/* FOLDER_ALONE: ERR_CONFLICT when another run goes on there. */
enum folder_use { FOLDER_ADDRESS, FOLDER_LOGS, FOLDER_ALONE };
bool folder_open(struct folder *folder, const struct plan *plan, const char *id, enum folder_use use,
                 struct err *err);
/* yields: the record of a run that goes on is left as it is. */
bool folder_record(struct run *run, bool yields, struct err *err);
/* Takes the record back, unless another run has put its own there meanwhile; the run that was found here
 * before is found again, if it goes on. false: the record is still there. */
bool folder_close(struct folder *folder);

/* ---- endpoint.c: the listening socket ---- */

struct endpoint {
    int fd; /* -1: closed */
    char *address;
    struct socket_file file;
};
/* wanted NULL: a new ipc address. dir: where a relative ipc path starts. */
bool endpoint_open(struct endpoint *endpoint, const char *wanted, const char *dir, bool insecure,
                   struct err *err);
/* Other machines can reach it. */
bool endpoint_is_open_to_all(const struct endpoint *endpoint);
void endpoint_close(struct endpoint *endpoint); /* the socket file goes too, if it is still this socket */

/* ---- control.c: the guardian and signals ---- */

struct control {
    int fd;
    struct watcher *watcher;
    int64_t last_ms;  /* when a signal came last, 0: none */
    bool last_direct; /* to this process itself, not through the guardian */
};
bool control_open(struct run *run, struct err *err);
/* Tells the guardian of a file (or a folder of control groups) to remove should this process end before it
 * has cleaned up: if `holds` is given, only while that is what it holds. */
void control_leave(struct run *run, const char *path, const char *holds);
/* Where the guardian is to say how this process ended, should it be killed. */
void control_log(struct run *run, const char *path);
/* clean: what control_leave told of is removed, or another's by now. */
void control_close(struct run *run, bool clean);

/* ---- background.c ---- */

/* When the folder is open and before anything else is started. */
bool background_enter(struct run *run, struct err *err);
/* When the run is up; from now on it says everything to its log. */
bool background_tell(struct run *run, struct err *err);

/* ---- server.c ---- */

#define SERVER_STARTS_MAX 5 /* so often in 10 s is it started again */
struct server {
    struct endpoint endpoint;
    struct child *child;
    int ready; /* read end of the pipe that says that it serves; -1: closed */
    struct watcher *ready_watcher;
    bool missed, lost, closing;        /* the connection broke; the state is gone; it is being stopped */
    char *end;                         /* how it ended, NULL: not known */
    char *persist;                     /* folder that keeps the state; NULL: it is in memory */
    bool persist_ours;                 /* it ends with the run */
    int64_t starts[SERVER_STARTS_MAX]; /* when it was started again, the last ones */
    size_t start_count;
    struct timer *timer;
};
/* Binds and starts it; run->address is set and the connection begun once it serves. */
bool server_start(struct run *run, struct err *err);
/* One that is not ours. */
void server_connect(struct run *run);
/* The connection broke: tells sup, with the server's end when that is known in a moment; or starts it again.
 */
void server_missed(struct run *run, const struct err *why);
/* The connection to the server that was started again is taken up. */
void server_taken_up(struct run *run);
/* The timer of the above, and of server_stop. */
void server_timer(void *ctx);
/* From here on it is not connected to any more, though it may only just come to serve. */
void server_leave(struct run *run);
/* After that: stops it (runs the loop) and removes its socket. */
void server_stop(struct run *run);

/* ---- state.c: the connection; requests never block the loop ---- */

/* Called with the answer; reply->ok may be false. */
typedef void answer_fn(struct run *run, struct task *task, int64_t tag, struct reply *reply);
struct ask {
    struct ask_key {
        int64_t link, id; /* the connection that it goes over; 0: it waits for its turn to be sent */
    } key;
    int64_t serial;      /* in the order in which they are sent */
    bool quick;          /* not one that waits on the server */
    bool again;          /* sent a second time: the first may have been done */
    struct queued *sent; /* the request, for a server that is started again; NULL: it waits for its turn */
    struct ask **owner;  /* where it is kept to be cancelled: set to NULL when it is over; NULL: nowhere */
    answer_fn *answer;   /* NULL: nobody cares any more */
    uint32_t task;       /* SUP_NO_TASK: none; an answer for a forgotten task is dropped */
    int64_t tag;
};
/* A connection. */
struct link {
    struct client *client; /* NULL: not open */
    struct watcher *watcher;
    size_t tasks; /* that watch over it */
};
struct state {
    struct link *links; /* opened when they are needed */
    size_t link_count, link_capacity;
    bool open, closed; /* what is queued is sent; nothing is asked any more */
    int64_t lives;     /* how often all connections were closed */
    int64_t serial;    /* of the ask that was sent last */
    struct table asks; /* those that were sent */
    size_t quick;      /* how many of them are answered at once */
    struct queued *first, *last;
    size_t queued;
    struct fence *fences;
};
/* Connects to run->address without waiting; again: what was claimed is claimed before anything else is sent.
 */
bool state_connect(struct run *run, bool again, struct err *err);
/* The connections are gone; what was not answered is asked once more when there is one again. */
void state_detach(struct run *run);
void state_close(struct run *run);
/* SUP_FENCE comes after every event of an earlier change. */
void state_fence(struct run *run, int64_t number);
/* The task watches nothing any more. */
void state_leave(struct run *run, struct task *task);
/* Queues it to be sent in order; the ask is valid until its answer function has been called. NULL when the
 * connection is gone. value.data NULL: none. */
struct ask *state_ask(struct run *run, struct request *request, struct str value, answer_fn *answer,
                      uint32_t task, int64_t tag);
/* Keeps an ask (NULL: there is none) to be cancelled later. */
void state_keep(struct ask **owner, struct ask *ask);
/* Ends a request that waits on the server; its answer is dropped. Sets *ask to NULL. */
void state_cancel(struct run *run, struct ask **ask);
/* Sends what is queued, as far as there is room. */
void state_send(struct run *run);
/* Reads and writes what is possible. True when an answer was handed out. */
bool state_pump(struct run *run);
/* Nothing that is answered at once is on its way. */
bool state_quiet(const struct run *run);
size_t state_pending(const struct run *run);

/* ---- key.c ---- */

struct key {
    bool given;
    struct secret secret;
    char *file; /* absolute; what workers are told; NULL without a key */
    bool file_ours;
    int lock; /* held on a file of ours, so that it is not taken for a dead run's */
};
/* From the environment (where the command line's options stand too), else from the manifest. */
bool key_open(struct run *run, struct err *err);
/* NULL: the server has none. */
const struct secret *key_of(const struct run *run);
void key_close(struct run *run);

/* ---- record.c: the reserved namespace ---- */

struct records {
    char *space, *token;
    bool sending; /* one update is on its way; what changes meanwhile goes with the next */
    bool run_dirty;
    uint32_t *dirty; /* tasks */
    size_t count, capacity;
    struct value *gone; /* names of records that are to be deleted; NULL: none */
};
/* Sends the claim and the initial state; then, when those are answered, records_publish. */
void records_claim(struct run *run);
/* On a new connection the token of the claim is another one. The request that comes first there, and its
 * answer: false when that is of no use. */
void records_claim_again(const struct run *run, struct request *request);
bool records_claimed_again(struct run *run, const struct reply *reply);
void records_publish(struct run *run);
void records_touch(struct run *run, uint32_t task); /* SUP_NO_TASK: the run's own */
void records_flush(struct run *run);
/* Nothing waits: what is asked of the server now comes after all that has happened. */
bool records_clean(const struct run *run);
/* A task's record, or the run's (SUP_NO_TASK); false: there is none. */
bool record_print(struct run *run, uint32_t number, struct buf *json);
void records_remove(struct run *run, struct task *task); /* it has this name no more, or is no more */
void records_release(struct records *records);
/* At the end: leaves them in the folder of the run, for who asks when the server is gone. */
void records_keep(struct run *run);
/* Initial state of the manifest. */
void records_initial(struct run *run);

/* ---- session.c ---- */

/* Gives the task a session when it is to have one (another one, if the last was closed); rev: where it
 * starts, -1: now. */
void session_open(struct run *run, struct task *task, int64_t rev);
void session_close(struct run *run, struct task *task);
/* The task's start waits: sessions of workers that have ended are closed first, so that nothing ephemeral of
 * theirs is there any more, and the server is just not there. */
bool session_holds(struct run *run, const struct task *task);

/* ---- tasks (run.c) ---- */

/* What a trigger run is about. */
struct event {
    int64_t revision;
    char *key;           /* the key that it is about, NULL: none */
    struct value *value; /* what it was set to; NULL: deleted, or not known before the snapshot is there */
    bool changed;        /* the event changed the key (it did not at a first check) */
};
struct task {
    uint32_t number;
    const struct plan_worker *worker;
    const struct plan *plan; /* of the worker */
    char *name;
    int replica;
    const struct plan_row *row; /* of the worker's matrix; NULL: there is none */
    uint32_t parent;
    char *session; /* NULL: none */
    struct event event;
    int64_t item;                /* of a map's run: which one */
    struct items *items;         /* of a map; NULL: not read */
    bool lines_end;              /* SUP_LINES_END came for it */
    bool lines_warned;           /* of processes that keep their lines back */
    struct process *idle;        /* its processes that stay and have no item just now */
    struct ask *armed, *awaited; /* requests that wait on the server */
    uint64_t exported;           /* hash of its record that --events told last */
    size_t link;                 /* 1 + the connection that they go over; 0: none yet */
    int64_t awaited_ms;          /* since when; 0: not, or it has been said already */
    int64_t again_ms;            /* when its condition is to be asked for again; 0: not */
    struct process *process;     /* NULL: none runs */
    struct probes *probes;
    struct guard *guard;
    struct notify *notify; /* socket that its process tells its readiness to; NULL: none */
    int needed;            /* answers that its start still waits for */
    bool spawning;         /* SUP_SPAWN came, `spawn` is its ref */
    struct sup_ref spawn;
    char *obstacle;            /* why it cannot be started, NULL: nothing */
    char *snapshot, *value;    /* files of a trigger's event, NULL: none */
    char *log;                 /* NULL: none */
    struct buf tail;           /* the end of its stderr */
    int held;                  /* processes that refer to it */
    bool forgotten;            /* to be freed with the last of them */
    bool dirty;                /* its record waits to be published */
    bool published;            /* it has been under its name */
    struct terminal *terminal; /* what a worker with a tty has printed; NULL: nothing yet */
    int rows, columns;         /* of it, 0: the usual ones */
    bool picked;               /* named by the request that is being read */
    size_t group;
};
/* NULL when it is no more or was never there. */
struct task *run_task(const struct run *run, uint32_t number);
/* Frees a forgotten task that no process refers to any more. */
void task_drop(struct run *run, struct task *task);
/* Hands an event to sup and carries out what follows. Time is filled in. */
void run_event(struct run *run, struct sup_event event);
/* Everything that is due after an answer or an event; the loop's callbacks end in it. */
void run_work(struct run *run);
/* Before the workers run and after: the loop runs until `done`, the time, trouble or a signal. True: done. */
bool run_until(struct run *run, bool (*done)(const struct run *run), int64_t until_ms);
/* What run_until waits for may have come. */
void run_wake(struct run *run);
/* The run cannot start. */
void run_fail(struct run *run, const struct err *err);
/* A line for people on stderr. */
void run_say(struct run *run, int level, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- service.c: what is asked of the run while it goes on ---- */

/* A call that was not answered at once. */
struct parked;
/* Answers it when it can be answered; true when it was. over: the run has ended. */
typedef bool parked_fn(struct run *run, struct parked *parked, bool over);
struct parked_task {
    uint32_t number, incarnation; /* at the time of the call */
    bool done, ran;               /* start: it ran already */
    char *name;
    struct buf answer; /* of this task, JSON, once it is done */
};
struct parked {
    int64_t call;
    parked_fn *check;
    char *json; /* an answer that is known already; NULL: none */
    struct parked_task *tasks;
    size_t count, done; /* those before `done` need no second look */
    struct parked *next;
};
struct services {
    struct parked *parked;
};
/* From now on calls are served. */
void services_open(struct run *run);
/* After events: answers what can be answered. */
void services_check(struct run *run);
/* The run has ended: answers everything. */
void services_close(struct run *run);
void services_release(struct services *services);
void call_answer(struct run *run, int64_t call, struct str json);
void call_refuse(struct run *run, int64_t call, const struct err *err);
/* The tasks of a request's `names`, or all with `all`; a group stands for its instances. Owned by the caller;
 * false with err. */
struct picked {
    uint32_t *tasks;
    size_t count, capacity;
};
bool pick_tasks(struct run *run, const struct value *request, struct picked *picked, struct err *err);
/* A single instance by its own name; NULL: there is none. */
struct task *pick_instance(const struct run *run, struct str name);
bool pick_group(struct run *run, struct str name, size_t *group, struct err *err);
/* Parks a call; tasks may be NULL. */
struct parked *call_park(struct run *run, int64_t call, parked_fn *check, const struct picked *picked);

/* ---- by_hand.c: start, stop, restart, scale, signal, down ---- */

typedef void call_fn(struct run *run, int64_t call, const struct value *request);
void ask_start(struct run *run, int64_t call, const struct value *request);
void ask_stop(struct run *run, int64_t call, const struct value *request);
void ask_restart(struct run *run, int64_t call, const struct value *request);
void ask_signal(struct run *run, int64_t call, const struct value *request);
void ask_scale(struct run *run, int64_t call, const struct value *request);
void ask_return(struct run *run, int64_t call, const struct value *request);
void ask_down(struct run *run, int64_t call, const struct value *request);

/* ---- logs.c: what workers have printed, for who asks for it ---- */

struct reader;
struct readers {
    struct reader *first;
    struct timer *timer; /* set while there is something new */
};
void ask_logs(struct run *run, int64_t call, const struct value *request);
/* Something was written to a log, or a worker has ended. */
void logs_grew(struct run *run);
/* The run has ended: those that follow logs are given the rest. */
void logs_close(struct run *run);
void logs_release(struct run *run);

/* When these are gone: answers with json (owned by the call from now on). */
void call_when_gone(struct run *run, int64_t call, const struct picked *picked, char *json);

/* ---- reload.c: workers that join and leave ---- */

void ask_reload(struct run *run, int64_t call, const struct value *request);
void ask_spawn(struct run *run, int64_t call, const struct value *request);
/* The manifest is read again, as the signal SIGHUP asks for. */
void reload_run(struct run *run);

/* ---- attach.c: terminals of workers ---- */

struct terminal;
struct attached {
    int64_t owed;    /* answers after which another question is to come */
    int64_t last_ms; /* the last of them */
};
void ask_attach_read(struct run *run, int64_t call, const struct value *request);
void ask_attach_write(struct run *run, int64_t call, const struct value *request);
void ask_attach_resize(struct run *run, int64_t call, const struct value *request);
void terminal_add(struct run *run, struct task *task, struct str bytes);
/* After a change of the task: tells who is attached when it has ended. */
void terminal_check(struct run *run, struct task *task);
/* The run has ended: who is attached is told the rest. */
void terminals_close(struct run *run);
void terminal_free(struct terminal *terminal); /* NULL is fine */

/* ---- watch.c ---- */

/* Waits for a condition in a worker's namespace without a session; the answer comes when it holds. */
struct ask *watch_when(struct run *run, const struct task *task, const struct expr *when, answer_fn *answer);
void watch_await(struct run *run, struct task *task);
void watch_await_end(struct run *run, struct task *task);
/* The timer that says which keys are missing, and asks again. */
void watch_note(void *ctx);

/* ---- trigger.c ---- */

void trigger_arm(struct run *run, struct task *task, int64_t ack, bool live);
void trigger_disarm(struct run *run, struct task *task);
void event_release(struct event *event);
/* A new task that is a run of `parent`'s event: takes the event over and fetches its snapshot. */
void trigger_adopt(struct run *run, struct task *task, struct task *parent);
void trigger_forget(struct task *task);
/* A new file of the run's folder, named after the task; NULL with err. */
char *task_file(const struct run *run, const struct task *task, const char *what, struct str text,
                struct err *err);

/* ---- probe.c ---- */

struct probes;
void probes_start(struct run *run, struct task *task, struct sup_ref ref);
void probes_end(struct run *run, struct task *task);
/* What the process of this incarnation printed. */
void probes_output(struct run *run, struct task *task, struct sup_ref ref, int stream, struct str bytes);
/* The process said that it is ready. */
void probes_notified(struct run *run, struct task *task);

/* ---- notify.c: sd_notify ---- */

/* A new socket for the task's next process, in place of an older one. */
bool notify_open(struct run *run, struct task *task, struct err *err);
/* For NOTIFY_SOCKET; borrowed. */
const char *notify_name(const struct notify *notify);
bool notify_is_ready(const struct notify *notify); /* said so already */
/* What the process last said of itself; NULL: nothing. */
const char *notify_status(const struct notify *notify);
void notify_close(struct task *task);

/* ---- guard.c ---- */

struct guard;
void guard_start(struct run *run, struct task *task, struct sup_ref ref);
void guard_end(struct run *run, struct task *task);
/* Appends a probe's text, filled in within the environment that the worker has. */
bool guard_fill_in(struct run *run, struct task *task, const struct plan_text *text, struct buf *out,
                   struct err *err);

/* ---- clock.c ---- */

void clock_open(struct run *run);
void clock_close(struct run *run);

/* ---- judge.c ---- */

/* Evaluates the task's `if`; SUP_IF follows. */
void judge_if(struct run *run, struct task *task);

/* ---- environment.c ---- */

struct environment {
    char **items; /* NAME=VALUE, NULL at the end */
    size_t count, capacity;
};
/* The inherited one without what zproc itself had set there. */
void environment_inherit(struct environment *environment);
void environment_set(struct environment *environment, const char *name, const char *value); /* NULL: unset */
const char *environment_get(const struct environment *environment, const char *name);
void environment_release(struct environment *environment);

/* ---- scope.c: ${{ }} ---- */

struct scope {
    struct run *run;
    const struct task *task;
    struct environment *env;
};
/* The names themselves, as a map for the caller, and one of them. */
struct value *scope_env(const struct environment *env);
struct value *scope_names(const struct scope *scope);
/* Appends the text with its templates filled in. */
bool scope_expand(const struct scope *scope, const struct plan_text *text, struct buf *out, struct err *err);

/* ---- account.c ---- */

struct account {
    struct child_user user;
    char *login, *home;
    gid_t *groups;
};
/* text: NAME, UID, NAME:GROUP or UID:GID; borrowed. To be released in any case. */
bool account_find(struct account *account, const char *text, struct err *err);
void account_release(struct account *account);
/* Whether every worker can run as the user that it names. */
bool accounts_check(const struct run *run, const struct plan *plan, struct err *err);

/* ---- launch.c ---- */

struct words {
    char **items; /* NULL at the end */
    size_t count, capacity;
};
void words_release(struct words *words);
/* What is needed to start a process for a task. */
struct launch {
    struct environment env;
    struct words argv;
    char *dir;
    struct account account; /* of `user` */
    struct child_limit limits[LIMIT_KINDS];
    struct child_spec spec; /* points into the above */
    char *marks[2];
    char *input; /* the file of stdin; NULL: none */
    bool own_number;
    uint32_t number; /* what tells it apart from others, where own_number; else that of its task */
};
struct process *process_new(struct run *run, struct task *task, struct sup_ref ref);
void process_free(struct process *process);
void process_output(void *ctx, struct child *child, int stream, struct str bytes);
/* Its end counts as success. */
bool process_succeeded(const struct plan_worker *worker, const struct child_end *end);
void spawn_failed(struct run *run, struct sup_ref ref, int status, const char *reason);
enum launch_what { LAUNCH_WORKER, LAUNCH_STOP, LAUNCH_PROBE, LAUNCH_GUARD, LAUNCH_ITEMS };
/* What the manifest puts into a worker's environment, over the inherited one. */
bool launch_environment(const struct scope *scope, bool retry, struct err *err);
bool launch_prepare(struct launch *launch, struct run *run, struct task *task, enum launch_what what,
                    struct err *err);
void launch_release(struct launch *launch);
/* The task's process with the next launch_begun, or as soon as its session and snapshot are there. */
void launch_spawn(struct run *run, struct task *task, struct sup_ref ref);
/* After all effects of an event: what ended in it comes before what starts in it. */
void launch_begun(struct run *run);
/* An answer that the start waits for is there. */
void launch_ready(struct run *run, struct task *task);
void launch_terminate(struct run *run, struct task *task, struct sup_ref ref);
/* When the task's process wrote something last (monotonic ms). */
int64_t launch_last_output(const struct run *run, const struct task *task, struct sup_ref ref);
void launch_kill(struct run *run, struct task *task, struct sup_ref ref);

/* ---- bound.c: bounds on memory ---- */

/* The group that the process of this task is to be in; *bound is NULL where it needs none, or can do without.
 */
bool bound_open(struct run *run, const struct task *task, struct bound **bound, struct err *err);
/* What to say of an end that came from the bound, in text; else it stays empty. */
void bound_explain(const struct process *process, struct buf *text);

/* ---- items.c: the items of maps ---- */

/* Begins to read them: an event says what came of it. */
void items_read(struct run *run, struct task *task);
void items_stop(struct run *run, struct task *task); /* they are not waited for any more */
void items_drop(struct run *run, struct task *task);
/* The item of a map's run. */
void items_text(const struct run *run, const struct task *task, struct buf *text);
bool items_variables(struct environment *env, const struct run *run, struct task *task, struct err *err);

/* ---- lines.c: processes of a map that stay: a line in, a line out ---- */

struct line;
/* Gives the item of this task to a process of its map that has none, or to a new one; SUP_SPAWNED follows,
 * or SUP_SPAWN_FAILED. */
void lines_give(struct run *run, struct task *task, struct sup_ref ref);
void lines_output(struct process *process, struct str bytes); /* of stdout */
void lines_ended(struct process *process, const struct child_end *end);
/* All of a map: their input ends, and after its grace SIGTERM, then SIGKILL follow; SUP_LINES_ENDED comes
 * when the last is gone. */
void lines_end(struct run *run, struct task *map);
/* The map is over before its items are: those that have none are stopped. */
void lines_stop(struct run *run, struct task *map);
/* Before the run ends. */
void lines_settle(struct run *run);
void line_free(struct line *line); /* NULL is fine */

/* ---- sink.c: stdout and stderr of this process, without ever blocking on a slow reader ---- */

struct sink {
    struct run *run;
    int fd;
    int ready;   /* tells the loop that more can be written; -1: writing blocks (files of the disk) */
    bool own;    /* fd is an open file of our own that does not block */
    bool socket; /* one that we share */
    bool gone;   /* nobody reads it any more */
    struct buf queue;
    struct watcher *watcher;
};
void sink_open(struct sink *sink, struct run *run, int fd);
void sink_add(struct sink *sink, struct str bytes);
/* Waits until all is written, until the time (-1: without end), or not much longer when a signal comes. */
void sink_flush(struct sink *sink, int64_t until_ms);
void sink_close(struct sink *sink);

/* ---- log.c: log files ---- */

struct log;
/* The log of that path, shared by all who write to it; the first one's settings count. NULL with err. */
struct log *log_open(struct run *run, const char *path, const struct plan_log *settings, struct err *err);
void log_close(struct log *log); /* NULL is fine */
/* Lines with the time in front. partial keeps what has no newline yet, one for each stream that writes. */
void log_lines(struct log *log, struct buf *partial, struct str bytes);
/* Ends a line that has no newline. */
void log_flush(struct log *log, struct buf *partial);
/* Bytes as they are. */
void log_bytes(struct log *log, struct str bytes);

/* ---- files.c ---- */

/* Begins to watch the files of all workers of the plan that have some, in place of those watched before. */
void files_watch(struct run *run);
void files_watch_end(struct run *run);

/* ---- secrets.c ---- */

/* Before anything is shown that knows the values: those of the worker's `secrets` in this environment.
 * ERR_TOO_LARGE when they have had too many. */
bool secrets_learn(struct run *run, const struct plan_worker *worker, const struct environment *env,
                   struct err *err);
/* The text as it may be shown, itself or in space. */
struct str secrets_hide(const struct run *run, struct str text, struct buf *space);
/* The same for JSON text; what comes out is JSON. */
struct str secrets_hide_json(const struct run *run, struct str json, struct buf *space);

/* ---- output.c: what workers print ---- */

struct output {
    struct run *run;
    const char *name; /* borrowed from the task */
    size_t worker;    /* its worker's place among all */
    const struct plan_log *settings;
    struct log *log;             /* NULL: none */
    struct mask_stream shown[2]; /* each stream without secrets */
    struct buf unlogged[2];      /* of each stream: the line that has no end yet, for the log */
    struct buf lines[2];         /* the same for the console */
    struct buf held;             /* group, failed: kept until the end */
    size_t dropped;              /* bytes that did not fit there */
    int64_t last_ms;             /* when it wrote something last */
    struct task *tty;            /* its terminal is shown to who is attached; NULL: it has none */
    bool wants_result, last_ended, last_long;
    struct buf last;  /* last line of stdout */
    struct buf *tail; /* end of stderr; borrowed from the task */
};
struct process {
    struct run *run;
    struct task *task;
    struct sup_ref ref;
    struct child *child;
    struct bound *bound; /* that bounds its memory; NULL: none */
    struct output output;
    struct line *line;               /* of a map whose processes stay; NULL: it ends with its task */
    bool stopping;                   /* it was told to end */
    struct process *next, *previous; /* all that run */
};
void output_open(struct output *output, struct run *run, struct task *task);
void output_bytes(struct output *output, int stream, struct str bytes);
/* Completes its last lines; prints what was held (`failed`: only if it failed). */
void output_end(struct output *output, bool failed);
/* A line as the JSON text of a result. */
void result_print(struct buf *json, struct str line);
/* The result as JSON text, empty when there is none. */
void output_result(const struct output *output, struct buf *json);
void output_release(struct output *output);
/* The console is full, or has room again: workers that print there are paused. */
void output_pause(struct run *run, bool paused);

/* ---- export.c: files for other programs ---- */

struct export
{
    int junit, events; /* -1: not asked for */
    uint64_t last;     /* hash of the run's record that was told last */
};
bool export_open(struct run *run, struct err *err);
/* The record of the task, or of the run (SUP_NO_TASK), has changed. */
void export_event(struct run *run, uint32_t number);
void export_summary(struct run *run, const struct view_summary *summary);
void export_close(struct run *run);

/* ---- report.c ---- */

void report_plan(struct run *run, struct buf *buf); /* --dry-run */
void report_summary(struct run *run);

/* ---- the run ---- */

struct run {
    const struct options *options;
    struct plan *plan; /* the newest; those before and those of workers that were added stay to the end */
    struct plan **plans;
    size_t plan_count, plan_capacity;
    const char *programs; /* folder of zproc-server */
    const char *path;     /* folder of zproc: first on PATH */
    char id[32];
    int64_t started_ms;
    bool colour, terminal; /* of stderr: colours are fine; a person looks at it */
    bool colour_out;
    bool github; /* the console is that of GitHub Actions */
    struct loop *loop;
    struct children *children;
    struct control control;
    struct key key;
    struct folder folder;
    struct server server;
    bool external; /* the server is not ours */
    char *address;
    struct state state;
    int64_t rev; /* after the initial state */
    struct records records;
    struct export export;
    struct sup *sup;
    struct sup_effects effects;
    size_t effect; /* the next to carry out */
    bool working;
    struct timer *tick, *note, *limit;
    uint32_t *starting; /* tasks that are to be started after the effects */
    size_t starting_count, starting_capacity;
    size_t closing; /* sessions whose end is not answered */
    bool held;      /* starts wait for that */
    int clock;      /* 0: nothing goes by the wall clock */
    struct watcher *clock_watcher;
    bool begun, waiting; /* workers may run; run_until goes on */
    bool failed;         /* it cannot start */
    int interrupt;       /* the signal that came before that, 0: none */
    struct err trouble;  /* why it cannot start; or what it tries again for */
    int64_t start_until; /* how long */
    struct table tasks;  /* by number; triggers' runs and what was removed leave it when they are forgotten */
    uint32_t met;        /* how many tasks of sup were taken in */
    uint32_t born;       /* how many there were at the start */
    struct services services;
    struct readers readers;
    struct attached attached;
    size_t name_width;
    struct process *processes;
    struct bounds *bounds;      /* that bound memory; NULL: there are none yet */
    bool unbounded;             /* it was said that there can be none */
    struct table logs;          /* that are open, by path */
    struct mask mask;           /* secrets */
    struct watched *watched;    /* workers whose files are */
    struct table short_secrets; /* names of those that were warned of */
    bool paused,
        lossy; /* workers are paused; a stop was asked for: what the console cannot take is dropped */
    struct sink out, errors;
    int said;  /* the stderr of who started a run in the background, until it is up; -1: none */
    bool over; /* all has ended */
    int status;
};
/* The whole run; the exit status. */
int run_main(struct run *run);

#endif

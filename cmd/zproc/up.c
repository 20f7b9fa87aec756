/* up: a run in the background. This process waits until it is up, with --wait until all is ready. */
#include "guardian.h"
#include "records.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT      3 /* the descriptor where the supervisor tells that it is up */
#define REPORT_TEXT "--background=3"
#define REPORT_MAX  16384

static const struct option up_options[] = {
    {'f', "manifest", "FILE",
     "a manifest, - for standard input (default: zproc.yaml); later ones lie over earlier ones"},
    {0, "var", "NAME=VALUE", "a variable for ${{ vars.NAME }}, over the manifest's"},
    {'j', "jobs", "N", "at most N jobs at once; 0: no limit"},
    {0, "fail", "MODE", "after a failure: fast (stop the rest), finish, keep-going"},
    {0, "server", "ADDRESS", "use the state server there instead of starting one"},
    {'w', "wait", NULL, "until all is ready, or something failed: then with its status"},
    {'t', "timeout", "TIME", "with --wait: wait so long at most; the run goes on, status 124"},
    {0},
};

/* What the supervisor told: "ID\tNAMESPACE\tFOLDER\tADDRESS\n". */
struct report {
    struct buf text;
    char *id, *space, *folder, *address; /* in text */
};

/* ---- Starting ---- */

/* In the new process: away from the terminal, with none of our other descriptors. Never returns. */
static void become_guardian(char *const *argv, int report)
{
    struct err err;
    setsid();
    if (report != REPORT && dup2(report, REPORT) < 0)
        _exit(125);
    syscall(SYS_close_range, REPORT + 1, ~0U, 0);
    fd_set_cloexec(REPORT, true);
    int status = guardian_run_background(argv, REPORT, &err);
    if (status < 0)
        fprintf(stderr, "zproc: up: %s\n", err.message);
    _exit(status < 0 ? 125 : status);
}

/* True: it is up. False: *status is the supervisor's, which has said why, or FAILED with err. */
static bool start(char *const *argv, struct report *report, int *status, struct err *err)
{
    int ends[2], ended;
    *status = FAILED;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0)
        become_guardian(argv, ends[1]);
    int number = errno;
    close(ends[1]);
    bool read = pid > 0 && fd_read_all(ends[0], REPORT_MAX, &report->text, err);
    close(ends[0]);
    if (pid < 0)
        return err_errno(err, number, "cannot fork");
    if (!read || report->text.len > 0)
        return read;
    while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
        ;
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 125;
    return false;
}

static bool report_read(struct report *report, struct err *err)
{
    char *rest = report->text.data;
    report->text.data[strcspn(rest, "\n")] = '\0';
    report->id = strsep(&rest, "\t");
    report->space = strsep(&rest, "\t");
    report->folder = strsep(&rest, "\t");
    report->address = strsep(&rest, "\t");
    return report->address || err_set(err, ERR_INTERNAL, "the supervisor does not say where it is");
}

static bool tell(const struct context *context, const struct report *report, struct err *err)
{
    AUTO_BUF struct buf out = {0};
    if (context->json) {
        buf_add_format(&out, "{\"run\":\"%s\",\"address\":", report->id);
        string_print(&out, str_of(report->address));
        buf_add_text(&out, "}\n");
    } else {
        buf_add_format(&out, "%s %s\n", report->id, report->address);
    }
    if (!output_write(&out, err))
        return false;
    context_say(context, "the run goes on in the background; 'zproc ps' shows its workers, 'zproc logs' what "
                         "they print, 'zproc down' ends it");
    return true;
}

/* ---- --wait ---- */

struct readiness {
    struct records records;
    size_t waiting;             /* workers that are not ready yet */
    struct str failed_name;     /* of a required worker that failed */
    const struct value *failed; /* its record, NULL: none */
};

/* A job that runs, or did what it was to do, is ready, unless it has a probe that does not hold yet. What
 * nobody has started, and a trigger that waits, is as it should be. */
static bool is_settled(const struct value *record)
{
    static const char *const statuses[] = {"ready", "idle", "succeeded", "skipped", "stopped"};
    for (size_t i = 0; i < LENGTH_OF(statuses); i++)
        if (record_status_is(record, statuses[i]))
            return true;
    return str_is(record_text(record, "kind"), "trigger") && record_status_is(record, "running");
}

static void look(struct readiness *readiness)
{
    struct str name;
    size_t at = 0;
    readiness->waiting = 0;
    readiness->failed = NULL;
    for (const struct value *record; (record = records_next(&readiness->records, &at, &name));) {
        bool optional = map_get(record, STR("optional")) != NULL, failed = record_failed(record);
        if (failed && !optional && !readiness->failed) {
            readiness->failed = record;
            readiness->failed_name = name;
        }
        readiness->waiting += !failed && !is_settled(record);
    }
}

static void changed(void *ctx, struct str name, const struct value *record)
{
    (void)ctx;
    (void)name;
    (void)record;
}

static int wait_ready(struct context *context, struct readiness *readiness, int64_t until_ms, struct err *err)
{
    for (;;) {
        const struct value *run = records_run(&readiness->records);
        look(readiness);
        if (readiness->failed) {
            record_explain(context, readiness->failed_name, readiness->failed);
            return record_exit(readiness->failed);
        }
        if (run && record_ended(run) && record_number(run, "exit") != 0) {
            record_explain(context, STR("the run"), run);
            return (int)record_number(run, "exit");
        }
        if (readiness->waiting == 0 || (run && record_ended(run)))
            return 0;
        if (!records_wait(&readiness->records, until_ms, changed, NULL, err))
            return err->code != ERR_TIMEOUT
                       ? FAILED
                       : (err_set(err, ERR_TIMEOUT, "%zu not ready in time; the run goes on",
                                  readiness->waiting),
                          FAILED);
    }
}

static int wait_up(struct context *context, const struct report *report, int64_t timeout_ms, struct err *err)
{
    struct readiness readiness = {0};
    int64_t until_ms = timeout_ms < 0 ? -1 : time_now_ms() + timeout_ms;
    AUTO_FREE char *logs = mem_text(report->folder);
    *strrchr(logs, '/') = '\0';
    context->address = report->address;
    context->logs = logs;
    int status = records_find(&readiness.records, context, report->space, report->id, err)
                     ? wait_ready(context, &readiness, until_ms, err)
                     : FAILED;
    records_release(&readiness.records);
    context->address = context->logs = NULL;
    return status;
}

static bool options_check(const struct context *context, int64_t *timeout_ms, struct err *err)
{
    const char *timeout = args_value(&context->args, "timeout");
    *timeout_ms = -1;
    if (context->args.dashes <= context->args.operand_count)
        return err_set(err, ERR_INVALID,
                       "only a manifest goes to the background; write the command as a worker");
    if (!timeout)
        return true;
    if (!args_has(&context->args, "wait"))
        return err_set(err, ERR_INVALID, "option '--timeout' needs '--wait'");
    return duration_parse(str_of(timeout), timeout_ms, err) || err_wrap(err, "option '--timeout'");
}

static int run_up(struct context *context, struct err *err)
{
    struct line line = {0};
    struct report report = {0};
    int64_t timeout_ms;
    int status = FAILED;
    if (options_check(context, &timeout_ms, err) &&
        supervisor_line(&line, &context->args, REPORT_TEXT, err) &&
        start(line.items, &report, &status, err) && report_read(&report, err) && tell(context, &report, err))
        status = args_has(&context->args, "wait") ? wait_up(context, &report, timeout_ms, err) : 0;
    line_release(&line);
    buf_release(&report.text);
    return status;
}

const struct command cmd_up = {
    .name = "up",
    .group = GROUP_RUN,
    .usage = "[WORKER...]",
    .operands_max = OPERANDS_ANY,
    .summary = "Run a manifest in the background",
    .notes =
        "Returns when the run's server is up, and prints the run's id and address. With --wait it returns\n"
        "when every service is ready and every job runs or has succeeded: status 0; or when a worker has\n"
        "failed: with that one's status. What the run has to say is in .zproc/logs/latest/run.log.\n"
        "Status 1 when a run is going on in the folder already. Like any run it ends when its jobs have\n"
        "ended, and stops its services then; with services only it goes on until 'zproc down'.\n",
    .options = up_options,
    .examples = "  zproc up\n  zproc up --wait --timeout 1m || zproc down\n",
    .run = run_up,
};

/* zproc-run: the supervisor. Reads the manifest, or says what is wrong with it, and runs it. Started by
 * `zproc run`, which is its guardian. */
#include "run_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* Where this program stands: zproc-server is beside it; zproc too in a build folder, else it is in ../../bin.
 */
static bool find_programs(char **programs, char **path, struct err *err)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        return err_errno(err, errno, "cannot find out where zproc is installed");
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    *programs = mem_text(self[0] ? self : "/");
    AUTO_FREE char *beside = mem_format("%s/zproc", *programs);
    if (access(beside, X_OK) == 0) {
        *path = mem_text(*programs);
        return true;
    }
    AUTO_FREE char *bin = mem_format("%s/../../bin", *programs);
    char whole[PATH_MAX];
    *path = mem_text(realpath(bin, whole) ? whole : *programs);
    return true;
}

static void print_problems(const struct plan_problems *problems, const char *file, bool colour)
{
    AUTO_BUF struct buf text = {0};
    for (size_t i = 0; i < problems->count; i++)
        plan_problem_print(&text, &problems->items[i], colour);
    buf_add_format(&text, "zproc: %s: %zu %s\n", file, problems->count,
                   problems->count == 1 ? "problem" : "problems");
    fd_write_all(STDERR_FILENO, text.data, text.len);
}

static struct plan *load(const struct options *options, bool colour)
{
    struct plan_problems problems = {0};
    if (options->command) {
        const char *slash = strrchr(options->command[0], '/');
        const char *name = slash ? slash + 1 : options->command[0];
        bool fits =
            *name && *name != '-' && *name != '.' && strlen(name) <= 64 && strcmp(name, "run") != 0 &&
            strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(name);
        return plan_command(fits ? name : "command", options->command);
    }
    struct plan_options wanted = {.files = options->manifests,
                                  .file_count = options->manifest_count,
                                  .vars = options->vars,
                                  .var_count = options->var_count,
                                  .keyed = getenv("ZPROC_KEY_FILE") || getenv("ZPROC_SECRET_KEY"),
                                  .workers = options->workers,
                                  .worker_count = options->worker_count};
    struct plan *plan = plan_load(&wanted, &problems);
    if (!plan)
        print_problems(&problems, options->manifest_count ? options->manifests[0] : "zproc.yaml", colour);
    plan_problems_release(&problems);
    return plan;
}

/* Its log is read by people, and knows groups and errors. */
static bool is_github(const struct options *options)
{
    const char *actions = getenv("GITHUB_ACTIONS");
    return actions && strcmp(actions, "true") == 0 && !options->json && options->background < 0;
}

static int act(struct run *run)
{
    const struct options *options = run->options;
    AUTO_BUF struct buf text = {0};
    if (options->check && options->quiet)
        return 0;
    if (options->check)
        buf_add_format(&text, "%s: ok, %zu %s\n", run->plan->file, run->plan->worker_count,
                       run->plan->worker_count == 1 ? "worker" : "workers");
    else if (options->dry_run)
        report_plan(run, &text);
    else
        return run_main(run);
    return fd_write_all(STDOUT_FILENO, text.data, text.len) ? 0 : 125;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err err;
    char *programs = NULL, *path = NULL;
    struct run run = {.options = &options,
                      .control.fd = -1,
                      .folder = {.lock = -1, .taken = -1},
                      .said = -1,
                      .export = {.junit = -1, .events = -1},
                      .server.endpoint.fd = -1,
                      .server.ready = -1};
    int status = 2;
    fd_fill_standard();
    bool ok = options_parse(&options, argc, argv, &err) && find_programs(&programs, &path, &err);
    if (!ok) {
        fprintf(stderr, "zproc: %s\n", err.message);
    } else {
        run.programs = programs;
        run.path = path;
        run.terminal = isatty(STDERR_FILENO) && !getenv("CI");
        run.colour = !options.colourless && fd_takes_colour(STDERR_FILENO);
        run.colour_out = !options.colourless && fd_takes_colour(STDOUT_FILENO);
        run.github = is_github(&options);
        if (run.github && !options.output_given)
            options.output = OUTPUT_GROUP;
        run.plan = load(&options, run.colour);
    }
    if (run.plan) {
        options_apply(&options, run.plan);
        status = act(&run);
    }
    plan_free(run.plan);
    for (size_t i = 0; i < run.plan_count; i++)
        plan_free(run.plans[i]);
    free(run.plans);
    options_release(&options);
    free(programs);
    free(path);
    return status;
}

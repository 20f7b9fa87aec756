/* A run in the background (`zproc up`): the only one of its folder, what it says goes to a log there, and who
 * started it is told when it is up. */
#include "run_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SAID_MS 1000 /* for what is still to be said to who started it */

/* What the supervisor and the server say from now on, to the log; errors of the start still go to who waits
 * for it. */
static bool redirect(struct run *run, const char *path, struct err *err)
{
    AUTO_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    AUTO_FD int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (null < 0 || log < 0)
        return err_errno(err, errno, "cannot write '%s'", path);
    run->said = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    sink_close(&run->out);
    sink_close(&run->errors);
    bool ok = run->said >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
              dup2(log, STDERR_FILENO) >= 0;
    int number = errno;
    sink_open(&run->out, run, STDOUT_FILENO);
    sink_open(&run->errors, run, run->said >= 0 ? run->said : STDERR_FILENO);
    return ok || err_errno(err, number, "cannot go to the background");
}

bool background_enter(struct run *run, struct err *err)
{
    AUTO_FREE char *path = mem_format("%s/run.log", run->folder.run);
    if (!redirect(run, path, err))
        return false;
    control_log(run, path);
    return true;
}

bool background_tell(struct run *run, struct err *err)
{
    int fd = run->options->background;
    AUTO_FREE char *line =
        mem_format("%s\t%s\t%s\t%s\n", run->id, run->records.space ? run->records.space : "", run->folder.run,
                   run->address);
    bool told = fd_write_all(fd, line, strlen(line));
    close(fd);
    if (!told)
        return err_set(err, ERR_INTERNAL, "who started this run did not wait until it was up");
    sink_flush(&run->errors, time_now_ms() + SAID_MS);
    sink_close(&run->errors);
    fd_close(&run->said);
    run->colour = run->colour_out = run->terminal = false;
    sink_open(&run->errors, run, STDERR_FILENO);
    return true;
}

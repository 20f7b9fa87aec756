/* The guardian of a supervisor. It does nothing but wait, so that nothing can go wrong with it: signals come
 * through sigwaitinfo, each is handed on as one byte, and orphans fall to it because it is a subreaper. */
#include "guardian.h"

#include "proc.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_MS 1000 /* for what a killed supervisor leaves behind */

struct guardian {
    sigset_t set, before; /* what is waited for, and what was blocked before */
    int control;          /* our end of the socket to the supervisor */
    int report;           /* what a run in the background inherits, -1: none */
    char *log;            /* where a killed supervisor is told of; NULL: stderr */
    pid_t supervisor;
    bool ended;
    int status; /* as waitpid gives it */
};

static bool prepare(struct guardian *guardian, struct err *err)
{
    struct sigaction hangup;
    sigemptyset(&guardian->set);
    sigaddset(&guardian->set, SIGINT);
    sigaddset(&guardian->set, SIGTERM);
    sigaddset(&guardian->set, SIGQUIT);
    sigaddset(&guardian->set, SIGCHLD);
    /* nohup keeps its meaning. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&guardian->set, SIGHUP);
    signal(SIGCHLD, SIG_DFL);
    if (sigprocmask(SIG_BLOCK, &guardian->set, &guardian->before) != 0)
        return err_errno(err, errno, "cannot block signals");
    return tree_adopt(err);
}

/* In the child: a session of its own, so that a terminal's signals come to the guardian alone, once. */
static void become_supervisor(const struct guardian *guardian, char *const *argv, int control, int failure)
{
    sigset_t mask = guardian->before;
    setsid();
    sigdelset(&mask, SIGCHLD);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (fd_set_cloexec(control, false) && (guardian->report < 0 || fd_set_cloexec(guardian->report, false)))
        execv(argv[0], argv);
    int number = errno;
    (void)!write(failure, &number, sizeof number);
    _exit(127);
}

static bool spawn(struct guardian *guardian, char *const *argv, int control, struct err *err)
{
    int failure[2], number;
    if (pipe2(failure, O_CLOEXEC) != 0)
        return err_errno(err, errno, "cannot make a pipe");
    guardian->supervisor = fork();
    if (guardian->supervisor == 0)
        become_supervisor(guardian, argv, control, failure[1]);
    number = errno;
    close(failure[1]);
    bool forked = guardian->supervisor > 0;
    bool failed = !forked || read(failure[0], &number, sizeof number) == (ssize_t)sizeof number;
    close(failure[0]);
    return !failed || err_errno(err, number, forked ? "cannot start '%s'" : "cannot fork for '%s'", argv[0]);
}

static void reap(struct guardian *guardian)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == guardian->supervisor) {
            guardian->ended = true;
            guardian->status = status;
        }
}

static void wait_end(struct guardian *guardian)
{
    while (!guardian->ended) {
        int number = sigwaitinfo(&guardian->set, NULL);
        if (number == SIGCHLD)
            reap(guardian);
        unsigned char byte = (unsigned char)number;
        if (number > 0 && number != SIGCHLD)
            (void)!send(guardian->control, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* One line of what the supervisor left word of: a path, a tab, and what the file must hold ("" for anything).
 */
static void remove_left(char *line)
{
    char *tab = strchr(line, '\t');
    if (!tab)
        return;
    *tab = '\0';
    AUTO_BUF struct buf text = {0};
    struct stat st;
    if (tab[1] == '\0' && lstat(line, &st) == 0 && S_ISDIR(st.st_mode))
        bounds_remove(line);
    else if (tab[1] == '\0' && lstat(line, &st) == 0 && S_ISSOCK(st.st_mode) && socket_is_dead(line))
        unlink(line);
    else if (tab[1] != '\0' && file_read(line, 4096, &text, NULL) && text.len == strlen(tab + 1) + 1 &&
             memcmp(text.data, tab + 1, text.len - 1) == 0)
        unlink(line);
}

/* A supervisor that comes to its end in order says so with a last line "." and leaves nothing: what stands
 * there now is another's. */
static bool is_in_order(const struct buf *text)
{
    static const char word[] = "\n.\n";
    size_t len = sizeof word - 1;
    return text->len < len ? str_equal(buf_str(text), str_of(".\n"))
                           : memcmp(text->data + text->len - len, word, len) == 0;
}

static void remove_all_left(struct guardian *guardian)
{
    AUTO_BUF struct buf text = {0};
    char *rest = NULL;
    ssize_t got;
    buf_add_text(&text, "");
    while ((got = recv(guardian->control, buf_reserve(&text, 4096), 4096, MSG_DONTWAIT)) > 0)
        buf_commit(&text, (size_t)got);
    bool in_order = is_in_order(&text);
    for (char *line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '>' && !guardian->log)
            guardian->log = mem_text(line + 1);
        else if (!in_order)
            remove_left(line);
    }
}

static int clean_up(struct guardian *guardian)
{
    size_t left = tree_kill_all(time_now_ms() + KILL_MS, PROC_SPARED);
    remove_all_left(guardian);
    if (WIFEXITED(guardian->status))
        return WEXITSTATUS(guardian->status);
    int number = WTERMSIG(guardian->status);
    AUTO_BUF struct buf line = {0};
    buf_add_format(&line, "zproc: the supervisor was killed by signal %d (%s); ", number, strsignal(number));
    if (left == 0)
        buf_add_text(&line, "everything it had started was ended\n");
    else
        buf_add_format(&line, "%zu processes that it had started could not be ended\n", left);
    AUTO_FD int log = guardian->log ? open(guardian->log, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC) : -1;
    (void)fd_write_all(log >= 0 ? log : STDERR_FILENO, line.data, line.len);
    return 125;
}

/* Whoever reads our output is not to wait for our end. */
static void go_silent(struct guardian *guardian)
{
    AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++)
        dup2(null, fd);
    fd_close(&guardian->report);
}

static char **with_control(char *const *argv, char *number)
{
    size_t count = 0;
    while (argv[count])
        count++;
    char **all = mem_array(count + 3, sizeof *all);
    all[0] = argv[0];
    all[1] = (char *)"--control"; /* exec does not write to it, whatever its type says */
    all[2] = number;
    memcpy(all + 3, argv + 1, (count - 1) * sizeof *all);
    return all;
}

int guardian_run(char *const *argv, struct err *err)
{
    return guardian_run_background(argv, -1, err);
}

int guardian_run_background(char *const *argv, int report, struct err *err)
{
    struct guardian guardian = {.control = -1, .report = report};
    int ends[2];
    char number[16];
    if (!prepare(&guardian, err))
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        err_errno(err, errno, "cannot make a socket pair");
        return -1;
    }
    guardian.control = ends[0];
    snprintf(number, sizeof number, "%d", ends[1]);
    char **all = with_control(argv, number);
    bool ok = spawn(&guardian, all, ends[1], err);
    free(all);
    close(ends[1]);
    if (!ok)
        return -1;
    if (report >= 0)
        go_silent(&guardian);
    wait_end(&guardian);
    int status = clean_up(&guardian);
    free(guardian.log);
    return status;
}

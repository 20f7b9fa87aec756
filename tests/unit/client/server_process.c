#include "server_process.h"

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void server_process_start(struct server_process *server, const char *address)
{
    server_process_start_kept(server, address, NULL);
}

void server_process_start_kept(struct server_process *server, const char *address, const char *folder)
{
    int ends[2];
    char ready[128];
    snprintf(server->address, sizeof server->address, "%s", address);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(ZPROC_SERVER, ZPROC_SERVER, "--address", address, folder ? "--persist" : (char *)NULL, folder,
              "--durability", "process", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    /* It tells its address when it serves. */
    assert_true(read(ends[0], ready, sizeof ready) > 0);
    close(ends[0]);
}

void server_process_end(struct server_process *server, int signal)
{
    int status;
    kill(server->pid, signal);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
}

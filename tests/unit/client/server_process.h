/* A zproc-server process of its own for tests of the public API, by nothing but libc. */
#ifndef ZPROC_TEST_SERVER_PROCESS_H
#define ZPROC_TEST_SERVER_PROCESS_H

#include <sys/types.h>

struct server_process {
    pid_t pid;
    char address[128];
};

/* Starts one at an address (ipc://@…) and waits until it serves; fails the test otherwise. */
void server_process_start(struct server_process *server, const char *address);
/* The same for one that keeps its state in a folder. */
void server_process_start_kept(struct server_process *server, const char *address, const char *folder);
/* Ends it by a signal and reaps it. */
void server_process_end(struct server_process *server, int signal);

#endif

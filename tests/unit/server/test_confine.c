/* What a confined server can still touch; in a child each, since it is for good. */
#include "../unit.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static bool can_open(const char *path, int flags)
{
    AUTO_FD int fd = open(path, flags | O_CLOEXEC, 0600);
    return fd >= 0;
}

static bool can_bind(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&name, sizeof name) == 0;
}

static void *touches_others(void *data)
{
    static char touched;
    (void)data;
    return can_open("/etc/passwd", O_RDONLY) || can_open("outside", O_WRONLY | O_CREAT) ? &touched : NULL;
}

/* The number of the first expectation that does not hold; 0: all do. */
static int confined(const struct server_options *options)
{
    struct err err = {0};
    pthread_t thread;
    void *touched = NULL;
    if (!server_confine(options, &err))
        return 1;
    if (touches_others(NULL))
        return 2;
    if (pthread_create(&thread, NULL, touches_others, NULL) != 0 || pthread_join(thread, &touched) != 0 ||
        touched)
        return 3;
    if (execl("/bin/true", "true", (char *)NULL) == 0 || errno != EACCES)
        return 4;
    if (kill(getppid(), 0) == 0 && syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 6)
        return 5;
    if (can_bind("s/socket") != (strcmp(options->address, "ipc://s/socket") == 0))
        return 6;
    if (can_bind("elsewhere"))
        return 7;
    if (can_open("state/file", O_RDWR | O_CREAT) != (options->persist != NULL))
        return 8;
    if (options->persist && (rename("state/file", "state/other") != 0 || truncate("state/other", 0) != 0 ||
                             unlink("state/other")))
        return 9;
    return 0;
}

static void holds(const struct server_options *options)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 3) {
        print_message("this kernel has no Landlock, or an old one\n");
        skip();
    }
    pid_t pid = fork();
    if (pid == 0)
        _exit(confined(options));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void in_memory(void **state)
{
    (void)state;
    assert_int_equal(mkdir("state", 0700), 0);
    assert_int_equal(mkdir("s", 0700), 0);
    holds(&(struct server_options){.address = "ipc://@name", .listen_fd = -1});
    holds(&(struct server_options){.address = "tcp://127.0.0.1:0", .listen_fd = -1});
    holds(&(struct server_options){.address = "ipc://s/inherited", .listen_fd = 0});
}

static void with_a_folder(void **state)
{
    (void)state;
    holds(&(struct server_options){.address = "ipc://@name", .listen_fd = -1, .persist = "state"});
}

static void with_a_socket(void **state)
{
    (void)state;
    holds(&(struct server_options){.address = "ipc://s/socket", .listen_fd = -1, .persist = "state"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(with_a_folder),
        cmocka_unit_test(with_a_socket),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

/* worker FIFO: writes its pid when it runs, and goes on until it is ended. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    pid_t pid = getpid();
    if (fd < 0 || write(fd, &pid, sizeof pid) != sizeof pid)
        return 1;
    close(fd);
    for (;;)
        pause();
}

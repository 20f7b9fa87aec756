/* worker FIFO: says by one byte that it runs, and goes on until it is ended. */
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0 || write(fd, ".", 1) != 1)
        return 1;
    close(fd);
    for (;;)
        pause();
}

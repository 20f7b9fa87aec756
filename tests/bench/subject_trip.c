/* trip PATH: one round trip over a Unix socket in a fresh, dynamically linked process. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char answer[256];
    if (argc != 2 || strlen(argv[1]) >= sizeof name.sun_path)
        return 2;
    strcpy(name.sun_path, argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) != 0 ||
        write(fd, "get answer\n", 11) != 11)
        return 1;
    ssize_t len = read(fd, answer, sizeof answer);
    return len > 0 && write(STDOUT_FILENO, answer, (size_t)len) == len ? 0 : 1;
}

/* echo unix PATH | echo zmq ENDPOINT: sends back what it gets; the peers of the benchmark's round trips. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

/* One message a connection: as little as a server can do. */
static int serve_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return 2;
    strcpy(name.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&name, sizeof name) != 0 ||
        listen(listener, 128) != 0)
        return 1;
    for (;;) {
        char message[256];
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return 1;
        ssize_t len = recv(fd, message, sizeof message, 0);
        if (len > 0)
            (void)send(fd, message, (size_t)len, MSG_NOSIGNAL);
        close(fd);
    }
}

static int serve_zmq(const char *endpoint)
{
    void *context = zmq_ctx_new();
    void *router = zmq_socket(context, ZMQ_ROUTER);
    if (!router || zmq_bind(router, endpoint) != 0)
        return 1;
    for (;;) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, router, 0) < 0)
            return 1;
        bool more = zmq_msg_more(&part);
        if (zmq_msg_send(&part, router, more ? ZMQ_SNDMORE : 0) < 0)
            return 1;
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "unix") == 0)
        return serve_unix(argv[2]);
    if (argc == 3 && strcmp(argv[1], "zmq") == 0)
        return serve_zmq(argv[2]);
    return 2;
}

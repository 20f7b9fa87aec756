/* The socket that the state server listens on. The supervisor binds it, so that a live server's address is
 * never taken over and the file is removed whatever happens to the server. */
#include "run_priv.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool is_loopback(const struct sockaddr *name)
{
    if (name->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)name)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)name)->sin6_addr);
}

bool endpoint_is_open_to_all(const struct endpoint *endpoint)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    return getsockname(endpoint->fd, (struct sockaddr *)&name, &len) == 0 &&
           (name.ss_family == AF_INET || name.ss_family == AF_INET6) &&
           !is_loopback((struct sockaddr *)&name);
}

static bool bind_tcp(struct endpoint *endpoint, struct address *address, bool insecure, struct err *err)
{
    bool any = strcmp(address->host, "*") == 0;
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    struct addrinfo hints = {.ai_family = any ? AF_INET : AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int failed = getaddrinfo(any ? NULL : address->host, port, &hints, &found);
    if (failed)
        return err_set(err, ERR_INVALID, "cannot find the host '%s': %s", address->host,
                       gai_strerror(failed));
    bool ok = false;
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    endpoint->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!insecure && !is_loopback(found->ai_addr))
        err_set(err, ERR_DENIED,
                "'tcp://%s:%s' can be reached from other machines and there is no secret key; set "
                "server.secret_key_file (see zproc keygen), or use 127.0.0.1, or set server.insecure: true",
                address->host, port);
    else if (endpoint->fd < 0)
        err_errno(err, errno, "cannot make a socket");
    else if (setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
             bind(endpoint->fd, found->ai_addr, found->ai_addrlen) != 0 ||
             getsockname(endpoint->fd, (struct sockaddr *)&name, &len) != 0)
        err_errno(err, errno, "cannot bind 'tcp://%s:%s'", address->host, port);
    else if (listen(endpoint->fd, SOMAXCONN) != 0)
        err_errno(err, errno, "cannot listen at 'tcp://%s:%s'", address->host, port);
    else
        ok = true;
    freeaddrinfo(found);
    if (!ok)
        return false;
    in_port_t bound = name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
                                                : ((struct sockaddr_in6 *)&name)->sin6_port;
    address->port = ntohs(bound);
    if (any)
        snprintf(address->host, sizeof address->host, "127.0.0.1"); /* where the run's own workers find it */
    return true;
}

static bool endpoint_bind(struct run *run, struct err *err)
{
    struct endpoint *endpoint = &run->server.endpoint;
    const char *wanted = run->plan->server.address;
    bool insecure = run->plan->server.insecure || run->key.given;
    struct address address;
    if (wanted ? !address_parse(wanted, &address, err) : !address_new(&address, err))
        return false;
    if (address.kind == ADDRESS_IPC && address.path[0] != '/') {
        /* Workers may run in another folder: they need the whole path. */
        AUTO_FREE char *whole = mem_format("ipc://%s/%s", run->plan->dir, address.path);
        if (!address_parse(whole, &address, err))
            return false;
    }
    if (address.kind == ADDRESS_TCP && !bind_tcp(endpoint, &address, insecure, err))
        return false;
    struct buf text = {0};
    address_print(&text, &address);
    endpoint->address = buf_detach(&text);
    if (address.kind == ADDRESS_IPC)
        control_leave(run, address.path, NULL); /* before it is there: a kill can come at any moment */
    if (address.kind != ADDRESS_TCP)
        endpoint->fd = socket_listen(&address, &endpoint->file, err);
    return endpoint->fd >= 0;
}

bool endpoint_open(struct run *run, struct err *err)
{
    run->server.endpoint = (struct endpoint){.fd = -1};
    if (endpoint_bind(run, err))
        return true;
    endpoint_close(&run->server.endpoint);
    return false;
}

void endpoint_close(struct endpoint *endpoint)
{
    socket_file_remove(&endpoint->file);
    fd_close(&endpoint->fd);
    free(endpoint->address);
    *endpoint = (struct endpoint){.fd = -1};
}

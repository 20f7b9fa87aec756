/* The state server and its peers, each on a Unix socket of its own in the benchmark's folder. */
#include "bench.h"

#include <stdlib.h>

static bool start(const struct command *command, struct server *server, const char **why)
{
    server->pid = process_start(command);
    if (server->pid > 0 && socket_wait(server->path, server->pid))
        return true;
    *why = "its server did not start";
    return false;
}

static void name_sockets(const struct bench *bench, const char *name, struct server *server)
{
    *server = (struct server){.pid = -1, .path = mem_format("%s/%s.socket", bench->folder, name)};
    server->address = mem_format("ipc://%s", server->path);
}

bool server_open(struct bench *bench, const char *name, struct server *server, const char **why)
{
    name_sockets(bench, name, server);
    AUTO_FREE char *program = program_in(bench->bin, "zproc-server");
    *why = "zproc-server is not built";
    struct command command = {{program, "--address", server->address}};
    if (program && start(&command, server, why))
        return true;
    server_shut(server);
    return false;
}

bool server_open_durable(struct bench *bench, const char *durability, struct server *server, const char **why)
{
    if (strcmp(durability, "none") == 0)
        return server_open(bench, durability, server, why);
    AUTO_FREE char *program = program_in(bench->bin, "zproc-server");
    AUTO_FREE char *folder = mem_format("%s/state-%s", bench->folder, durability);
    name_sockets(bench, durability, server);
    struct command command = {
        {program, "--address", server->address, "--persist", folder, "--durability", durability}};
    *why = "zproc-server is not built";
    if (program && start(&command, server, why))
        return true;
    if (program)
        *why = "zproc-server does not keep a state (--persist)";
    server_shut(server);
    return false;
}

bool redis_open(struct bench *bench, struct server *server, const char **why)
{
    name_sockets(bench, "redis", server);
    AUTO_FREE char *program = program_in_path("redis-server");
    *why = "redis-server is not installed (make deps-bench)";
    struct command command = {{program, "--port", "0", "--unixsocket", server->path, "--save", "",
                               "--appendonly", "no", "--dir", bench->folder}};
    if (program && start(&command, server, why))
        return true;
    server_shut(server);
    return false;
}

bool echo_open(struct bench *bench, const char *kind, struct server *server, const char **why)
{
    name_sockets(bench, kind, server);
    AUTO_FREE char *program = program_in(bench->own, "bench_echo");
    *why = "bench_echo is not built";
    const char *where = strcmp(kind, "zmq") == 0 ? server->address : server->path;
    struct command command = {{program, kind, where}};
    if (program && start(&command, server, why))
        return true;
    server_shut(server);
    return false;
}

void server_shut(struct server *server)
{
    process_end(server->pid);
    free(server->path);
    free(server->address);
    *server = (struct server){.pid = -1};
}

/* ---- Requests ---- */

static bool ask(struct client *client, struct request *request, struct str value)
{
    struct reply reply;
    struct err err = {0};
    if (!client_do(client, request, value, 10000, &reply, &err)) {
        fprintf(stderr, "bench: %s\n", err.message);
        return false;
    }
    reply_release(&reply);
    return true;
}

bool ask_get(struct client *client, const char *key)
{
    struct request request = {.operation = OP_get};
    request_set_str(&request, FIELD_key, str_of(key));
    return ask(client, &request, (struct str){0});
}

bool ask_set(struct client *client, const char *key, const char *value)
{
    struct request request = {.operation = OP_set};
    request_set_str(&request, FIELD_key, str_of(key));
    return ask(client, &request, str_of(value));
}

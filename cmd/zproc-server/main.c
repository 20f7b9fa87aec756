/* zproc-server: the state server. Started by `zproc server` and by the supervisor of a run; tells its address
 * when it serves. */
#include "server.h"
#include "wire.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct settings {
    struct server_options options;
    int ready_fd;
    struct secret secret;
    char *made; /* the address that was made up; owned */
};

static const struct option long_options[] = {
    {"address", required_argument, NULL, 'a'},     {"listen-fd", required_argument, NULL, 'l'},
    {"ready-fd", required_argument, NULL, 'r'},    {"log-limit", required_argument, NULL, 'L'},
    {"state-limit", required_argument, NULL, 'S'}, {"durability", required_argument, NULL, 'D'},
    {"persist", required_argument, NULL, 'P'},     {"repair", no_argument, NULL, 'R'},
    {"insecure", no_argument, NULL, 'i'},          {NULL, 0, NULL, 0},
};

static bool fd_read(const char *text, int *fd, struct err *err)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || end == text || number < 0 || number > 1 << 20)
        return err_set(err, ERR_INVALID, "'%s' is not a descriptor", text);
    *fd = (int)number;
    return true;
}

static bool limit_read(const char *name, const char *text, int64_t *bytes, struct err *err)
{
    if (!size_parse(str_of(text), bytes, err))
        return err_wrap(err, "'%s'", name);
    return *bytes >= STORE_LIMIT_MIN ||
           err_set(err, ERR_INVALID, "'%s %s' is too little to work with; give it at least %d KiB", name,
                   text, STORE_LIMIT_MIN / 1024);
}

static bool setting_read(struct settings *settings, int option, const char *text, struct err *err)
{
    switch (option) {
    case 'a':
        settings->options.address = text;
        return true;
    case 'l':
        return fd_read(text, &settings->options.listen_fd, err);
    case 'r':
        return fd_read(text, &settings->ready_fd, err);
    case 'L':
        return limit_read("--log-limit", text, &settings->options.log_limit, err);
    case 'S':
        return limit_read("--state-limit", text, &settings->options.state_limit, err);
    case 'D':
        settings->options.durability = durability_from_name(str_of(text));
        return settings->options.durability != DURABILITY_COUNT ||
               err_set(err, ERR_INVALID, "durability '%s' is none of always, second, process and none", text);
    case 'P':
        settings->options.persist = text;
        return true;
    case 'R':
        settings->options.repair = true;
        return true;
    case 'i':
        settings->options.insecure = true;
        return true;
    default:
        return err_set(err, ERR_INVALID, "wrong usage; see 'zproc server --help'");
    }
}

static bool settings_read(struct settings *settings, int argc, char **argv, struct err *err)
{
    struct server_options *options = &settings->options;
    opterr = 0;
    options->durability = DURABILITY_COUNT;
    for (int option; (option = getopt_long(argc, argv, "+a:", long_options, NULL)) != -1;)
        if (!setting_read(settings, option, optarg, err))
            return false;
    if (optind < argc)
        return err_set(err, ERR_INVALID, "unexpected operand '%s'; see 'zproc server --help'", argv[optind]);
    if (options->durability == DURABILITY_COUNT)
        options->durability = options->persist ? DURABILITY_PROCESS : DURABILITY_NONE;
    if (options->persist && options->durability == DURABILITY_NONE)
        return err_set(err, ERR_INVALID, "'--durability none' keeps nothing; leave '--persist' out");
    if (!options->persist && (options->durability != DURABILITY_NONE || options->repair))
        return err_set(err, ERR_INVALID, "'%s' needs a folder; add --persist DIR",
                       options->repair ? "--repair" : "--durability");
    return true;
}

static bool address_make(struct settings *settings, struct err *err)
{
    struct address address;
    struct buf text = {0};
    if (!address_new(&address, err))
        return false;
    address_print(&text, &address);
    settings->options.address = settings->made = buf_detach(&text);
    return true;
}

static bool address_tell(const char *address, int fd, struct err *err)
{
    AUTO_FREE char *line = mem_format("%s\n", address);
    return fd_write_all(fd, line, strlen(line)) || err_errno(err, errno, "cannot tell the address");
}

static bool secret_read(struct settings *settings, struct err *err)
{
    bool given;
    if (!secret_from_env(&settings->secret, &given, err))
        return false;
    settings->options.secret = given ? &settings->secret : NULL;
    return true;
}

static bool serve(struct settings *settings, int stop_fd, struct err *err)
{
    if (!settings->options.address && !address_make(settings, err))
        return false;
/* The sanitizers' report at the end reads files. */
#ifndef __SANITIZE_ADDRESS__
    if (!server_confine(&settings->options, err))
        return false;
#endif
    struct server *server = server_new(&settings->options, err);
    if (!server)
        return false;
    bool ok = address_tell(server_address(server), settings->ready_fd, err);
    if (settings->ready_fd != STDOUT_FILENO)
        fd_close(&settings->ready_fd);
    ok = ok && server_run(server, stop_fd, err);
    server_free(server);
    return ok;
}

int main(int argc, char **argv)
{
    struct settings settings = {.options = {.listen_fd = -1, .log_limit = 64 << 20, .state_limit = 1 << 30},
                                .ready_fd = STDOUT_FILENO};
    struct err err = {0};
    sigset_t signals;
    fd_fill_standard();
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    AUTO_FD int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    bool ok = stop_fd >= 0 ? settings_read(&settings, argc, argv, &err) && secret_read(&settings, &err) &&
                                 serve(&settings, stop_fd, &err)
                           : err_errno(&err, errno, "cannot wait for signals");
    free(settings.made);
    if (ok)
        return 0;
    fprintf(stderr, "zproc: server: %s\n", err.message);
    return err_code_status(err.code);
}

/* The user that a worker runs as: who that is, and what is wrong with it before anything starts. */
#include "run_priv.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

static bool parse_id(const char *text, unsigned *id)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *id = (unsigned)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number < UINT_MAX;
}

static bool find_group(struct account *account, const char *name, struct err *err)
{
    const struct group *group;
    if (parse_id(name, &account->user.gid))
        return true;
    errno = 0;
    if (!(group = getgrnam(name)))
        return err_set(err, ERR_NOT_FOUND, "there is no group '%s'", name);
    account->user.gid = group->gr_gid;
    return true;
}

static void find_groups(struct account *account, const char *name)
{
    int count = 64;
    account->groups = mem_array((size_t)count, sizeof *account->groups);
    if (getgrouplist(name, account->user.gid, account->groups, &count) < 0) {
        account->groups = mem_resize(account->groups, (size_t)count, sizeof *account->groups);
        getgrouplist(name, account->user.gid, account->groups, &count);
    }
    account->user.groups = account->groups;
    account->user.group_count = (size_t)count;
}

bool account_find(struct account *account, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    AUTO_FREE char *name = mem_copy(text, colon ? (size_t)(colon - text) : strlen(text));
    *account = (struct account){.user.name = text};
    bool number = parse_id(name, &account->user.uid);
    const struct passwd *entry = number ? getpwuid(account->user.uid) : getpwnam(name);
    if (!entry && !number)
        return err_set(err, ERR_NOT_FOUND, "there is no user '%s'", name);
    if (!entry && !colon)
        return err_set(err, ERR_INVALID, "there is no user %s whose group could be taken; write UID:GID",
                       name);
    account->login = mem_text(entry ? entry->pw_name : name);
    account->home = mem_text(entry ? entry->pw_dir : "/");
    if (entry)
        account->user.uid = entry->pw_uid;
    account->user.gid = entry ? entry->pw_gid : 0;
    if (colon && !find_group(account, colon + 1, err))
        return false;
    if (entry)
        find_groups(account, account->login);
    return true;
}

void account_release(struct account *account)
{
    free(account->login);
    free(account->home);
    free(account->groups);
    *account = (struct account){0};
}

static bool check(const struct run *run, const struct plan_worker *worker, struct err *err)
{
    struct account account;
    bool ok = account_find(&account, worker->user, err);
    uid_t uid = account.user.uid;
    account_release(&account);
    if (!ok)
        return false;
    if (geteuid() != 0)
        return err_set(err, ERR_DENIED,
                       "to run as another user needs root; leave 'user' out or run zproc as root");
    if (uid != 0 && worker->stateful && strncmp(run->address, "tcp:", 4) != 0)
        return err_set(
            err, ERR_DENIED,
            "this user cannot reach the state at '%s', which is root's alone; set 'stateful: false', "
            "or server.address to tcp://127.0.0.1:PORT",
            run->address);
    return true;
}

bool accounts_check(const struct run *run, const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->worker_count; i++) {
        const struct plan_worker *worker = &plan->workers[i];
        if (worker->user && !check(run, worker, err))
            return err_wrap(err, "%s:%zu: the worker '%s' has 'user: %s'", worker->place.file,
                            worker->place.line, worker->name, worker->user);
    }
    return true;
}

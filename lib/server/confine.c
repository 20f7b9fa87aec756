/* What the server may still touch once it serves strangers: its socket, and the folder that keeps the state.
 * Landlock (Linux 5.13 and later); where the kernel has none, nothing is taken away. */
#include "server_priv.h"

#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Later than the headers that this may be built with. */
#define ACCESS_REFER    (1ULL << 13)
#define ACCESS_TRUNCATE (1ULL << 14)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT  (1ULL << 0)
#define SCOPE_SIGNAL    (1ULL << 1)
struct rules {
    uint64_t fs, net, scope;
};

/* What the kernel's version of Landlock can forbid: all of it is forbidden. */
static size_t rules_known(long version, struct rules *rules)
{
    *rules = (struct rules){.fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1};
    if (version >= 2)
        rules->fs |= ACCESS_REFER;
    if (version >= 3)
        rules->fs |= ACCESS_TRUNCATE;
    if (version >= 4)
        rules->net = NET_CONNECT_TCP;
    if (version >= 6)
        rules->scope = SCOPE_ABSTRACT | SCOPE_SIGNAL;
    return version >= 6 ? sizeof *rules : version >= 4 ? offsetof(struct rules, scope) : sizeof rules->fs;
}

static bool allow(int ruleset, const char *path, uint64_t access, struct err *err)
{
    AUTO_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct landlock_path_beneath_attr beneath = {.allowed_access = access, .parent_fd = fd};
    if (fd < 0)
        return err_errno(err, errno, "cannot open the folder '%s'", path);
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 ||
           err_errno(err, errno, "cannot allow the folder '%s'", path);
}

/* The folder of a socket that the server binds and removes itself. */
static bool socket_allow(int ruleset, const struct server_options *options, struct err *err)
{
    struct address address;
    struct stat st;
    if (options->listen_fd >= 0 || !address_parse(options->address, &address, NULL) ||
        address.kind != ADDRESS_IPC)
        return true;
    char *slash = strrchr(address.path, '/');
    if (slash)
        slash[slash == address.path] = '\0';
    const char *folder = slash ? address.path : ".";
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return true; /* binding tells */
    return allow(ruleset, folder, LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE, err);
}

/* The folder of the state; and which boot of the machine this is, which the state's recovery asks. */
static bool persist_allow(int ruleset, const char *folder, uint64_t access, struct err *err)
{
    return !folder || (dir_make(folder, 0700, err) && allow(ruleset, folder, access, err) &&
                       allow(ruleset, "/proc/sys/kernel/random", LANDLOCK_ACCESS_FS_READ_FILE, err));
}

bool server_confine(const struct server_options *options, struct err *err)
{
    struct rules rules;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return true;
    size_t size = rules_known(version, &rules);
    AUTO_FD int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0)
        return true;
    if (!persist_allow(ruleset, options->persist, rules.fs, err) || !socket_allow(ruleset, options, err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return err_errno(err, errno, "cannot give up rights (Landlock)");
    return true;
}

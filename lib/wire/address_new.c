/* Addresses for new servers: a socket in a folder that only this user can enter. */
#include "wire_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A socket's name has room for 107 bytes. */
#define FOLDER_MAX 64

static bool folder_own(const char *path, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_errno(
            err, errno,
            "cannot make the folder '%s' for sockets (TMPDIR or XDG_RUNTIME_DIR names another place)", path);
    if (lstat(path, &st) != 0)
        return err_errno(err, errno, "cannot look at the folder '%s'", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return err_set(err, ERR_DENIED,
                       "'%s' is not a folder that only you can use; remove it or set XDG_RUNTIME_DIR", path);
    return true;
}

/* What the environment names may be gone, another user's (after su) or too deep for a socket. */
static bool folder_fits(const char *path, struct stat *st)
{
    return path && path[0] == '/' && strlen(path) < FOLDER_MAX && stat(path, st) == 0 && S_ISDIR(st->st_mode);
}

static char *folder_path(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *temporary = getenv("TMPDIR");
    struct stat st;
    if (folder_fits(runtime, &st) && st.st_uid == geteuid())
        return mem_format("%s/zproc", runtime);
    return mem_format("%s/zproc-%ld", folder_fits(temporary, &st) ? temporary : "/tmp", (long)geteuid());
}

bool address_new(struct address *address, struct err *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    AUTO_FREE char *folder = folder_path();
    if (!folder_own(folder, err))
        return false;
    sockets_sweep(folder);
    unsigned char random[12];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_errno(err, errno, "cannot get random bytes");
    char name[sizeof random + 1] = {0};
    for (size_t i = 0; i < sizeof random; i++)
        name[i] = letters[random[i] % 32];
    *address = (struct address){.kind = ADDRESS_IPC};
    snprintf(address->path, sizeof address->path, "%s/%s", folder, name);
    return true;
}

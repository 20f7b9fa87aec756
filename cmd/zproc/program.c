/* Where the other programs of zproc are. */
#include "command.h"

#include <errno.h>
#include <unistd.h>

char *program_find(const char *name, struct err *err)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path);
    const char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (!slash) {
        err_errno(err, errno, "cannot find this program's own folder");
        return NULL;
    }
    char *beside = mem_format("%.*s/%s", (int)(slash - path), path, name);
    if (access(beside, X_OK) == 0)
        return beside;
    AUTO_FREE char *not_there = beside;
    char *installed = mem_format("%.*s/../libexec/zproc/%s", (int)(slash - path), path, name);
    if (access(installed, X_OK) == 0)
        return installed;
    AUTO_FREE char *neither = installed;
    err_errno(err, errno, "cannot find '%s', neither as '%s' nor as '%s'", name, not_there, neither);
    return NULL;
}

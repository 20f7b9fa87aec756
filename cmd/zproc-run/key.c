/* The secret key of the run: where it comes from, and the file that workers are told of. */
#include "run_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* A file of the run's own, beside its sockets: for a key that came as text, and for a passphrase, which is
 * stretched once here instead of in every worker's command. */
static bool file_make(struct run *run, struct err *err)
{
    char text[SECRET_TEXT_SIZE];
    struct address place;
    if (!address_new(&place, err))
        return err_wrap(err, "no place for the key file of the workers");
    run->key.file = mem_format("%s.key", place.path);
    run->key.file_ours = true;
    run->key.lock = -1;
    secret_print(&run->key.secret, text);
    control_leave(run, run->key.file, text);
    if (!secret_write(run->key.file, text, err))
        return false;
    run->key.lock = open(run->key.file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (run->key.lock >= 0)
        flock(run->key.lock, LOCK_SH | LOCK_NB);
    return true;
}

static bool file_name(struct run *run, const char *path, struct err *err)
{
    if (!path || run->key.secret.stretched)
        return file_make(run, err);
    run->key.file = realpath(path, NULL);
    return run->key.file || err_set(err, ERR_INVALID, "the key file '%s' is gone", path);
}

bool key_open(struct run *run, struct err *err)
{
    const char *named = run->plan->server.secret_key_file;
    AUTO_FREE char *below = named && named[0] != '/' ? mem_format("%s/%s", run->plan->dir, named) : NULL;
    const char *text = getenv("ZPROC_SECRET_KEY");
    const char *path = text && *text ? NULL : getenv("ZPROC_KEY_FILE");
    if (!secret_from_env(&run->key.secret, &run->key.given, err))
        return false;
    if (!run->key.given && named) {
        path = below ? below : named;
        if (!secret_from_file(path, &run->key.secret, err))
            return err_wrap(err, "server.secret_key_file");
        run->key.given = true;
    }
    if (run->key.given && !file_name(run, path, err))
        return false;
    /* The server finds it where every program of zproc does. */
    if (run->key.given)
        setenv("ZPROC_KEY_FILE", run->key.file, 1);
    else
        unsetenv("ZPROC_KEY_FILE");
    return true;
}

const struct secret *key_of(const struct run *run)
{
    return run->key.given ? &run->key.secret : NULL;
}

void key_close(struct run *run)
{
    if (run->key.file_ours) {
        unlink(run->key.file);
        fd_close(&run->key.lock);
    }
    free(run->key.file);
    secret_wipe(&run->key.secret);
}

/* The folder .zproc: where the server's address is recorded while a run goes on, and where logs are kept. */
#include "run_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME_MAX 180 /* a file system takes 255, and more is put behind it */
#define RECORD_MAX    4096
#define ANSWER_MS     500 /* a server that says nothing for so long is not one to lead others to */

void file_name_add(struct buf *buf, const struct task *task)
{
    static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,-+=@[]()";
    size_t start = buf->len;
    for (const char *at = task->name; *at && buf->len - start < FILE_NAME_MAX; at++)
        if (strchr(kept, *at))
            buf_add_char(buf, *at);
        else
            buf_add_format(buf, "%%%02X", (unsigned char)*at);
    if (buf->len - start >= FILE_NAME_MAX)
        buf_add_format(buf, "~%u", task->number); /* a '~' of the name itself is "%7E" */
}

void run_id_make(char id[32])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    int64_t now_ms = time_wall_ms();
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    size_t len = strftime(id, 20, "%Y%m%d-%H%M%S-", &tm);
    len += (size_t)snprintf(id + len, 4, "%03d", (int)(now_ms % 1000));
    unsigned char random[6];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort(); /* six bytes never come short once the pool is ready */
    for (size_t i = 0; i < sizeof random; i++)
        id[len + i] = letters[random[i] % 32];
    id[len + sizeof random] = '\0';
}

bool file_replace(const char *path, struct str text, struct err *err)
{
    AUTO_FREE char *aside = mem_format("%s.%ld", path, (long)getpid());
    unlink(aside); /* of an earlier process with our number */
    AUTO_FD int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, errno, "cannot write '%s'", aside);
    if (fd_write_all(fd, text.data, text.len) && rename(aside, path) == 0)
        return true;
    err_errno(err, errno, "cannot write '%s'", path);
    unlink(aside);
    return false;
}

/* Keeps what zproc writes out of version control. */
static void write_gitignore(const char *root)
{
    AUTO_FREE char *path = mem_format("%s/.gitignore", root);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0 && !fd_write_all(fd, "*\n", 2))
        unlink(path);
}

/* "20261123-054200-123nazxyi": the form that run_id_make gives; in the order of the runs' beginnings. */
static int is_run_id(const struct dirent *entry)
{
    static const char form[] = "dddddddd-dddddd-dddxxxxxx";
    const char *name = entry->d_name;
    for (size_t i = 0; i < sizeof form; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9', letter = name[i] >= 'a' && name[i] <= 'z';
        bool fits = form[i] == 'd' ? digit : form[i] == 'x' ? digit || letter : name[i] == form[i];
        if (!fits)
            return 0;
    }
    return 1;
}

/* The files of a run and its folder; what is not a plain file there stays, and so does the folder then. */
static void remove_run(const char *logs, const char *id)
{
    AUTO_FREE char *path = mem_format("%s/%s", logs, id);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    bool runs = flock(dirfd(dir), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    for (struct dirent *entry; !runs && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (!runs)
        rmdir(path);
    closedir(dir);
}

/* Before a new run has its folder: among runs of one millisecond the newest cannot be told by its name. */
static void make_room(const char *root, int64_t keep)
{
    AUTO_FREE char *logs = mem_format("%s/logs", root);
    struct dirent **runs;
    int count = scandir(logs, &runs, is_run_id, alphasort);
    for (int i = 0; i < count; i++) {
        if (i <= count - keep)
            remove_run(logs, runs[i]->d_name);
        free(runs[i]);
    }
    if (count >= 0)
        free(runs);
}

static bool make_logs(struct folder *folder, const char *id, int64_t keep, struct err *err)
{
    folder->run = mem_format("%s/logs/%s", folder->root, id);
    make_room(folder->root, keep);
    if (!dir_make(folder->run, 0755, err))
        return false;
    folder->lock = open(folder->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock >= 0)
        flock(folder->lock, LOCK_EX | LOCK_NB); /* without locks the newest runs are safe all the same */
    AUTO_FREE char *latest = mem_format("%s/logs/latest", folder->root);
    AUTO_FREE char *aside = mem_format("%s/logs/.latest.%s", folder->root, id);
    if (symlink(id, aside) != 0 || rename(aside, latest) != 0)
        return err_errno(err, errno, "cannot make the link '%s'", latest);
    return true;
}

/* What is recorded there by this user; NULL: nothing. */
static char *record_read(const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    AUTO_BUF struct buf text = {0};
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        !fd_read_all(fd, RECORD_MAX, &text, NULL) || text.len == 0)
        return NULL;
    return mem_copy(text.data, strcspn(text.data, "\n"));
}

static bool server_answers(const char *address)
{
    struct err err = {0};
    struct client *client = address ? client_open_within(address, NULL, ANSWER_MS, 0, &err) : NULL;
    client_close(client);
    /* Ours alone was on its socket; at another kind of address somebody else's may be silent. */
    bool silent = address && err.code == ERR_TIMEOUT && str_starts_with(str_of(address), STR("ipc://"));
    return client || silent || (address && err.code == ERR_KEY_REJECTED);
}

/* For a run in the background, which is the only one of its folder. */
static bool folder_take(struct folder *folder, struct err *err)
{
    AUTO_FREE char *address = record_read(folder->address);
    folder->taken = open(folder->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool taken = folder->taken >= 0 && flock(folder->taken, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!taken && !server_answers(address))
        return true;
    return err_set(err, ERR_CONFLICT,
                   "a run is going on in this folder already%s%s; 'zproc ps' shows it, 'zproc down' ends it",
                   address ? ", at " : "", address ? address : "");
}

bool folder_open(struct folder *folder, const struct plan *plan, const char *id, enum folder_use use,
                 struct err *err)
{
    const char *dir = plan->run.dir;
    folder->root = dir[0] == '/' ? mem_text(dir) : mem_format("%s/%s", plan->dir, dir);
    folder->address = mem_format("%s/address", folder->root);
    struct stat st;
    folder->made = stat(folder->root, &st) != 0;
    if (!dir_make(folder->root, 0755, err))
        return err_wrap(err, "no place for logs (run.dir in the manifest names another)");
    write_gitignore(folder->root);
    if (use == FOLDER_ALONE && !folder_take(folder, err))
        return false;
    return use == FOLDER_ADDRESS || make_logs(folder, id, plan->run.keep, err);
}

static bool record_write(const char *path, const char *address, struct err *err)
{
    AUTO_FREE char *text = mem_format("%s\n", address);
    return file_replace(path, str_of(text), err);
}

/* Beside the address: a link to the key's file, so that commands in this folder find both. */
static void link_key(struct folder *folder, const char *key)
{
    folder->key = mem_format("%s/key", folder->root);
    unlink(folder->key);
    if (key && symlink(key, folder->key) == 0)
        return;
    free(folder->key);
    folder->key = NULL;
}

bool folder_record(struct run *run, bool yields, struct err *err)
{
    struct folder *folder = &run->folder;
    folder->before = record_read(folder->address);
    if (yields && server_answers(folder->before))
        return true;
    control_leave(run, folder->address, run->address);
    if (!record_write(folder->address, run->address, err))
        return false;
    folder->recorded = mem_text(run->address);
    link_key(folder, run->key.file);
    return true;
}

static bool remove_record(struct folder *folder)
{
    struct stat st;
    AUTO_FREE char *now = record_read(folder->address);
    if (!now)
        return lstat(folder->address, &st) != 0 && errno == ENOENT;
    if (strcmp(now, folder->recorded) != 0)
        return true;
    if (folder->key)
        unlink(folder->key);
    return (server_answers(folder->before) && record_write(folder->address, folder->before, NULL)) ||
           unlink(folder->address) == 0;
}

bool folder_close(struct folder *folder)
{
    bool removed = !folder->recorded || remove_record(folder);
    if (folder->made && !folder->run) {
        /* A run without a manifest leaves nothing behind; rmdir spares what somebody else put there. */
        AUTO_FREE char *ignore = mem_format("%s/.gitignore", folder->root);
        unlink(ignore);
        rmdir(folder->root);
    }
    free(folder->root);
    free(folder->run);
    free(folder->address);
    free(folder->recorded);
    free(folder->key);
    free(folder->before);
    fd_close(&folder->lock);
    fd_close(&folder->taken);
    *folder = (struct folder){.lock = -1, .taken = -1};
    return removed;
}

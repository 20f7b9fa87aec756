/* Runs a target over files and folders of files: the corpus as a test, and a finding by hand. */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static int count;

static void replay(const char *path)
{
    AUTO_BUF struct buf text = {0};
    struct err err = {0};
    if (!file_read(path, 16 << 20, &text, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    /* A copy of its exact size, so that a read past its end is seen. */
    uint8_t *data = malloc(text.len ? text.len : 1);
    if (!data)
        exit(1);
    if (text.len > 0)
        memcpy(data, text.data, text.len);
    LLVMFuzzerTestOneInput(data, text.len);
    free(data);
    count++;
}

static void replay_folder(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        AUTO_FREE char *file = mem_format("%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            replay(file);
    }
    if (dir)
        closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode))
            replay_folder(argv[i]);
        else
            replay(argv[i]);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}

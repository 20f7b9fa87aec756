/* Where the group is that bounds the memory of a process. */
#include "bound_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define V1                                                                                                   \
    "30 20 0:26 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"                                   \
    "31 20 0:27 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory\n"
#define V2                                                                                                   \
    "22 20 0:21 / / rw - ext4 /dev/sda rw\n"                                                                 \
    "32 20 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define PART "33 20 0:28 /user.slice/one /mnt/group rw - cgroup2 cgroup2 rw\n"

static void test_locate(void **state)
{
    (void)state;
    static const struct {
        const char *cgroup, *mounts, *path; /* NULL: there is none */
        bool unified;
    } rows[] = {
        {"4:memory:/a/b\n1:cpu:/\n0::/x\n", V1 V2, "/sys/fs/cgroup/memory/a/b", false},
        {"4:hugetlb,memory:/\n0::/\n", V1, "/sys/fs/cgroup/memory", false},
        {"0::/user.slice/user-1000.slice/run-7.scope\n", V2,
         "/sys/fs/cgroup/user.slice/user-1000.slice/run-7.scope", true},
        {"0::/\n", V2, "/sys/fs/cgroup", true},
        {"1:cpu:/c\n0::/a:b\n", V1 V2, "/sys/fs/cgroup/a:b", true},
        {"0::/user.slice/one/two\n", PART V2, "/mnt/group/two", true},
        {"0::/user.slice/one\n", PART V2, "/mnt/group", true},
        {"0::/user.slice/oneself\n", PART V2, "/sys/fs/cgroup/user.slice/oneself", true},
        {"0::/elsewhere\n", PART, NULL, true},
        {"4:memory:/a\n", V2, NULL, false},
        {"1:cpu:/\n", V1 V2, NULL, false},
        {"", "", NULL, false},
        {"0::/\n", "32 20 0:28 / /x rw\n", NULL, true},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        AUTO_BUF struct buf path = {0};
        struct err err = {0};
        bool unified = false;
        bool found = bound_locate(str_of(rows[i].cgroup), str_of(rows[i].mounts), &path, &unified, &err);
        assert_int_equal(found, rows[i].path != NULL);
        if (!found) {
            assert_int_equal(err.code, ERR_DENIED);
            continue;
        }
        assert_string_equal(path.data, rows[i].path);
        assert_int_equal(unified, rows[i].unified);
    }
}

/* A path that is no group of a run is let alone. */
static void test_remove_others(void **state)
{
    (void)state;
    char dir[] = "/tmp/zproc-bound-XXXXXX";
    assert_non_null(mkdtemp(dir));
    AUTO_FREE char *other = mem_format("%s/other", dir);
    AUTO_FREE char *group = mem_format("%s/zproc-1", dir);
    AUTO_FREE char *below = mem_format("%s/1", group);
    struct err err;
    assert_true(dir_make(other, 0700, &err) && dir_make(below, 0700, &err));
    bounds_remove(other);
    bounds_remove(group);
    assert_int_equal(access(other, F_OK), 0);
    assert_int_not_equal(access(group, F_OK), 0);
    rmdir(other);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_remove_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

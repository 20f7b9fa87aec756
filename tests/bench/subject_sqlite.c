/* sqlite FILE GROUP SECONDS: sets keys in a table, GROUP a transaction, each on disk before the next (WAL,
 * synchronous FULL); prints sets a second. */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool run(sqlite3 *db, const char *text)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool step(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && done;
}

static bool set(sqlite3_stmt *statement, int number)
{
    char key[16];
    int len = snprintf(key, sizeof key, "key:%02d", number);
    return sqlite3_bind_text(statement, 1, key, len, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_text(statement, 2, "\"xxx\"", 5, SQLITE_STATIC) == SQLITE_OK && step(statement);
}

static bool prepare(sqlite3 *db, const char *text, sqlite3_stmt **statement)
{
    return sqlite3_prepare_v2(db, text, -1, statement, NULL) == SQLITE_OK;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    sqlite3_stmt *begin, *put, *commit;
    if (argc != 4 || sqlite3_open(argv[1], &db) != SQLITE_OK || !run(db, "PRAGMA journal_mode=WAL") ||
        !run(db, "PRAGMA synchronous=FULL") ||
        !run(db, "CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID") ||
        !prepare(db, "BEGIN IMMEDIATE", &begin) || !prepare(db, "COMMIT", &commit) ||
        !prepare(db, "INSERT INTO state VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value",
                 &put))
        return 1;
    int group = atoi(argv[2]);
    double start = now(), end = start + atof(argv[3]), time;
    long count = 0;
    do {
        if (!step(begin))
            return 1;
        for (int i = 0; i < group; i++, count++)
            if (!set(put, i))
                return 1;
        if (!step(commit))
            return 1;
    } while ((time = now()) < end);
    printf("%.0f\n", (double)count / (time - start));
    return 0;
}

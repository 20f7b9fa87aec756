/* What it costs to keep the state on disk: sets of 64 clients at each durability, against none at all and
 * against SQLite with as many sets a transaction. */
#include "bench.h"

#include <stdlib.h>

#define CLIENTS 64
#define TURNS   7
#define TURN    "0.3" /* seconds, of SQLite's side */

/* Sets a second in SQLite; -1 on failure. */
static double sqlite_turn(const char *program)
{
    double rate = -1;
    AUTO_FREE char *command = mem_format("'%s' sqlite.db %d %s", program, CLIENTS, TURN);
    FILE *out = popen(command, "r");
    if (!out)
        return -1;
    if (fscanf(out, "%lf", &rate) != 1)
        rate = -1;
    return pclose(out) == 0 ? rate : -1;
}

/* The peer is another server's load, or the SQLite program. */
static void measure(struct bench *bench, const struct server *durable, const struct server *bare,
                    const char *sqlite, struct row row)
{
    struct samples mine = {0}, his = {0};
    struct drive *ours = drive_zproc(durable, DRIVE_SET, CLIENTS);
    struct drive *theirs = bare ? drive_zproc(bare, DRIVE_SET, CLIENTS) : NULL;
    bool fine = ours && (theirs || !bare);
    for (int i = -1; fine && i < TURNS; i++) {
        double my = drive_turn(ours), its = bare ? drive_turn(theirs) : sqlite_turn(sqlite);
        fine = my > 0 && its > 0;
        if (i >= 0) {
            samples_add(&mine, my);
            samples_add(&his, its);
        }
    }
    row.unit = UNIT_RATE;
    row.zproc = samples_median(&mine);
    row.peer = samples_median(&his);
    if (fine)
        row_add(bench, row);
    else
        row_break(bench, row.what, "a set was not answered");
    drive_close(ours);
    drive_close(theirs);
    samples_release(&mine);
    samples_release(&his);
}

static void level_rows(struct bench *bench, const struct server *none)
{
    static const struct {
        const char *durability, *what;
        enum reach reach;
    } levels[] = {
        {"process", "64 clients set, durability process", REACH_RATIO_LEAST},
        {"second", "64 clients set, durability second", REACH_NONE},
        {"always", "64 clients set, durability always", REACH_NONE},
    };
    for (size_t i = 0; i < LENGTH_OF(levels); i++) {
        struct server server;
        const char *why;
        if (server_open_durable(bench, levels[i].durability, &server, &why))
            measure(bench, &server, none, NULL,
                    (struct row){.what = levels[i].what,
                                 .peer_name = "durability none",
                                 .reach = levels[i].reach,
                                 .figure = 0.8});
        else
            row_skip(bench, levels[i].what, why);
        server_shut(&server);
    }
}

static void sqlite_row(struct bench *bench)
{
    struct row row = {.what = "64 clients set, durability always",
                      .peer_name = "SQLite, WAL, FULL, 64 a transaction",
                      .reach = REACH_RATIO_LEAST,
                      .figure = 2};
    struct server server;
    const char *why;
    AUTO_FREE char *sqlite = program_in(bench->own, "bench_sqlite");
    if (!sqlite) {
        row_skip(bench, row.what, "libsqlite3-dev is not installed (make deps-bench)");
        return;
    }
    if (server_open_durable(bench, "always", &server, &why))
        measure(bench, &server, NULL, sqlite, row);
    else
        row_skip(bench, row.what, why);
    server_shut(&server);
}

void durable_rows(struct bench *bench)
{
    struct server none;
    const char *why;
    if (server_open(bench, "none", &none, &why))
        level_rows(bench, &none);
    else
        row_skip(bench, "64 clients set, at each durability", why);
    server_shut(&none);
    sqlite_row(bench);
}

/* What outlives the server: saving a batch before it is answered, and what happens when that fails. */
#include "server_priv.h"

static void recovery_say(const char *message)
{
    fprintf(stderr, "zproc: server: %s\n", message);
}

bool persist_open(struct server *server, const struct server_options *options, struct err *err)
{
    struct journal_options journal = {.folder = options->persist,
                                      .durability = options->durability,
                                      .repair = options->repair,
                                      .say = recovery_say};
    server->journal = journal_open(&journal, server->store, err);
    if (!server->journal)
        return false;
    snprintf(server->store_id, sizeof server->store_id, "%s", journal_store_id(server->journal));
    return true;
}

enum durability server_durability(const struct server *server)
{
    return server->journal ? journal_durability(server->journal) : DURABILITY_NONE;
}

/* Events of revisions that were undone: nobody acknowledges them. */
static void events_forget(struct server *server)
{
    size_t pos = 0;
    for (struct peer *peer; (peer = table_next(&server->peers, &pos));) {
        peer->holds++; /* it must not be freed under our hands */
        for (struct parked *parked = peer->parked, *next; parked; parked = next) {
            next = parked->next;
            if (parked->kind != PARKED_DELIVERED || !parked->session ||
                session_holder(parked->session, parked->space) == parked)
                continue;
            parked->session = NULL;
            parked_free(parked);
        }
        peer->holds--;
        peer_drop_if_unused(server, peer);
    }
}

static void batch_save(struct server *server)
{
    struct err why = {0};
    if (!server->journal || journal_write(server->journal, &why))
        return;
    fprintf(stderr, "zproc: server: %s\n", why.message);
    answers_fail(server, &why);
    events_forget(server);
}

void server_settle(struct server *server)
{
    do { /* a peer that is dropped for not reading may leave answers to others, and changes */
        batch_save(server);
        answers_flush(server);
    } while (server->out.len || (server->journal && journal_pending(server->journal)));
}

static bool changes_kept(const struct request *request)
{
    switch (request->operation) {
    case OP_ack:
    case OP_go_live:
    case OP_session_open:
    case OP_session_close:
        return true;
    case OP_watch:
    case OP_stream:
    case OP_credit:
        return request_has(request, ack);
    default:
        return op_info(request->operation)->kind == OP_KIND_WRITE;
    }
}

bool persist_ready(struct server *server, const struct request *request, struct err *err)
{
    return !server->journal || !changes_kept(request) || journal_ready(server->journal, err);
}

void persist_figures(const struct server *server, struct value *map)
{
    map_set(map, STR("durability"), value_string(str_of(durability_name(server_durability(server)))));
    if (!server->journal)
        return;
    struct journal_figures figures;
    journal_measure(server->journal, &figures);
    map_set(map, STR("writes_refused"), value_bool(figures.broken));
    map_set(map, STR("segment_bytes"), value_int(figures.segment_bytes));
    map_set(map, STR("folder_bytes"), value_int(figures.folder_bytes));
    map_set(map, STR("syncs"), value_int(figures.syncs));
    map_set(map, STR("sync_last_us"), value_int(figures.sync_last_us));
    map_set(map, STR("sync_max_us"), value_int(figures.sync_max_us));
}

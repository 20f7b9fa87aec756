/* Claims on reserved namespaces, and services that answer calls. Both end with the connection. */
#include "server_priv.h"

#include <stdlib.h>

static bool holds_full(struct err *err)
{
    return err_set(err, ERR_BUSY, "this connection has %d claims and services already", PEER_HOLDS_MAX);
}

/* ---- Claims ---- */

bool handle_claim(struct job *job, struct err *err)
{
    struct server *server = job->server;
    struct str ns = job->ns;
    if (!space_name_reserved(ns))
        return err_set(err, ERR_INVALID, "only 'zproc' and 'zproc.…' can be claimed, not '%.*s'",
                       STR_ARG(ns));
    if (table_get(&server->claims, ns))
        return err_set(err, ERR_CONFLICT, "namespace '%.*s' has an owner", STR_ARG(ns));
    struct peer *peer = peer_get(server, job->frames);
    if (!peer)
        return true;
    if (peer->holds >= PEER_HOLDS_MAX)
        return holds_full(err);
    struct claim *claim = mem_new(sizeof *claim + ns.len + 1);
    claim->peer = peer;
    claim->ns_len = ns.len;
    memcpy(claim->ns, ns.data, ns.len);
    random_hex(claim->token);
    table_put(&server->claims, (struct str){claim->ns, claim->ns_len}, claim);
    peer->holds++;
    job_begin(job, store_revision(server->store));
    reply_str(server, "token", str_of(claim->token));
    return job_send(job);
}

void claims_end(struct server *server, struct peer *peer)
{
    size_t pos = 0;
    for (struct claim *claim; (claim = table_next(&server->claims, &pos));) {
        if (claim->peer != peer)
            continue;
        table_remove(&server->claims, (struct str){claim->ns, claim->ns_len});
        free(claim);
        peer->holds--;
    }
}

bool claim_check(const struct job *job, struct err *err)
{
    if (!space_name_reserved(job->ns))
        return true;
    const struct claim *claim = table_get(&job->server->claims, job->ns);
    if (claim && request_has(&job->request, token) && str_is(request_str(&job->request, token), claim->token))
        return true;
    return err_set(err, ERR_DENIED, "namespace '%.*s' is reserved for the supervisor of a run",
                   STR_ARG(job->ns));
}

/* ---- Services ---- */

static struct service *service_new(struct server *server, struct str name, struct peer *peer)
{
    struct service *service = mem_new(sizeof *service + name.len + 1);
    service->peer = peer;
    service->name_len = name.len;
    memcpy(service->name, name.data, name.len);
    table_put(&server->services, (struct str){service->name, service->name_len}, service);
    peer->holds++;
    return service;
}

static void calls_add(struct calls *calls, struct parked *call)
{
    call->calls = calls;
    call->calls_previous = calls->last;
    call->calls_next = NULL;
    *(calls->last ? &calls->last->calls_next : &calls->first) = call;
    calls->last = call;
}

static void calls_remove(struct parked *call)
{
    struct calls *calls = call->calls;
    *(call->calls_previous ? &call->calls_previous->calls_next : &calls->first) = call->calls_next;
    *(call->calls_next ? &call->calls_next->calls_previous : &calls->last) = call->calls_previous;
    call->calls = NULL;
}

void service_unpark(struct parked *parked)
{
    if (parked->service)
        parked->service->serving = NULL;
    if (parked->calls)
        calls_remove(parked);
}

static void calls_fail(struct calls *calls, enum err_code code, const char *why)
{
    while (calls->first)
        parked_fail(calls->first, code, why);
}

void service_end(struct server *server, struct service *service)
{
    table_remove(&server->services, (struct str){service->name, service->name_len});
    if (service->serving)
        parked_free(service->serving);
    calls_fail(&service->queued, ERR_NOT_FOUND, "the service has ended before it took the call");
    calls_fail(&service->asked, ERR_UNREACHABLE,
               "the service has ended before it answered: what was asked may have been done or not");
    struct peer *peer = service->peer;
    free(service);
    peer->holds--;
}

/* Hands the oldest call to the serve that waits. */
static void service_match(struct server *server, struct service *service)
{
    struct parked *serve = service->serving, *call = service->queued.first;
    if (!serve || !call)
        return;
    calls_remove(call);
    calls_add(&service->asked, call);
    reply_begin(server, serve->id, store_revision(server->store));
    reply_int(server, "call", call->call);
    if (call->value)
        reply_value(server, call->value);
    const struct peer *peer = serve->peer;
    reply_send(server, (struct str){peer->identity, peer->identity_len}, peer->fd);
    parked_free(serve);
}

bool handle_serve(struct job *job, struct err *err)
{
    struct server *server = job->server;
    struct str name = request_str(&job->request, service);
    struct service *service = table_get(&server->services, name);
    struct parked *serve = parked_new(job, PARKED_SERVE, err);
    if (!serve)
        return err->code == ERR_NONE;
    if (service && (service->peer != serve->peer || service->serving)) {
        parked_free(serve);
        return err_set(err, ERR_CONFLICT, "service '%.*s' is served already", STR_ARG(name));
    }
    if (!service && serve->peer->holds >= PEER_HOLDS_MAX) {
        parked_free(serve);
        return holds_full(err);
    }
    if (!service)
        service = service_new(server, name, serve->peer);
    serve->service = service;
    service->serving = serve;
    service_match(server, service);
    return true;
}

bool handle_call(struct job *job, struct err *err)
{
    struct server *server = job->server;
    struct str name = request_str(&job->request, service);
    struct service *service = table_get(&server->services, name);
    if (!service)
        return err_set(err, ERR_NOT_FOUND, "there is no service '%.*s'", STR_ARG(name));
    struct parked *call = parked_new(job, PARKED_CALL, err);
    if (!call)
        return err->code == ERR_NONE;
    call->value = job->value ? value_ref(job->value) : NULL;
    call->call = ++server->calls;
    calls_add(&service->queued, call);
    service_match(server, service);
    return true;
}

static struct parked *call_find(struct server *server, const struct peer *peer, int64_t number)
{
    size_t pos = 0;
    for (struct service *service; (service = table_next(&server->services, &pos));)
        for (struct parked *call = service->peer == peer ? service->asked.first : NULL; call;
             call = call->calls_next)
            if (call->call == number)
                return call;
    return NULL;
}

/* {"error": code, "message": text} of a service that could not do what was asked. */
static void answer_error(struct parked *call, const struct value *value)
{
    const struct value *code = value && value_type(value) == VALUE_MAP ? map_get(value, STR("error")) : NULL;
    const struct value *text = code ? map_get(value, STR("message")) : NULL;
    AUTO_FREE char *name =
        code ? mem_copy(value_as_str(code).data, value_as_str(code).len) : mem_text("internal");
    AUTO_FREE char *message = text ? mem_copy(value_as_str(text).data, value_as_str(text).len)
                                   : mem_text("the service failed without a reason");
    parked_fail(call, err_code_from_name(name), message);
}

bool handle_answer(struct job *job, struct err *err)
{
    struct server *server = job->server;
    const struct peer *peer = peer_find(server, job->frames->identity);
    struct parked *call = peer ? call_find(server, peer, request_int(&job->request, call)) : NULL;
    if (!call)
        return err_set(err, ERR_NOT_FOUND, "call %lld is not waiting for an answer (any more)",
                       (long long)request_int(&job->request, call));
    if (request_has(&job->request, ok) && !request_bool(&job->request, ok)) {
        answer_error(call, job->value);
    } else {
        reply_begin(server, call->id, store_revision(server->store));
        if (job->value)
            reply_value(server, job->value);
        reply_send(server, (struct str){call->peer->identity, call->peer->identity_len}, call->peer->fd);
        parked_free(call);
    }
    return job_answer(job, store_revision(server->store), NULL);
}

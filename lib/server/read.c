/* Reads: they take no revision and wake nobody. */
#include "server_priv.h"

#include <stdlib.h>

/* The revision that a read speaks of: the newest, or the one it asks for. */
static bool read_at(struct job *job, int64_t *at, int64_t *revision, struct err *err)
{
    *at = request_has(&job->request, at) ? request_int(&job->request, at) : NOW;
    *revision = *at == NOW ? store_revision(job->server->store) : *at;
    if (*at < 0)
        return err_set(err, ERR_INVALID, "'at' must be a revision, from 0");
    if (space_covers(job->space, *at, err))
        return true;
    if (err->code == ERR_LOST)
        job->missed = space_missed(job->space, *at);
    return false;
}

/* The value at key and path. Borrowed; NULL with ERR_NOT_FOUND, ERR_TYPE or ERR_INVALID. */
static const struct value *read_find(const struct job *job, int64_t at, struct err *err)
{
    struct str key = request_str(&job->request, key);
    const struct value *value = space_get(job->space, key, at);
    if (!value) {
        err_set(err, ERR_NOT_FOUND, "no such key '%.*s'", STR_ARG(key));
        return NULL;
    }
    if (!request_has(&job->request, path))
        return value;
    value = pointer_get(value, request_str(&job->request, path), err);
    if (!value)
        err_wrap(err, "key '%.*s#%.*s'", STR_ARG(key), STR_ARG(request_str(&job->request, path)));
    return value;
}

static bool answer_bool(struct job *job, int64_t revision, bool b)
{
    AUTO_VALUE struct value *value = value_bool(b);
    return job_answer(job, revision, value);
}

bool handle_has(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    bool found = read_find(job, at, err) != NULL;
    if (!found && err->code != ERR_NOT_FOUND)
        return false;
    return answer_bool(job, revision, found);
}

/* ---- All keys: printed as they are visited, whole or a page ---- */

#define PAGE_BYTES (4 * 1024 * 1024)

struct page {
    struct buf *text;
    void (*print)(struct buf *text, struct str key, const struct value *value);
    bool paged;
    int64_t from, index; /* entries */
    int64_t next;        /* the first one that did not fit; -1: all did */
};

static void page_add(void *ctx, struct str key, const struct value *value)
{
    struct page *page = ctx;
    int64_t index = page->index++;
    bool full = !page->paged && page->text->len > WIRE_FRAME_MAX; /* it will be refused */
    if (index < page->from || page->next >= 0 || full)
        return;
    bool first = page->text->len == 1;
    size_t before = page->text->len;
    if (!first)
        buf_add_char(page->text, ',');
    page->print(page->text, key, value);
    if (page->paged && !first && page->text->len > PAGE_BYTES) {
        page->text->len = before;
        page->next = index;
    }
}

static void print_key(struct buf *text, struct str key, const struct value *value)
{
    (void)value;
    string_print(text, key);
}

static void print_value(struct buf *text, struct str key, const struct value *value)
{
    (void)key;
    value_print(text, value);
}

static void print_item(struct buf *text, struct str key, const struct value *value)
{
    buf_add_char(text, '[');
    string_print(text, key);
    buf_add_char(text, ',');
    value_print(text, value);
    buf_add_char(text, ']');
}

static void print_member(struct buf *text, struct str key, const struct value *value)
{
    string_print(text, key);
    buf_add_char(text, ':');
    value_print(text, value);
}

/* Into the reply that was begun. */
static int64_t reply_page(struct server *server, const struct space *space, int64_t at, struct page page,
                          const char brackets[2])
{
    page.text = &server->value;
    page.next = -1;
    buf_add_char(page.text, brackets[0]);
    space_each(space, at, page_add, &page);
    buf_add_char(page.text, brackets[1]);
    server->has_value = true;
    return page.next;
}

void reply_snapshot(struct server *server, const struct space *space, int64_t at, bool paged)
{
    struct share_key key = {.kind = paged ? SHARE_PAGE : SHARE_SNAPSHOT,
                            .what = space,
                            .revision = at == NOW ? store_revision(server->store) : at};
    int64_t next;
    if (!shared_find(server, &key, &next)) {
        next = reply_page(server, space, at, (struct page){.print = print_member, .paged = paged}, "{}");
        shared_put(server, &key, NULL, next);
    }
    if (next >= 0)
        reply_int(server, "next", next);
}

bool page_first_check(const struct job *job, struct err *err)
{
    return !request_has(&job->request, page) || request_int(&job->request, page) == 0 ||
           err_set(err, ERR_INVALID, "'page' must be 0 here; further pages are read with get");
}

static bool answer_all(struct job *job,
                       void (*print)(struct buf *text, struct str key, const struct value *value),
                       const char brackets[2], struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    struct page page = {
        .print = print, .paged = request_has(&job->request, page), .from = request_int(&job->request, page)};
    job_begin(job, revision);
    int64_t next = reply_page(job->server, job->space, at, page, brackets);
    if (next >= 0)
        reply_int(job->server, "next", next);
    return job_send(job);
}

bool handle_get(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!request_has(&job->request, key)) {
        if (job->value || request_has(&job->request, path))
            return err_set(err, ERR_INVALID, "a default or a path needs a key");
        return answer_all(job, print_member, "{}", err);
    }
    if (request_has(&job->request, page))
        return err_set(err, ERR_INVALID, "a page is one of all keys: 'page' does not go with a key");
    if (!read_at(job, &at, &revision, err))
        return false;
    const struct value *value = read_find(job, at, err);
    if (!value && job->value && err->code == ERR_NOT_FOUND)
        value = job->value;
    return value && job_answer(job, revision, value);
}

bool handle_keys(struct job *job, struct err *err)
{
    return answer_all(job, print_key, "[]", err);
}

bool handle_values(struct job *job, struct err *err)
{
    return answer_all(job, print_value, "[]", err);
}

bool handle_items(struct job *job, struct err *err)
{
    return answer_all(job, print_item, "[]", err);
}

static int name_order(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void name_visit(void *ctx, struct str name)
{
    list_push(ctx, value_string(name));
}

bool handle_namespaces(struct job *job, struct err *err)
{
    (void)err;
    AUTO_VALUE struct value *names = value_list(), *sorted = value_list();
    store_each(job->server->store, name_visit, names);
    size_t count = value_len(names);
    AUTO_FREE struct str *order = mem_array(count ? count : 1, sizeof *order);
    for (size_t i = 0; i < count; i++)
        order[i] = value_as_str(list_at(names, i));
    qsort(order, count, sizeof *order, name_order);
    for (size_t i = 0; i < count; i++)
        list_push(sorted, value_string(order[i]));
    return job_answer(job, store_revision(job->server->store), sorted);
}

bool handle_len(struct job *job, struct err *err)
{
    int64_t at, revision;
    if (!read_at(job, &at, &revision, err))
        return false;
    AUTO_VALUE struct value *value = value_int((int64_t)space_len(job->space, at));
    return job_answer(job, revision, value);
}

bool job_args_valid(const struct job *job, struct err *err)
{
    return !job->value || expr_args_valid(job->value, err);
}

bool handle_eval(struct job *job, struct err *err)
{
    if (!job_args_valid(job, err))
        return false;
    struct expr *expr = expr_parse(request_str(&job->request, expr), err);
    if (!expr)
        return false;
    struct space_view view = {job->space, NOW, -1};
    struct expr_scope scope = space_scope(&view, NULL);
    scope.args = job->value;
    AUTO_VALUE struct value *value = expr_eval(expr, &scope, err);
    expr_free(expr);
    return value && job_answer(job, store_revision(job->server->store), value);
}

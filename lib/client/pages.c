/* Answers in pages: all of a namespace at one revision, however large it is. */
#include "client.h"

#include <stdlib.h>

#define TRIES 5 /* when the revision falls off the log before the last page */

void pages_release(struct pages *pages)
{
    buf_release(&pages->json);
    *pages = (struct pages){.next = -1};
}

/* Lists, or maps: the bracket at the end makes room for what comes. */
static void page_join(struct buf *json, struct str page)
{
    if (json->len == 0) {
        buf_add_str(json, page);
        return;
    }
    if (page.len <= 2)
        return;
    json->len--;
    if (json->len > 1)
        buf_add_char(json, ',');
    buf_add(json, page.data + 1, page.len - 1);
}

void pages_add(struct pages *pages, const struct reply *reply)
{
    const struct value *next = reply_field(reply, "next");
    page_join(&pages->json, reply->value);
    pages->rev = reply->rev;
    pages->next = next && value_type(next) == VALUE_INT ? value_as_int(next) : -1;
}

void pages_request(const struct pages *pages, struct request *request, struct str ns)
{
    *request = (struct request){.operation = OP_get};
    if (ns.data)
        request_set_str(request, FIELD_ns, ns);
    request_set_int(request, FIELD_at, pages->rev);
    request_set_int(request, FIELD_page, pages->next);
}

/* The header is made anew: nothing is left to ask for. */
void pages_give(struct pages *pages, struct reply *reply)
{
    AUTO_VALUE struct value *fields = value_copy(reply->fields);
    struct buf text = {0};
    map_remove(fields, STR("next"));
    value_print(&text, fields);
    size_t header = text.len;
    buf_add_str(&text, buf_str(&pages->json));
    size_t all = text.len;
    value_unref(reply->fields);
    reply->fields = value_ref(fields);
    message_release(&reply->message);
    char *memory = buf_detach(&text);
    reply->value = (struct str){memory + header, all - header};
    reply->message = (struct message){.memory = memory, .header = {memory, header}, .value = reply->value};
    pages_release(pages);
}

static int64_t time_left(int64_t until_ms)
{
    int64_t now = time_now_ms();
    return until_ms < 0 ? -1 : until_ms > now ? until_ms - now : 0;
}

/* Page by page; the first answer is kept in *reply. When it is all, pages stays empty. */
static bool ask_once(struct client *client, struct request *request, int64_t until_ms, struct pages *pages,
                     struct reply *reply, struct err *err)
{
    do {
        struct reply page;
        if (!client_do(client, request, (struct str){0}, time_left(until_ms), &page, err))
            return false;
        bool first = !reply->fields;
        if (first)
            *reply = page;
        if (first && !reply_field(&page, "next"))
            return true;
        pages_add(pages, &page);
        request_set_int(request, FIELD_page, pages->next);
        request_set_int(request, FIELD_at, pages->rev);
        if (!first)
            reply_release(&page);
    } while (pages->next >= 0);
    return true;
}

bool client_do_all(struct client *client, struct request *request, int64_t timeout_ms, struct reply *reply,
                   struct err *err)
{
    bool fixed = request_has(request, at);
    int64_t at = fixed ? request_int(request, at) : 0,
            until = timeout_ms < 0 ? -1 : time_now_ms() + timeout_ms;
    *reply = (struct reply){0};
    for (int tries = 1;; tries++) {
        struct pages pages = {.next = -1};
        struct err local = {0};
        request_set_int(request, FIELD_page, 0);
        if (fixed)
            request_set_int(request, FIELD_at, at);
        else
            request->set &= ~(UINT64_C(1) << FIELD_at);
        if (ask_once(client, request, until, &pages, reply, &local)) {
            if (pages.json.len > 0)
                pages_give(&pages, reply);
            return true;
        }
        bool begun = reply->fields != NULL;
        pages_release(&pages);
        reply_release(reply);
        if (local.code == ERR_LOST && begun && !fixed && tries < TRIES)
            continue;
        if (local.code == ERR_LOST && begun && !fixed)
            err_wrap(&local,
                     "the state changes faster than its pages are read, %d times in a row; read less "
                     "at a time, or give the server a larger --log-limit",
                     TRIES);
        if (err)
            *err = local;
        return false;
    }
}

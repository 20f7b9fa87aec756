/* Addresses as text: ipc://PATH, ipc://@NAME (a name in Linux's abstract space) and tcp://HOST:PORT. */
#include "wire.h"

static const char forms[] = "an address is ipc:///path/of/socket, ipc://@name or tcp://host:port";

static bool parse_ipc(struct str rest, struct address *address, struct err *err)
{
    bool abstract = rest.len > 0 && rest.data[0] == '@';
    if (abstract) {
        rest.data++;
        rest.len--;
    }
    if (rest.len == 0)
        return err_set(err, ERR_INVALID, "address without a path; %s", forms);
    /* Both kinds end up with 107 bytes: a path is followed by a NUL, a name follows one. */
    size_t longest = sizeof address->path - 1;
    if (rest.len > longest)
        return err_set(err, ERR_INVALID,
                       "address is too long: the path of a socket has at most %zu bytes, this one has %zu; "
                       "use a shorter folder",
                       longest, rest.len);
    address->kind = abstract ? ADDRESS_ABSTRACT : ADDRESS_IPC;
    memcpy(address->path, rest.data, rest.len);
    return true;
}

static bool parse_port(struct str text, uint16_t *port)
{
    if (str_is(text, "*")) {
        *port = 0;
        return true;
    }
    uint32_t number = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *port = (uint16_t)number;
    return number <= UINT16_MAX;
}

static bool host_valid(struct str host, bool bracketed)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (c <= ' ' || c == 127 || c == '/' || c == '[' || c == ']' || c == '@' || (c == ':' && !bracketed))
            return false;
    }
    return host.len > 0;
}

static bool parse_tcp(const char *text, struct str rest, struct address *address, struct err *err)
{
    const char *colon = memrchr(rest.data, ':', rest.len);
    if (!colon)
        return err_set(err, ERR_INVALID, "address '%.200s' has no port; %s", text, forms);
    struct str host = {rest.data, (size_t)(colon - rest.data)};
    struct str port = {colon + 1, rest.len - host.len - 1};
    bool bracketed = host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = (struct str){host.data + 1, host.len - 2};
    if (!host_valid(host, bracketed) || host.len >= sizeof address->host)
        return err_set(err, ERR_INVALID, "address '%.200s' has a bad host; %s", text, forms);
    if (!parse_port(port, &address->port))
        return err_set(err, ERR_INVALID, "address '%.200s' has a bad port: 0 to 65535 or *", text);
    address->kind = ADDRESS_TCP;
    memcpy(address->host, host.data, host.len);
    return true;
}

bool address_parse(const char *text, struct address *address, struct err *err)
{
    struct str all = str_of(text);
    struct str ipc = STR("ipc://"), tcp = STR("tcp://");
    *address = (struct address){0};
    if (str_starts_with(all, ipc))
        return parse_ipc((struct str){text + ipc.len, all.len - ipc.len}, address, err);
    if (str_starts_with(all, tcp))
        return parse_tcp(text, (struct str){text + tcp.len, all.len - tcp.len}, address, err);
    return err_set(err, ERR_INVALID, "bad address '%.200s'; %s", text, forms);
}

void address_print(struct buf *buf, const struct address *address)
{
    switch (address->kind) {
    case ADDRESS_IPC:
        buf_add_format(buf, "ipc://%s", address->path);
        return;
    case ADDRESS_ABSTRACT:
        buf_add_format(buf, "ipc://@%s", address->path);
        return;
    case ADDRESS_TCP:
        buf_add_format(buf, strchr(address->host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", address->host,
                       (unsigned)address->port);
        return;
    }
}

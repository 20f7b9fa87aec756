/* As much of HTTP as a probe needs: a GET request for a URL, and the status of what is answered. */
#include "http_priv.h"

#include <stdlib.h>

/* What cannot stand in a request's first line or in a host's name. */
static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    return true;
}

bool http_request(const char *url, char **host_port, char **request, struct err *err)
{
    struct str all = str_of(url), scheme = STR("http://");
    if (str_starts_with(all, STR("https://")))
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' cannot be probed: https is not supported, use http or a command like curl", url);
    struct str rest = {url + scheme.len, all.len - scheme.len};
    if (!str_starts_with(all, scheme) || !is_printable(all))
        return err_set(err, ERR_INVALID, "'%s' is no address; write it like http://localhost:8080/path", url);
    struct str host = {rest.data, strcspn(rest.data, "/?#")};
    if (host.len == 0 || memchr(host.data, '@', host.len))
        return err_set(err, ERR_INVALID, "'%s' is no address: it needs a host, and no user", url);
    struct str path = {host.data + host.len, strcspn(host.data + host.len, "#")};
    const char *bracket = memchr(host.data, ']', host.len);
    size_t name = bracket ? (size_t)(bracket - host.data) : 0;
    bool port = memchr(host.data + name, ':', host.len - name) != NULL;
    *host_port = mem_format("%.*s%s", (int)host.len, host.data, port ? "" : ":80");
    *request = mem_format("GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: zproc\r\nAccept: */*\r\n"
                          "Connection: close\r\n\r\n",
                          path.len > 0 && path.data[0] == '/' ? "" : "/", (int)path.len, path.data,
                          (int)host.len, host.data);
    return true;
}

/* RFC 9112, 4: HTTP-version SP status-code SP [ reason-phrase ]. */
int http_status(struct str head)
{
    static const char form[] = "HTTP/1.d ddd";
    size_t len = sizeof form - 1;
    for (size_t i = 0; i < len && i < head.len; i++) {
        char c = head.data[i];
        if (form[i] == 'd' ? c < '0' || c > '9' : c != form[i])
            return -1;
    }
    if (head.len <= len)
        return 0;
    char after = head.data[len];
    return after == ' ' || after == '\r' || after == '\n' ? atoi(head.data + len - 3) : -1;
}

/* As much of HTTP as a probe needs. */
#ifndef ZPROC_HTTP_PRIV_H
#define ZPROC_HTTP_PRIV_H

#include "base.h"

/* Where to connect (HOST:PORT) and what to send for an http:// URL; both are the caller's. ERR_UNSUPPORTED
 * for https, ERR_INVALID for what is no URL. */
bool http_request(const char *url, char **host_port, char **request, struct err *err);
/* The status of an answer from its first bytes; 0: more are needed, -1: it is no HTTP. */
int http_status(struct str head);

#endif

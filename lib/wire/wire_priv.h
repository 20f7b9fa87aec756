/* Inside lib/wire: ZMTP without I/O, sockets, and a connection made from a descriptor for tests. */
#ifndef ZPROC_WIRE_PRIV_H
#define ZPROC_WIRE_PRIV_H

#include "wire.h"

/* ---- CurveZMQ (RFC 26), client side ---- */

#define CURVE_OVERHEAD 33 /* bytes that a frame grows by: name, nonce, authenticator, flags */

struct curve;
struct curve *curve_new(const struct secret *secret);
void curve_free(struct curve *curve); /* NULL is fine */
/* Each adds the body of a command; what it takes stands behind the command's name. False: the peer does not
 * have the key, or somebody stands between. */
void curve_hello(struct curve *curve, struct buf *out);
bool curve_welcome(struct curve *curve, struct str welcome, struct str metadata, struct buf *out);
bool curve_ready(struct curve *curve, struct str ready, struct buf *metadata);
/* A frame as the body of a MESSAGE, and back in place. */
void curve_seal(struct curve *curve, unsigned char flags, struct str payload, struct buf *out);
bool curve_open(struct curve *curve, char *message, size_t *len, unsigned char *flags);

/* ---- ZMTP (RFC 37) as a machine that is fed bytes ---- */

#define ZMTP_GREETING_LEN 64
#define ZMTP_COMMAND_MAX  (64 * 1024) /* bytes a command */

enum zmtp_stage { ZMTP_IN_GREETING, ZMTP_IN_HANDSHAKE, ZMTP_OPEN };

struct zmtp {
    enum zmtp_stage stage;
    struct curve *curve; /* NULL: the mechanism is NULL */
    bool welcomed;       /* CURVE: the server has shown that it has the key */
    struct buf out;      /* goes to the peer as it is; whoever writes it consumes it */
    struct buf pending;  /* frames of messages that wait for the peer's READY */
    /* What is arriving. */
    unsigned char head[ZMTP_GREETING_LEN]; /* the greeting, later the start of a frame */
    size_t head_len;
    bool in_frame;
    unsigned char flags;
    size_t left;     /* bytes of the frame still to come */
    size_t start;    /* where the frame begins in body */
    struct buf body; /* frames of the message, one after another */
    unsigned frames;
    size_t ends[WIRE_FRAMES_MAX];
};

enum zmtp_got { ZMTP_MORE, ZMTP_MESSAGE, ZMTP_FAILED };

/* Puts greeting and READY into out; with a secret key (else NULL) the greeting alone. */
void zmtp_init(struct zmtp *zmtp, const struct secret *secret);
void zmtp_release(struct zmtp *zmtp);
/* Takes bytes from the front of *in. ZMTP_MORE: all were taken. ZMTP_MESSAGE: message was filled (the caller
 * releases it), there may be more bytes. ZMTP_FAILED: ERR_KEY_REJECTED or ERR_INTERNAL; nothing more can
 * come. */
enum zmtp_got zmtp_take(struct zmtp *zmtp, struct str *in, struct message *message, struct err *err);
/* One message to the peer: an empty frame, header, and value unless its data is NULL. */
void zmtp_put(struct zmtp *zmtp, struct str header, struct str value);
/* The start of a greeting that makes a libzmq peer show all of its own. */
struct str zmtp_signature(void);
/* Checks a whole greeting: ERR_KEY_REJECTED when the mechanisms do not fit, ERR_INTERNAL when it is none. */
bool zmtp_greeting_check(const unsigned char greeting[ZMTP_GREETING_LEN], bool keyed, struct err *err);

/* ---- Sockets ---- */

/* A connected socket, or for tcp one that is connecting; -1 with err. Blocking work is bounded: names are
 * looked up (tcp), and a listener whose backlog is full is waited for (10 s). */
int socket_connect(const struct address *address, struct err *err);
/* What address_new promises to remove from its folder. */
void sockets_sweep(const char *folder);

/* ---- Connections ---- */

/* Takes fd, a connected stream; without an address nothing is asked again when the peer closes early. */
struct conn *conn_from_fd(int fd, const struct address *address, const struct secret *secret);

/* ---- Tables ---- */

enum field field_from_name(struct str name); /* FIELD_COUNT */
bool op_takes(enum op op, enum field field);

#endif

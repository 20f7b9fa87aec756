/* The client's side of the wire: addresses, a ZMTP 3.1 connection without threads, and the messages' fields.
 * ZMTP is spoken as in RFC 37 (github.com/zeromq/rfc); the peer is the server's libzmq ROUTER. */
#ifndef ZPROC_WIRE_H
#define ZPROC_WIRE_H

#include "value.h"

#include <sys/types.h>

#define WIRE_FRAME_MAX  (16 * 1024 * 1024) /* bytes a frame */
#define WIRE_FRAMES_MAX 4                  /* frames a message */

/* ---- Addresses ---- */

enum address_kind { ADDRESS_IPC, ADDRESS_ABSTRACT, ADDRESS_TCP };
struct address {
    enum address_kind kind;
    char path[108]; /* ipc: path, or name without '@', NUL-terminated */
    char host[256]; /* tcp; "*" is allowed for servers */
    uint16_t port;  /* tcp; 0: the system chooses */
};
/* ERR_INVALID with what is wrong and what an address looks like. Paths longer than a socket's name may be are
 * told so. */
bool address_parse(const char *text, struct address *address, struct err *err);
void address_print(struct buf *buf, const struct address *address);
/* A socket that is not there yet, in a folder of this user's own: below XDG_RUNTIME_DIR, TMPDIR or /tmp. What
 * killed programs have left there for a minute or more is removed: sockets at which nobody listens, and files
 * NAME.key that nobody has locked (flock); at most 64 files are looked at. */
bool address_new(struct address *address, struct err *err);

/* ---- Listening ---- */

/* The file of a Unix socket; path NULL: none. */
struct socket_file {
    char *path;
    dev_t device;
    ino_t inode;
};
/* Listens at an ipc or abstract address, never blocking: with mode 0600 under any umask. A stale socket is
 * replaced, also when several programs find it at once. -1 with ERR_CONFLICT (a live server is there),
 * ERR_DENIED (something that is no socket) or ERR_INTERNAL. *file is set, to be given to
 * socket_file_remove. */
int socket_listen(const struct address *address, struct socket_file *file, struct err *err);
/* Removes the file if it is still that socket's. */
void socket_file_remove(struct socket_file *file);
/* Nobody listens at this Unix socket. */
bool socket_is_dead(const char *path);

/* ---- Secret key: one text from which both sides' CURVE pairs are derived ---- */

#define SECRET_KEY_LEN   32
#define SECRET_TEXT_SIZE 54 /* of a generated key, with its NUL */

struct secret {
    unsigned char master[SECRET_KEY_LEN];
    unsigned char server_public[SECRET_KEY_LEN], server_secret[SECRET_KEY_LEN];
    unsigned char client_public[SECRET_KEY_LEN], client_secret[SECRET_KEY_LEN];
    char id[17];    /* tells keys apart without telling them */
    bool stretched; /* it came from a passphrase */
};
/* A generated key (zpk1_…, checked for typing errors), or any other text as a passphrase, which takes 64 MiB
 * and some 50 ms. ERR_INVALID. */
bool secret_from_text(struct str text, struct secret *secret, struct err *err);
/* The same from a file of one line. ERR_DENIED when others can read it. */
bool secret_from_file(const char *path, struct secret *secret, struct err *err);
/* The key that ZPROC_SECRET_KEY holds or whose file ZPROC_KEY_FILE names; *given tells whether there is one.
 * What ZPROC_SECRET_KEY held is wiped and gone from the environment, so that no child gets it. */
bool secret_from_env(struct secret *secret, bool *given, struct err *err);
/* A new key. */
bool secret_make(char text[SECRET_TEXT_SIZE], struct err *err);
/* The text that leads to this key, also when it came from a passphrase. */
void secret_print(const struct secret *secret, char text[SECRET_TEXT_SIZE]);
/* A new file for this user only. ERR_CONFLICT when the path is taken. */
bool secret_write(const char *path, const char *text, struct err *err);
/* Whether a peer's long-term public key is the client's, in constant time. */
bool secret_is_client(const struct secret *secret, const void *public_key);
void secret_wipe(struct secret *secret);

/* ---- Connections ---- */

struct conn;

/* secret: NULL for a server without a key; copied as far as it is needed. Starts to connect without blocking,
 * but for the look-up of a host's name and for a listener whose backlog is full (up to 10 s). NULL with
 * ERR_UNREACHABLE (nobody listens) or ERR_INVALID. For ipc the uid of the peer is checked (SO_PEERCRED;
 * root's and our own are fine): ERR_DENIED. */
struct conn *conn_open(const struct address *address, const struct secret *secret, struct err *err);
void conn_close(struct conn *conn); /* NULL is fine */
int conn_fd(const struct conn *conn);
/* POLLIN, and POLLOUT while something waits to be written (or to connect). */
short conn_events(const struct conn *conn);
/* Reads and writes what is possible without blocking and goes through the handshake. False with
 * ERR_UNREACHABLE (connection refused, closed or reset), ERR_KEY_REJECTED (the mechanisms do not fit) or
 * ERR_INTERNAL (the peer does not speak ZMTP); the connection is then of no use. */
bool conn_step(struct conn *conn, struct err *err);
/* conn_step until the handshake is through or until the monotonic time (ms; <0: no end). ERR_TIMEOUT and
 * conn_step's errors. */
bool conn_wait_open(struct conn *conn, int64_t until_ms, struct err *err);
/* The handshake is through. */
bool conn_is_open(const struct conn *conn);
/* Queues one message: an empty delimiter, the header, and a value frame unless value.data is NULL. Copies. It
 * is sent by conn_step once the peer's READY is there. ERR_TOO_LARGE past WIRE_FRAME_MAX. */
bool conn_send(struct conn *conn, struct str header, struct str value, struct err *err);
/* Writes what is queued, as far as it goes without blocking. That it failed shows in the next conn_step. */
void conn_flush(struct conn *conn);
struct message {
    struct str header;
    struct str value; /* data is NULL when there is no value frame */
    char *memory;     /* holds both */
};
/* Takes the next whole message out, if there is one; the caller releases it. Messages that are not in the
 * protocol's form (an empty frame alone, for example) are skipped. */
bool conn_receive(struct conn *conn, struct message *message);
void message_release(struct message *message);
/* conn_step until a message is there or until the monotonic time (ms; <0: no end). ERR_TIMEOUT and
 * conn_step's errors. */
bool conn_wait(struct conn *conn, int64_t until_ms, struct message *message, struct err *err);

/* ---- Requests: the header's fields, from ops.def ---- */

enum op {
    OP_NONE,
#define OP(name, kind, fields, value, help) OP_##name,
#include "ops.def"
    OP_COUNT
};
enum op_kind { OP_KIND_READ, OP_KIND_WRITE, OP_KIND_WAIT, OP_KIND_OTHER };
enum op_value { OP_VALUE_NONE, OP_VALUE_ONE, OP_VALUE_MAYBE };
enum field_kind { FIELD_INT, FIELD_BOOL, FIELD_STR, FIELD_KEYS };
enum field {
#define FIELD(name, kind, help) FIELD_##name,
#include "ops.def"
    FIELD_COUNT
};
struct op_info {
    const char *name;
    enum op_kind kind;
    enum op_value value;
    const char *fields; /* names of its own fields, separated by spaces */
    const char *help;
};
struct field_info {
    const char *name;
    enum field_kind kind;
    const char *help;
};
const struct op_info *op_info(enum op op);
const struct field_info *field_info(enum field field);
enum op op_from_name(struct str name); /* OP_NONE */

/* A request's header. A field counts only when its bit is set. Strings are borrowed from whoever filled it
 * (on the server: from the
 * header's text and from `kept`). */
struct request {
    enum op operation;
    uint64_t set; /* bit 1 << FIELD_x */
    struct {
        int64_t i;
        struct str s;
        const struct value *keys; /* list of strings, borrowed */
    } field[FIELD_COUNT];
    struct value *kept; /* list of what fields point to and the text does not have as it is; owned */
};
#define request_has(request, name)  (((request)->set >> FIELD_##name) & 1)
#define request_int(request, name)  ((request)->field[FIELD_##name].i)
#define request_bool(request, name) (request_has(request, name) && (request)->field[FIELD_##name].i != 0)
#define request_str(request, name)  ((request)->field[FIELD_##name].s)
void request_set_int(struct request *request, enum field field, int64_t i);
void request_set_str(struct request *request, enum field field, struct str s);
void request_set_keys(struct request *request, enum field field, const struct value *keys);
/* The header as JSON text. */
void request_print(struct buf *buf, const struct request *request);
/* The header's text must live as long as the request. Checks everything: JSON, known fields of the right
 * type, v, id, op, the op's own fields and no others of another op, namespace and key lengths, depth.
 * ERR_INVALID, ERR_TOO_LARGE or ERR_UNSUPPORTED (op or version) naming the field. Whatever could be read of
 * id is set even on failure. */
bool request_parse(struct str header, struct request *request, struct err *err);
void request_release(struct request *request);

#endif

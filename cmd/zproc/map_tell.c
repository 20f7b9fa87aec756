/* What a map says on standard error: messages, the lines of items, and the progress bar at a terminal. */
#include "map.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_FIRST_MS 300 /* short maps have none */
#define BAR_EVERY_MS 100
#define BAR_CELLS    20
#define LINE_MAX_LEN 65536 /* of an item's line that has not ended */
#define NAME_MAX_LEN 40

static bool env_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void tell_open(struct tell *tell, const struct context *context)
{
    const char *kind = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO);
    *tell = (struct tell){.quiet = context->quiet,
                          .names = terminal,
                          .colour = !args_has(&context->args, "no-color") && fd_takes_colour(STDERR_FILENO),
                          .start_ms = time_now_ms()};
    tell->bar = terminal && !context->quiet && !env_set("CI") && kind && strcmp(kind, "dumb") != 0;
}

void tell_erase(struct map *map)
{
    if (map->tell.drawn)
        (void)fd_write_all(STDERR_FILENO, "\r\033[K", 4);
    map->tell.drawn = false;
}

void tell(struct map *map, const char *format, ...)
{
    AUTO_BUF struct buf line = {0};
    va_list args;
    if (map->tell.quiet)
        return;
    buf_add_text(&line, map->tell.colour ? "\033[31mzproc:\033[0m map: " : "zproc: map: ");
    va_start(args, format);
    buf_add_vformat(&line, format, args);
    va_end(args);
    buf_add_char(&line, '\n');
    tell_erase(map);
    /* Where stderr itself fails there is nobody left to tell; the exit status still says it. */
    (void)fd_write_all(STDERR_FILENO, line.data, line.len);
}

/* The beginning of a text, fit for one line of a terminal. */
static void add_short(struct buf *buf, struct str text)
{
    size_t len = text.len > NAME_MAX_LEN ? NAME_MAX_LEN : text.len;
    while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xC0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        buf_add_char(buf, (unsigned char)text.data[i] < ' ' || text.data[i] == 127 ? '?' : text.data[i]);
    if (len < text.len)
        buf_add_text(buf, "...");
}

void tell_item_name(struct buf *buf, int64_t number, const struct item *item)
{
    buf_add_format(buf, "item %lld '", (long long)number);
    add_short(buf, (struct str){item->text, item->len});
    buf_add_char(buf, '\'');
}

/* ---- Lines of items ---- */

static void add_line(struct map *map, struct buf *out, struct str name, struct str line)
{
    if (map->tell.names) {
        add_short(out, name);
        buf_add_text(out, " | ");
    }
    buf_add_str(out, line);
}

void tell_lines(struct map *map, struct str name, struct buf *partial, struct str bytes, bool ended)
{
    AUTO_BUF struct buf out = {0};
    buf_add_str(partial, bytes);
    struct str rest = buf_str(partial);
    const char *newline;
    while (rest.len > 0 && (newline = memchr(rest.data, '\n', rest.len))) {
        size_t len = (size_t)(newline - rest.data) + 1;
        add_line(map, &out, name, (struct str){rest.data, len});
        rest.data += len;
        rest.len -= len;
    }
    if (rest.len > LINE_MAX_LEN || (ended && rest.len > 0)) {
        add_line(map, &out, name, rest);
        buf_add_text(&out, ended || map->tell.names ? "\n" : "");
        rest.len = 0;
    }
    buf_consume(partial, partial->len - rest.len);
    if (out.len == 0)
        return;
    tell_erase(map);
    (void)fd_write_all(STDERR_FILENO, out.data, out.len);
}

/* ---- The bar ---- */

static void add_cells(struct buf *line, int64_t ended, int64_t total)
{
    int64_t full = total > 0 ? ended * BAR_CELLS / total : 0;
    buf_add_char(line, '[');
    for (int64_t i = 0; i < BAR_CELLS; i++)
        buf_add_char(line, i < full ? '#' : '.');
    buf_add_format(line, "] %3lld%%  %lld/%lld", (long long)(total > 0 ? ended * 100 / total : 0),
                   (long long)ended, (long long)total);
}

static void bar_print(const struct map *map, int64_t spent_ms, struct buf *line)
{
    int64_t ended = map->ended, total = source_total(&map->source);
    double rate = spent_ms > 0 ? (double)ended * 1000 / (double)spent_ms : 0;
    if (total >= 0)
        add_cells(line, ended, total);
    else
        buf_add_format(line, "%lld done", (long long)ended);
    buf_add_format(line, rate >= 10 ? "  %.0f/s" : "  %.1f/s", rate);
    if (total > ended && ended > 0) {
        buf_add_text(line, "  ");
        duration_print(line, (int64_t)((double)(total - ended) * 1000 / rate));
        buf_add_text(line, " left");
    }
    if (map->failed > 0)
        buf_add_format(line, "  %lld failed", (long long)map->failed);
}

void tell_draw(struct map *map)
{
    struct tell *tell = &map->tell;
    int64_t now = time_now_ms();
    /* A line of output that has not ended is not drawn over. */
    bool in_line = map->order.is_terminal && map->order.last != '\n';
    if (!tell->bar || in_line || now - tell->start_ms < BAR_FIRST_MS || now - tell->drawn_ms < BAR_EVERY_MS)
        return;
    AUTO_BUF struct buf line = {0}, out = {0};
    struct winsize size = {0};
    bar_print(map, now - tell->start_ms, &line);
    size_t width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    buf_add_text(&out, "\r");
    buf_add(&out, line.data, line.len < width ? line.len : width - 1);
    buf_add_text(&out, "\033[K");
    (void)fd_write_all(STDERR_FILENO, out.data, out.len);
    tell->drawn = true;
    tell->drawn_ms = now;
}

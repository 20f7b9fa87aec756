/* Allocation that ends the process with a clear word when memory runs out. */
#include "base.h"

#include <stdlib.h>
#include <unistd.h>

_Noreturn static void out_of_memory(void)
{
    static const char text[] = "zproc: out of memory\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(125);
    _exit(125);
}

void *mem_new(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void *mem_resize(void *memory, size_t count, size_t size)
{
    if (count == 0)
        count = 1;
    memory = reallocarray(memory, count, size);
    if (!memory)
        out_of_memory();
    return memory;
}

char *mem_copy(const void *data, size_t len)
{
    char *copy = mem_resize(NULL, len + 1, 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *mem_text(const char *text)
{
    return mem_copy(text, strlen(text));
}

char *mem_format(const char *format, ...)
{
    struct buf buf = {0};
    va_list args;
    va_start(args, format);
    buf_add_vformat(&buf, format, args);
    va_end(args);
    return buf_detach(&buf);
}

void cleanup_free(void *pointer_to_pointer)
{
    free(*(void **)pointer_to_pointer);
}

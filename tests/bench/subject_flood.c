/* flood MEGABYTES: that much output in lines. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char block[1 << 16];
    long blocks = argc == 2 ? atol(argv[1]) * (1 << 20) / (long)sizeof block : 0;
    memset(block, 'x', sizeof block);
    for (size_t i = 63; i < sizeof block; i += 64)
        block[i] = '\n';
    for (long i = 0; i < blocks; i++)
        for (size_t pos = 0; pos < sizeof block;) {
            ssize_t n = write(STDOUT_FILENO, block + pos, sizeof block - pos);
            if (n <= 0)
                return 1;
            pos += (size_t)n;
        }
    return 0;
}

/* LD_PRELOAD: once the file $FULL_WHEN exists, every write to a file below $FULL_BELOW finds the disk full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int fd) {
    const char *when = getenv("FULL_WHEN"), *below = getenv("FULL_BELOW");
    char link[64], path[4096];
    if (!when || !below || access(when, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below))) return 0;
    errno = ENOSPC;
    return 1;
}

#define WRITES(name, parameters, arguments)                              \
    ssize_t name parameters {                                            \
        static ssize_t (*real) parameters;                               \
        int before = errno;                                              \
        if (is_full(fd)) return -1;                                      \
        errno = before;                                                  \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);            \
        return real arguments;                                           \
    }

WRITES(write, (int fd, const void *data, size_t n), (fd, data, n))
WRITES(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
WRITES(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
WRITES(writev, (int fd, const struct iovec *data, int n), (fd, data, n))
WRITES(pwritev, (int fd, const struct iovec *data, int n, off_t at), (fd, data, n, at))
WRITES(pwritev64, (int fd, const struct iovec *data, int n, off64_t at), (fd, data, n, at))
WRITES(sendfile, (int fd, int from, off_t *at, size_t n), (fd, from, at, n))
WRITES(sendfile64, (int fd, int from, off64_t *at, size_t n), (fd, from, at, n))

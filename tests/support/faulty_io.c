/* Makes writing below one folder fail, or kills the process in the middle of it. Loaded with LD_PRELOAD.
 *
 * FAULTY_FOLDER  only files below it are touched
 * FAULTY_FLAG    while this file exists, every write and sync below the folder fails with ENOSPC: the disk is full
 *
 * The n-th call can be made to fail by `faulty_arm`, from inside the process (ctypes).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNT, FAIL, KILL_BEFORE, KILL_HALFWAY };

static int armed_call, armed_mode, armed_errno, calls;

/* From now on count the calls below the folder, and treat the nth (from 1) in this way. */
void faulty_arm(int nth, int mode, int error) {
    calls = 0;
    armed_call = nth;
    armed_mode = mode;
    armed_errno = error;
}

int faulty_calls(void) { return calls; }

static int concerns(int fd) {
    const char *folder = getenv("FAULTY_FOLDER");
    char link[64], path[PATH_MAX];
    if (folder == NULL) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(folder);
    return strncmp(path, folder, prefix) == 0 && path[prefix] == '/';
}

/* What is to be done with this call: one of the modes; COUNT lets it through. */
static int judge(int fd) {
    int saved = errno, mode = COUNT;
    if (concerns(fd)) {
        const char *flag = getenv("FAULTY_FLAG");
        if (flag != NULL && access(flag, F_OK) == 0) {
            mode = FAIL;
            saved = ENOSPC;
        } else if (++calls == armed_call) {
            mode = armed_mode;
            if (mode == FAIL) saved = armed_errno;
        }
    }
    if (mode == KILL_BEFORE) kill(getpid(), SIGKILL);
    errno = saved;
    return mode;
}

#define REAL(name) __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define DIE_AFTER(call) do { (void)!(call); kill(getpid(), SIGKILL); pause(); } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd, data, size / 2));
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd, data, size / 2, at));
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd, data, size / 2, at));
    return real(fd, data, size, at);
}

int fsync(int fd) {
    REAL(fsync);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd));
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd));
    return real(fd);
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd, size));
    return real(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    int mode = judge(fd);
    if (mode == FAIL) return -1;
    if (mode == KILL_HALFWAY) DIE_AFTER(real(fd, size));
    return real(fd, size);
}

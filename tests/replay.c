/*
 * Runs one fuzz target over its stored inputs, as an ordinary test: `x_replay tests/corpus/x`.
 *
 * Each input runs in a child of its own, from a buffer of exactly its size, so that a crash or a
 * hang fails that input alone and a sanitizer sees the first byte read too far.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT_SECONDS_MAX = 60, PATH_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int
run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return EXIT_FAILURE;
    long len = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    rewind(file);
    uint8_t *bytes = len >= 0 ? malloc(len > 0 ? (size_t)len : 1) : NULL;
    bool whole = bytes && fread(bytes, 1, (size_t)len, file) == (size_t)len;
    fclose(file);
    if (whole)
        LLVMFuzzerTestOneInput(bytes, (size_t)len);
    free(bytes);
    return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
replay(const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(INPUT_SECONDS_MAX);
        exit(run_file(path));
    }
    int how = 0;
    if (child < 0 || waitpid(child, &how, 0) != child)
        return false;
    if (WIFSIGNALED(how))
        fprintf(stderr, "%s: killed by signal %d\n", path, WTERMSIG(how));
    return WIFEXITED(how) && WEXITSTATUS(how) == EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    int passed = 0, failed = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char path[PATH_BYTES_MAX];
            snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
            bool ok = replay(path);
            printf("%s %s\n", ok ? "ok    " : "FAILED", entries[i]->d_name);
            passed += ok;
            failed += !ok;
        }
        free(entries[i]);
    }
    free(entries);
    if (passed + failed == 0)
        fprintf(stderr, "%s: no inputs stored: a fuzz target needs its seeds\n", argv[1]);
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
